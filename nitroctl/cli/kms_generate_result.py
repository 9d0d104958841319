"""What ``nitroctl kms generate`` says of the policy it wrote."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Checks, Fields, Headline, Raw, Text, Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from nitroctl.checks import Report
    from nitroctl.kms.generate_onto import Existing
    from nitroctl.kms.infrastructure import Form
    from nitroctl.kms.key_policy import KeyPolicy
    from nitroctl.kms.targets import Targets
    from nitroctl.records import Entry

_STARTING: Final = "starting_targets.yaml"


@dataclass(frozen=True, slots=True)
class Made:
    """What was made, and of what. ``text``: the policy in the form that was asked for."""

    policy: "KeyPolicy"
    text: str
    form: "Form"
    targets: "Targets"
    entries: "Sequence[Entry]"
    records: str
    output: str | None


@dataclass(frozen=True, slots=True)
class Layered:
    """The policy that was written onto, and what is to be said of the two together, as of ``at``."""

    file: str
    existing: "Existing"
    at: "datetime"
    report: "Report"

    def as_json(self, made: Made) -> dict[str, object]:
        """Return which statements stayed, which were replaced, which went and which are new, and the checks."""
        ours = [each.sid for each in made.policy.statements]
        return {
            "file": self.file,
            "at": f"{self.at:%Y-%m-%dT%H:%M:%SZ}",
            "kept": [
                {"number": each.number, "sid": each.sid, "effect": each.effect.value}
                for each in self.existing.statements
            ],
            "replaced": [sid for sid in self.existing.ours if sid in ours],
            "swept": self.swept(made),
            "added": [sid for sid in ours if sid not in self.existing.ours],
            "report": self.report.as_json(),
        }

    def swept(self, made: Made) -> list[str]:
        """Return the Sids of nitroctl's statements that are in the policy no more."""
        ours = {each.sid for each in made.policy.statements}
        return [sid for sid in self.existing.ours if sid not in ours]


def generated(made: Made, *, source: "Mapping[str, str | None] | None", layered: Layered | None) -> Result:
    """Return the answer; ``source``: the targets file and the key's name in it."""
    from nitroctl.kms import generate as kms
    from nitroctl.kms.key_policy import SIZE_LIMIT

    policy = made.policy
    room = kms.room(policy, made.entries, made.targets)
    data: dict[str, object] = {
        "records": made.records,
        "releases": [entry.id for entry in made.entries],
        "policy": policy.document(),
        "statements": [
            {"sid": each.sid, "effect": each.effect.value, "purpose": each.purpose}
            | ({"entry": each.entry} if each.entry else {})
            for each in policy.statements
        ],
        "form": made.form.value,
        "size_bytes": policy.size,
        "limit_bytes": SIZE_LIMIT,
        "remaining_bytes": policy.left,
        "remaining_releases": room,
    }
    if source is not None:
        data["targets"] = dict(source)
    if made.targets.key:
        data["key"] = made.targets.key
    if made.form in ("terraform", "cloudformation"):
        data["text"] = made.text
    size = f"{policy.size} bytes as compact JSON; KMS takes {SIZE_LIMIT}, {policy.left} are left: {_room(room)}"
    notes = _limits(made, layered)
    refused = layered is not None and not layered.report.passed
    if layered is not None:
        data["onto"] = layered.as_json(made)
        notes = [*_told(layered), *notes]
        if refused:
            return _refused(layered, data)
    if made.output is None:
        view: list[Block] = [Raw(made.text if made.text.endswith("\n") else f"{made.text}\n")]
        return Result(schema="kms.generate/1", data=data, view=view, notes=[size, *notes])
    rows: list[tuple[str, Value]] = [("records", made.records), ("size", size)]
    if source is not None:
        rows.insert(0, ("targets", f"{source['file']}: {source['name']}"))
    if layered is not None:
        rows += _rows(layered, made)
    view = [
        Headline(f"wrote the key policy of {', '.join(entry.id for entry in made.entries)} to {made.output}"),
        Fields(rows),
        Fields([(each.sid, each.purpose) for each in policy.statements], title="Statements"),
    ]
    return Result(schema="kms.generate/1", data={**data, "output": made.output}, view=view, notes=notes)


def _refused(layered: Layered, data: "Mapping[str, object]") -> Result:
    """Return the no: a policy that does not hold is not written."""
    from nitroctl.checks import Outcome, Report

    told = [*layered.report.having(Outcome.FAIL), *layered.report.having(Outcome.WARN)]
    told.sort(key=lambda check: not check.required)
    view: list[Block] = [
        Headline(f"not written: with the statements kept of {layered.file}, {told[0].detail}", Outcome.FAIL),
        Text(""),
        Checks(Report.of(told)),
    ]
    return Result(
        schema="kms.generate/1", data=data, view=view, refused=True, report=layered.report, subject=layered.file
    )


def _rows(layered: Layered, made: Made) -> "list[tuple[str, Value]]":
    kept = [each.label for each in layered.existing.statements]
    return [
        ("kept", ", ".join(kept) or f"nothing: {layered.file} has no statements but nitroctl's"),
        ("swept", ", ".join(layered.swept(made)) or "nothing"),
    ]


