"""The answer of ``nitroctl kms matrix``, for machines and for people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from nitroctl import __version__
from nitroctl.checks import Outcome
from nitroctl.cli.kms_matrix_expect import Answers, Change, answers, changes
from nitroctl.cli.kms_prove_sources import Source
from nitroctl.cli.kms_prove_view import NOT_MODELLED, THE_KEY
from nitroctl.kms.authorize import Policies
from nitroctl.kms.matrix import Answer, Matrix, Row
from nitroctl.pcr import as_hex
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Cell, Fields, Headline, Style, Text, Value

_LABELS: Final = {Answer.ALLOWED: "may", Answer.WITH_IAM: "may with IAM", Answer.OPEN: "not decided"}
_STYLES: Final[Mapping[Answer, Style]] = {Answer.ALLOWED: "strong", Answer.WITH_IAM: "warn", Answer.OPEN: "warn"}
#: Changes that people are shown, and principals whose answers are the same.
_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=False)
class Shown:
    """What else the table was asked with. ``key``: ARN, empty when not given. ``records``: how many count."""

    key: str
    records: int


def result(
    matrix: Matrix, policies: Policies, sources: Sequence[Source], shown: Shown, before: Answers | None
) -> Result:
    """Return the table, and in what it differs from an earlier one."""
    missing = _not_looked_at(policies)
    data: dict[str, object] = {
        "nitroctl": __version__,
        "sources": [{"what": each.what, "path": each.path, "sha256": each.sha256} for each in sources],
        "as_of": matrix.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **({"key": shown.key} if shown.key else {}),
        "encryption_contexts": [dict(each) for each in matrix.contexts],
        "attests": [
            {
                "attests": each.name,
                "kind": each.kind,
                **({"entry": each.entry, "status": each.status} if each.entry else {}),
                **(
                    {"platform": each.attested.platform.value, "pcrs": as_hex(each.attested.pcrs)}
                    if each.attested
                    else {}
                ),
            }
            for each in matrix.columns
        ],
        "principals": [_row(each) for each in matrix.rows],
        "incomplete": matrix.incomplete,
        "not_looked_at": missing,
    }
    found = [] if before is None else changes(before, dict(answers(data)))
    if before is not None:
        data["changes"] = [each._asdict() for each in found]
    view: list[Block] = [
        _headline(matrix, found, compared=before is not None),
        Fields(_rows(matrix, sources, shown)),
        *_changes(found),
        *_principals(matrix),
        Text(""),
        Text("With IAM: a caller whose IAM policies allow it too, and no other unless it depends on something."),
        Text(""),
        Text(f"Not looked at: {'; '.join(missing)}."),
    ]
    notes = [f"there may be principals that are not in the table: {matrix.incomplete}"] if matrix.incomplete else []
    return Result(schema="kms.matrix/1", data=data, view=view, refused=bool(found), notes=notes)


def _headline(matrix: Matrix, found: Sequence[Change], *, compared: bool) -> Headline:
    size = f"{len(matrix.rows)} principals, {len(matrix.columns)} states of attestation"
    if not compared:
        return Headline(f"what the key policy lets by: {size}")
    if found:
        number = f"{len(found)} answers are others" if len(found) > 1 else "one answer is another"
        return Headline(f"no: {number} than expected, of {size}", Outcome.FAIL)
    return Headline(f"as expected: {size}", Outcome.PASS)


def _rows(matrix: Matrix, sources: Sequence[Source], shown: Shown) -> list[tuple[str, Value]]:
    rows: list[tuple[str, Value]] = []
    for each in sources:
        rows += [(each.what, each.path), ("  sha256", each.sha256)]
    contexts = [", ".join(f"{name}={value}" for name, value in each.items()) or "none" for each in matrix.contexts]
    return [
        *rows,
        ("records that count", str(shown.records)),
        ("key", shown.key or "not given"),
        ("encryption context", " or ".join(contexts)),
        ("as of", matrix.at.strftime("%Y-%m-%dT%H:%M:%SZ")),
        ("nitroctl", __version__),
    ]


def _changes(found: Sequence[Change]) -> Iterator[Block]:
    rows: list[tuple[str, Value]] = []
    for each in found[:_SHOWN]:
        state = f", attesting {each.attests}" if each.attests else ""
        now, before = each.now or "not asked", each.before or "not asked"
        rows.append((each.action, f"{each.principal}{state}: {now}, was {before}"))
    if len(found) > _SHOWN:
        rows.append(("", f"and {len(found) - _SHOWN} more (--json has them)"))
    if rows:
        yield Fields(rows, title="Changed")


def _principals(matrix: Matrix) -> Iterator[Block]:
    """Yield a block for each set of principals whose answers are the same."""
    ordered = sorted(enumerate(matrix.rows), key=lambda each: (_first(matrix.rows, each[1]), each[0]))
    for _, alike in groupby((row for _, row in ordered), key=lambda row: _first(matrix.rows, row)):
        rows = list(alike)
        first = rows[0]
        found: list[tuple[str, Value]] = [("principal", _who(each)) for each in rows[:1]]
        found += [("", _who(each)) for each in rows[1:_SHOWN]]
        if len(rows) > _SHOWN:
            found.append(("", f"and {len(rows) - _SHOWN} more (--json has them)"))
        found += _attested(first)
        found += [("and anyway", ""), *_by_answer(first.others, "nothing else")]
        found += [("depends on", reason) for reason in first.open]
        yield Text("")
        yield Fields(found)


def _first(rows: Sequence[Row], row: Row) -> int:
    """Return the place of the first row with the same answers."""
    return next(at for at, each in enumerate(rows) if (each.attested, each.others) == (row.attested, row.others))


def _who(row: Row) -> str:
    text = row.who.caller.text
    return f"{text}  ({row.who.what})" if "that nobody names" in row.who.what else text


def _attested(row: Row) -> Iterator[tuple[str, Value]]:
    """Yield what may be done from which images; images with the same answers in one row, those that may last."""
    found: dict[tuple[tuple[str, Answer], ...], list[str]] = {}
    for name, told in row.attested.items():
        found.setdefault(tuple(told.items()), []).append(name)
    for alike, names in sorted(found.items(), key=lambda each: _allows_none(each[0])):
        for at, name in enumerate(names if len(found) > 1 else ["anything, or nothing"]):
            yield ("attests" if not at else ""), name
        yield from _by_answer(dict(alike), "nothing with data")


def _allows_none(told: Sequence[tuple[str, Answer]]) -> bool:
    return all(answer is Answer.DENIED for _, answer in told)


def _by_answer(told: Mapping[str, Answer], none: str) -> Iterator[tuple[str, Value]]:
    """Yield the actions of each answer but no; ``none``: what to say when there are none."""
    for answer, label in _LABELS.items():
        actions = [action.removeprefix("kms:") for action, found in told.items() if found is answer]
        if actions:
            yield f"  {label}", Cell(", ".join(actions), _STYLES[answer])
    if all(found is Answer.DENIED for found in told.values()):
        yield "  may", Cell(none, "good")


def _not_looked_at(policies: Policies) -> list[str]:
    found = [NOT_MODELLED]
    if policies.grants is None:
        found.append("grants of the key, which were not given (one could allow)")
    if len(policies.key) == 1:
        found.append("a second policy of the key, AWS_RAM, which was not given (it could allow or deny)")
    return [*found, THE_KEY]


def _row(row: Row) -> dict[str, object]:
    return {
        "principal": row.who.caller.text,
        "who": row.who.what,
        "attested": [
            {"attests": name, "answers": {action: answer.value for action, answer in told.items()}}
            for name, told in row.attested.items()
        ],
        "whatever_is_attested": {action: answer.value for action, answer in row.others.items()},
        "depends_on": list(row.open),
    }
