"""The policy that a live key should have by a file of targets and the records: ours made anew, the rest as it is."""

from datetime import datetime
from typing import TYPE_CHECKING

from nitroctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nitroctl.cli.kms_apply_run import Wanted
    from nitroctl.kms.live import LiveKey
    from nitroctl.kms.targets_file import KeyTargets
    from nitroctl.records import Entry


def targets(file: str, name: str | None, key: str | None) -> "tuple[KeyTargets, str]":
    """Return the targets of the key that is meant, and the key as it is to be asked for.

    ``key``: what --key said, an alias too. Raises UsageError ``kms.key`` when the key is said nowhere, and what the
    file's reader raises.
    """
    from nitroctl.kms import targets_file

    read = targets_file.read(file)
    chosen = read.choose(name)
    found = read.keys[chosen]
    asked = key or found.targets.key
    if not asked:
        raise UsageError(
            f"{file}: {chosen} has no key: which key in AWS is not said", "kms.key", ["--key ARN, or key: in the file"]
        )
    return found, asked


def wanted(live: "LiveKey", entries: "Sequence[Entry]", found: "KeyTargets", file: str, at: datetime) -> "Wanted":
    """Return the policy of ``entries`` for ``live``, written onto the one it has, and what was asked of it.

    Raises UsageError ``kms.other-key`` when the file's key is another, and what :mod:`nitroctl.kms.generate` and
    :mod:`nitroctl.kms.generate_onto` raise.
    """
    import dataclasses

    from nitroctl.checks import Report
    from nitroctl.cli.kms_apply_run import Wanted
    from nitroctl.kms import document, generate, generate_judge, generate_onto

    said = found.targets.key
    if said and (live.account, _id(live.arn)) != (said.split(":")[4], _id(said)):
        raise UsageError(f"--key: {file} says another key: {said}", "kms.other-key", ["leave --key out"])
    targets = dataclasses.replace(found.targets, key=live.arn)
    policy = generate.generate(entries, targets, generate_onto.split(live.documents()[0]).kept)
    judged = generate_judge.judge(policy, entries, targets, at=at)
    return Wanted(
        source=f"{file}, for {', '.join(entry.id for entry in entries)}",
        document=document.parse(policy.compact(), where="the policy that would be written"),
        text=policy.compact(),
        checks=Report.of(check for check in judged if check.id.startswith("generated.")),
    )


def _id(arn: str) -> str:
    """Return a key's id, which is the same in every Region."""
    return arn.rpartition("/")[2]
