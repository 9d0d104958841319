"""``nitroctl kms trail --lookup``: what to ask CloudTrail's event history for, and what it cannot tell."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from nitroctl.errors import UsageError

_REGION: Final = re.compile(r"[a-z]{2,8}(?:-[a-z]+)+-[0-9]{1,2}")
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_OURS: Final = "kms.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is asked: by ``places``, pairs of a Region and the ARN of a key, empty for all that KMS did there."""

    places: tuple[tuple[str, str], ...]
    since: datetime
    until: datetime

    def answers(self) -> Iterator[tuple[str, bytes]]:
        """Yield AWS's answers and what to call them. Raises CannotAnswer ``aws.library``, AwsFailed ``aws.*``."""
        from nitroctl.aws import events

        for region, arn in self.places:
            attribute = ("ResourceName", arn) if arn else ("EventSource", _OURS)
            for number, answer in enumerate(events.look_up(region, attribute, self.since, self.until), 1):
                yield f"event history of {region}, answer {number}", answer

    @property
    def by_key(self) -> bool:
        """Whether the events were found by the key that they name."""
        return any(arn for _, arn in self.places)

    def as_json(self) -> dict[str, object]:
        """Return the members of kms.trail/1, looked_up."""
        return {
            "regions": list(dict.fromkeys(region for region, _ in self.places)),
            "keys": [arn for _, arn in self.places if arn],
            "since": self.since.strftime(_TIME),
            "until": self.until.strftime(_TIME),
        }

    def notes(self) -> list[str]:
        """Return what the event history does not have."""
        regions = ", ".join(dict.fromkeys(region for region, _ in self.places))
        period = f"{self.since.strftime(_TIME)} to {self.until.strftime(_TIME)}"
        judged = f"judged is CloudTrail's event history of {regions} from {period}: management events of the caller's"
        notes = [
            f"{judged} account, among which KMS's uses of keys are",
            "the event history goes 90 days back and lacks the last minutes; other accounts and Regions have their own",
            "AWS's word was taken for the events: only a trail's files can be validated",
        ]
        if self.by_key:
            notes.append(
                "looked up by the key's ARN: calls that are logged without it are not found; --region NAME asks for all"
            )
        return notes


def asked(
    files: Sequence[str] | None,
    lookup: bool,
    regions: Sequence[str] | None,
    keys: Sequence[str],
    since: str | None,
    until: str | None,
) -> Lookup | None:
    """Return what to look up, None for files. Raises UsageError."""
    if not lookup:
        alone = next((name for name, value in _named(regions, since, until) if value), "")
        if alone:
            raise UsageError(f"{alone} is for --lookup: files are read whole", "usage.invalid", ["add --lookup"])
        if not files:
            raise UsageError("no file to read", "usage.invalid", ["name files or directories, or say --lookup"])
        return None
    if files:
        raise UsageError("--lookup asks AWS in place of reading files", "usage.invalid", ["leave one of the two out"])
    from nitroctl.aws import events
    from nitroctl.cli.attest_options import now

    end = _instant("--until", until) if until else now()
    begin = _instant("--since", since) if since else end - events.HISTORY
    if begin > end:
        raise UsageError("--since is later than --until", "usage.invalid")
    return Lookup(tuple(dict.fromkeys(_places(regions, keys))), begin, end)


def _named(regions: Sequence[str] | None, since: str | None, until: str | None) -> list[tuple[str, object]]:
    return [("--region", regions), ("--since", since), ("--until", until)]


def _places(regions: Sequence[str] | None, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    for region in regions or ():
        if not _REGION.fullmatch(region):
            raise UsageError(f"--region: not the name of one: {region!r}", "usage.invalid", ["write eu-west-1"])
        yield region, ""
    if regions:
        return
    if not keys:
        raise UsageError(
            "nothing to look up", "usage.invalid", ["name the key: --key ARN; or ask for all of KMS: --region NAME"]
        )
    from nitroctl.aws import keys as live

    for key in keys:
        region = live.region_of(key)
        if ":alias/" in key:
            raise UsageError(
                f"--key: not the ARN of a key: {key!r}",
                "kms.trail-key",
                ["an alias can lead elsewhere tomorrow: aws kms describe-key shows the key's ARN"],
            )
        yield region, key


def _instant(option: str, text: str) -> datetime:
    from nitroctl.cli.attest_options import instant

    found = None if text == "document" else instant(text)
    if found is None:
        raise UsageError(f"{option}: not a time: {text!r}", "attest.at", ["write 2026-11-20T10:00:00Z"])
    return found
