"""What the lines of ``nitroctl kms trail`` come to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from nitroctl.errors import CannotAnswer, NitroctlError
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Fields, Heading, Headline, Row, Text, Value

if TYPE_CHECKING:
    from nitroctl.checks import Outcome
    from nitroctl.cli.kms_trail_lookup import Lookup
    from nitroctl.kms.trail import Group, Key, Trail
    from nitroctl.kms.trail_files import Files
    from nitroctl.records import Ledger

#: How many kinds of lines, and keys, people are shown; --json has all.
_SHOWN: Final = 40
_TIME, _NAME, _KEY, _COUNT = 20, 19, 36, 7

#: Finding -> how the sentence counts it.
_WORDS: Final = {
    "trail.recorded": "by images that were active then",
    "trail.not-compared": "attested, not compared",
    "trail.unattested": "without attestation",
    "trail.reencrypt": "by re-encryption",
    "trail.debug": "in debug mode",
    "trail.revoked": "by a revoked image",
    "trail.retired": "by a retired image",
    "trail.candidate": "by a candidate",
    "trail.unknown": "by an image that is not recorded",
    "trail.registers": "by a recorded image with other pinned registers",
    "trail.registers-unreadable": "with registers that cannot be read",
    "trail.revoked-later": "by an image that was revoked later",
    "trail.early": "by an image that became active later",
    "trail.denied": "denied",
    "trail.failed": "failed",
}
_CHANGES: Final = {
    "trail.weakened": ("change that may let others in", "changes that may let others in"),
    "trail.changed": ("other change", "other changes"),
}
_OF_FILES: Final = (
    "judged is what the files hold: a trail can leave out what KMS writes, and accounts and Regions have their own",
    "not checked: that the files are whole and unchanged (aws cloudtrail validate-logs)",
)
_BOUND: Final = {"named": "named", "policy": "by its policy", "used": "by its use"}


def summary(
    trail: "Trail", files: "Files", records: str | None, ledger: "Ledger | None", looked_up: "Lookup | None" = None
) -> Result:
    """Return what the lines come to: refused when any is, trouble when none is and something was not looked at."""
    from nitroctl.checks import Outcome

    sentence = _sentence(trail)
    trouble = [] if trail.refused else _trouble(trail, files)
    worst = Outcome.FAIL if trail.refused else Outcome.WARN
    if not trouble and not any(outcome in (Outcome.FAIL, Outcome.WARN) for outcome, _ in trail.counts):
        judged = any(outcome is Outcome.PASS for outcome, _ in trail.counts)
        worst = Outcome.FAIL if trail.refused else Outcome.PASS if judged and ledger is not None else Outcome.WARN
    return Result(
        schema="kms.trail/1",
        data=_data(trail, files, records, sentence) | ({"looked_up": looked_up.as_json()} if looked_up else {}),
        view=_view(trail, sentence, worst, records),
        refused=trail.refused,
        notes=_notes(trail, files, ledger, looked_up),
        trouble=trouble,
    )


def _sentence(trail: "Trail") -> str:
    from nitroctl.checks import Outcome

    bound = len(trail.bound())
    keys = f"{bound} key{'' if bound == 1 else 's'} bound to attestation"
    missed = sum(key.missed for key in trail.missed())
    told: dict[Outcome, list[str]] = {outcome: [] for outcome in Outcome}
    counts = dict(trail.counts)
    if missed:
        unattested = Outcome.FAIL, "trail.unattested"
        counts[unattested] = counts.get(unattested, 0) + missed
    for (outcome, finding), count in sorted(counts.items(), key=lambda item: (-item[1], item[0][1])):
        words = _CHANGES[finding][count > 1] if finding in _CHANGES else _WORDS[finding]
        told[outcome].append(f"{count} {words}")
    by_outcome = {outcome: sum(n for (each, _), n in counts.items() if each is outcome) for outcome in Outcome}
    total = sum(by_outcome.values())
    if not total:
        among = f"among {_counted(trail.kms, 'record')} of KMS"
        return f"no use of {keys} {among}" if bound else f"no key is bound to attestation {among}"
    period = f", {trail.first} to {trail.last}" if trail.first else ""
    calls = f"{_counted(total, 'call')} on {keys}{period}"
    if told[Outcome.FAIL]:
        return f"{by_outcome[Outcome.FAIL]} of {calls}, must not be: {', '.join(told[Outcome.FAIL])}"
    parts = [*told[Outcome.PASS], *told[Outcome.WARN], *told[Outcome.SKIP]]
    return f"{calls}: {', '.join(parts)}"


def _trouble(trail: "Trail", files: "Files") -> list[NitroctlError]:
    found: list[NitroctlError] = []
    if trail.unread:
        found.append(
            CannotAnswer(
                f"{_counted(trail.unread, 'file or record', 'files or records')} could not be read",
                "kms.trail-unread",
                ["the findings say why"],
            )
        )
    if trail.overflow:
        found.append(
            CannotAnswer(
                f"{_counted(trail.overflow, 'call')} on more keys than are followed",
                "kms.trail-keys",
                ["name the keys that matter: --key ARN"],
            )
        )
    if trail.keyless:
        found.append(
            CannotAnswer(
                f"{_counted(trail.keyless, 'unattested use')} without the key's ARN or id, and so not judged",
                "kms.trail-keys",
                ["take the whole records, with their member resources"],
            )
        )
    if not found and (not trail.kms or not (trail.counts or trail.bound())):
        what = (
            f"none of {_counted(trail.kms, 'record')} of KMS has to do with attestation"
            if trail.kms
            else f"no record of KMS among {_counted(files.records, 'record')}"
        )
        found.append(
            CannotAnswer(
                what,
                "kms.trail-empty",
                [
                    "a trail can leave out what KMS writes: aws cloudtrail get-event-selectors",
                    "name the key that may be used with attestation only: --key ARN",
                ],
            )
        )
    return found


def _notes(trail: "Trail", files: "Files", ledger: "Ledger | None", looked_up: "Lookup | None") -> list[str]:
    from nitroctl import pcr

    outcomes = {finding for _, finding in trail.counts}
    notes = looked_up.notes() if looked_up else list(_OF_FILES)
    if ledger is None:
        notes.append("the images were not compared with any records")
    elif len({entry.environment for entry in ledger.active()}) > 1:
        notes.append("images of every recorded environment count as recorded; --environment names one")
    if trail.not_logged:
        names = ", ".join(pcr.name(index) for index in sorted(trail.not_logged))
        notes.append(f"pinned, but not logged by CloudTrail and so not compared: {names}")
    if outcomes & {"trail.changed", "trail.weakened"}:
        notes.append("what a policy lets through is not worked out here, only which images its statements name")
    for count, one, many in (
        (
            files.unfinished,
            "of AWS's answers says that there is more, which is not in it",
            "of AWS's answers say that there is more, which is not in them",
        ),
        (
            trail.keyless if trail.refused else 0,
            "unattested use does not name its key, and is not judged",
            "unattested uses do not name their key, and are not judged",
        ),
        (trail.doubled, "record was read twice and is counted once", "records were read twice and are counted once"),
        (
            trail.disordered,
            "line stands after a later one: the files are far out of order",
            "lines stand after later ones: the files are far out of order",
        ),
        (
            files.digests,
            "digest file of CloudTrail was passed over",
            "digest files of CloudTrail were passed over",
        ),
        (
            trail.unread if trail.refused else 0,
            "file or record could not be read; of that nothing is said",
            "files or records could not be read; of those nothing is said",
        ),
    ):
        if count:
            notes.append(f"{count} {one if count == 1 else many}")
    return notes


def _view(trail: "Trail", sentence: str, worst: "Outcome", records: str | None) -> list[Block]:
    from nitroctl.checks import Outcome
    from nitroctl.kms.trail import gravest

    above: list[Block] = [Text("")] if trail.counts or trail.unread else []  # lines, from which it stands apart
    view: list[Block] = [*above, Headline(sentence, worst)]
    if records is not None:
        view.append(Fields([("records", records)]))
    bound = trail.bound()
    if bound:
        rows: list[tuple[str, Value]] = [(_BOUND[key.bound], _key_said(key)) for key in bound[:_SHOWN]]
        view.append(Fields([*rows, *_left_out(bound)], title="Keys bound to attestation"))
    missed = [
        Row(
            Outcome.FAIL,
            [(f"{key.missed}x", _COUNT), (key.missed_first, _TIME), (key.missed_last, _TIME), (_MISSED, 0)],
        )
        for key in trail.missed()
    ]
    again = [group for group in gravest(trail.groups.values()) if group.count > 1]
    if again or missed:
        view += [Heading("More than once, or not told above, with the first and the last"), *missed[:_SHOWN]]
        view += [_group_row(group) for group in again[:_SHOWN]]
        view += [Fields([row]) for row in _left_out(again)]
    return view


_MISSED: Final = "without attestation, before anything in the files said that the key is bound [trail.unattested]"


def _left_out(items: Sequence[object]) -> list[tuple[str, Value]]:
    return [("", f"and {len(items) - _SHOWN} more; --json has them all")] if len(items) > _SHOWN else []


def _key_said(key: "Key") -> str:
    counts = (
        (key.attested, "attested"),
        (key.unattested, "unattested"),
        (key.denied, "denied"),
        (key.changes, "changes" if key.changes > 1 else "change"),
    )
    return f"{key.name}: {', '.join(f'{count} {what}' for count, what in counts if count) or 'not in the files'}"


def _group_row(group: "Group") -> Row:
    line = group.line
    said = f"{line.event.key_id or 'no key'}  {line.said} [{line.id}]"
    return Row(
        line.outcome,
        [(f"{group.count}x", _COUNT), (group.first, _TIME), (group.last, _TIME), (line.event.name, _NAME), (said, 0)],
    )


def _data(trail: "Trail", files: "Files", records: str | None, sentence: str) -> dict[str, object]:
    from nitroctl.kms.trail import gravest

    return {
        "answer": sentence,
        "records": records,
        "files": files.files,
        "records_read": files.records,
        "kms_records": trail.kms,
        "unread": trail.unread,
        "doubled": trail.doubled,
        "out_of_order": trail.disordered,
        "first": trail.first or None,
        "last": trail.last or None,
        "counts": [
            {"outcome": outcome.value, "finding": finding, "calls": count}
            for (outcome, finding), count in sorted(trail.counts.items(), key=lambda item: (-item[1], item[0][1]))
        ],
        "remarks": [{"finding": finding, "calls": count} for finding, count in sorted(trail.remarks.items())],
        "keys": [
            {
                "key": key.name,
                "key_id": key.id,
                "bound": key.bound,
                "attested": key.attested,
                "unattested": key.unattested,
                "unattested_before_bound": key.missed,
                "denied": key.denied,
                "changes": key.changes,
            }
            for key in trail.bound()
        ],
        "kinds": [
            {
                "outcome": group.line.outcome.value,
                "finding": group.line.id,
                "event": group.line.event.name,
                "key_id": group.line.event.key_id or None,
                "said": group.line.said,
                "calls": group.count,
                "first": group.first,
                "last": group.last,
            }
            for group in gravest(trail.groups.values())
        ],
    }


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or f'{one}s'}"