def _told(layered: Layered) -> list[str]:
    """Return what is open, or found, of the policy with the statements that stay."""
    from nitroctl.checks import Outcome

    checks = layered.report.having(Outcome.WARN)
    at = f"as of {layered.at:%Y-%m-%dT%H:%M:%SZ}"
    told = [f"{at}, with {layered.file}: {check.detail} [{check.id}]" for check in checks]
    return told or [f"{at}: what is kept of {layered.file} opens no way around"]


def _room(count: int) -> str:
    return "no release more" if not count else f"{count} release{'s' if count > 1 else ''} more like these"


def _encrypting(layered: Layered | None) -> list[str]:
    """Return the statements that are kept and may let somebody encrypt."""
    from nitroctl.kms.authorize import about_action
    from nitroctl.kms.key_policy import Effect
    from nitroctl.kms.truth import Truth

    return [
        each.label
        for each in (layered.existing.statements if layered else ())
        if each.effect is Effect.ALLOW and about_action(each, "kms:Encrypt") is Truth.YES
    ]


def _limits(made: Made, layered: Layered | None) -> list[str]:
    """Return what the reader must know that the policy itself does not say."""
    from nitroctl.kms.explain_registers import listed
    from nitroctl.kms.key_policy import SIZE_LIMIT

    targets, kept = made.targets, _encrypting(layered)
    stays = f"which {'is' if len(kept) == 1 else 'are'} kept"
    encrypt = f"kms:Encrypt may be allowed by {listed(kept)}, {stays}" if kept else "nobody is allowed kms:Encrypt"
    notes = [
        "nothing was checked against AWS: neither the key nor that the roles exist",
        (
            "not looked at: grants that exist, for what the Denies leave them (aws kms list-grants); the roles' IAM"
            " policies; a second policy of the key (AWS_RAM); replicas of a multi-Region key"
        ),
        (
            "a data writer can put a secret of its own in place of another: what the enclave decrypts is not genuine"
            " because it decrypts"
            if targets.data_writers
            else f"{encrypt}: --data-writer names who prepares the secrets"
        ),
        *_form_notes(made),
    ]
    size = len(made.text.encode())
    if made.form == "json" and size > SIZE_LIMIT:
        notes.insert(0, f"this form has {size} bytes, more than KMS takes: send the form that --compact prints")
    notes += _register_notes(made)
    accounts = {targets.account} if targets.account else {role.account for role in targets.admin_roles}
    foreign = sorted({role.arn for role in targets.enclave_roles if role.account not in accounts})
    if foreign:
        whose = "the key" if targets.account else "the admins"
        notes.append(f"of another account than {whose}, which must allow it too: {', '.join(foreign)}")
    return notes


def _form_notes(made: Made) -> list[str]:
    if made.form == "terraform":
        told = [
            "Terraform gives the key the default policy, which opens it to the account, when the resource is destroyed"
        ]
        if not made.targets.key:
            told.insert(
                0, "the resource refers to an aws_kms_key that is yours to declare; --key names a key that exists"
            )
        return told
    if made.form == "cloudformation":
        told = ["the template makes a new key; in a template of yours take over the property KeyPolicy"]
        if "kms:DeriveSharedSecret" in made.targets.actions:
            told.append("add the KeySpec that you agree keys on")
        return told
    return ["apply it as a --policy-writer: KMS refuses a policy that would lock its caller out"]


def _register_notes(made: Made) -> list[str]:
    """Return what the registers that the releases are bound to do not say."""
    from nitroctl.records import NITRO_TPM

    releases = [entry for entry in made.entries if entry.platform == NITRO_TPM]
    notes = []
    added = [entry.id for entry in releases if 7 not in entry.pin and 12 not in entry.pin]  # noqa: PLR2004
    if added:
        notes.append(
            f"PCR12 is not pinned by {', '.join(added)}: it is bound to zero all the same, so that nobody adds to the"
            " kernel's command line"
        )
    keys = [entry.id for entry in releases if 4 not in entry.pin]  # noqa: PLR2004
    if keys:
        notes.append(f"{', '.join(keys)}: PCR7 names the keys of Secure Boot, not an image: what they signed is let in")
    return notes


def start(output: str | None, *, alone: bool) -> Result:
    """Return targets to start from, or write them to ``output``, which must not be there yet."""
    import os.path
    from importlib import resources

    from nitroctl import safefile

    if not alone:
        raise UsageError("--init writes targets to start from, and takes --output only", "usage.invalid")
    text = resources.files("nitroctl.kms").joinpath(_STARTING).read_text("utf-8")
    data: dict[str, object] = {"text": text}
    if output is None:
        return Result(schema="kms.generate.init/1", data=data, view=[Raw(text)])
    if output == safefile.STDIN:
        raise UsageError("--output -: the targets go to standard output without --output", "usage.invalid")
    if os.path.lexists(output):
        raise CannotAnswer(
            f"{output}: is there already, and targets are not overwritten",
            "file.exists",
            ["name another file, or move this one away"],
        )
    safefile.replace(output, text.encode())
    view: list[Block] = [
        Headline(f"wrote targets to start from to {output}"),
        Text(f"Next: name your roles in it, then nitroctl kms generate --targets {output}"),
    ]
    return Result(schema="kms.generate.init/1", data={**data, "output": output}, view=view)
