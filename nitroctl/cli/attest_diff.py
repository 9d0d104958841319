"""``nitroctl attest diff``: what differs between two captured documents, neither of them proven."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli import attest_file
from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Cell, Fields, Headline, Text, Value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from nitroctl.evidence.compared import Compared, LinkPair, Pair, RegisterPair, TimePair
    from nitroctl.evidence.container import Unwrapped
    from nitroctl.evidence.document import Kind, Parsed

EXAMPLES = """
nitroctl attest diff monday.cbor tuesday.cbor
nitroctl attest diff monday.cbor tuesday.cbor --json
"""

_Rows = list[tuple[str, Value]]


def diff(
    first: Annotated[str, typer.Argument(help="A document, in any form that show reads.", metavar="A")],
    second: Annotated[str, typer.Argument(help="Another one; - is stdin.", metavar="B")],
) -> Result:
    """Say what differs between two attestation documents, without verifying either.

    Exit status 0: the same enclave with the same registers, user data and public key; nothing differs but what changes
    from one document to the next: times, nonce, the certificates below the root, and the signature. 1: something else
    differs, or one of the two cannot be read. nitroctl attest verify says whether a document is authentic.
    """
    from nitroctl.checks import Outcome
    from nitroctl.evidence.compared import Side, compare

    if first == second == "-":
        raise UsageError("only one of the two documents can come from standard input", "usage.invalid")
    both = [(name, *attest_file.read(name)) for name in (first, second)]
    sides = [
        Side(unwrapped.cbor, parsed.envelope, parsed.document, attest_file.certificates(parsed))
        for _, unwrapped, parsed in both
        if parsed.envelope and parsed.document
    ]
    compared = compare(*sides) if len(sides) == len(both) else None
    sentence = _sentence(compared) if compared else _unreadable(both)
    view: list[Block] = [
        Headline(sentence, Outcome.PASS if compared and compared.same else Outcome.FAIL),
        Text("Neither document is verified: nitroctl attest verify says whether one is authentic.", "warn"),
        Fields([(letter, _told(*one)) for letter, one in zip("AB", both, strict=True)]),
        *(_blocks(compared) if compared else ()),
    ]
    data: dict[str, object] = {
        "sentence": sentence,
        "verified": False,
        "same": bool(compared and compared.same),
        "first": _file(*both[0]),
        "second": _file(*both[1]),
        **_as_json(compared),
    }
    return Result(schema="attest.diff/1", data=data, view=view, refused=not (compared and compared.same))


def _unreadable(both: "Sequence[tuple[str, Unwrapped, Parsed]]") -> str:
    reasons = [
        f"{letter} is not a well-formed attestation document: {attest_file.reason(parsed.report)}"
        for letter, (_, _, parsed) in zip("AB", both, strict=True)
        if not parsed.document
    ]
    return f"not compared: {'; '.join(reasons)}"


def _sentence(compared: "Compared") -> str:
    """Return the comparison in one line: whose, how much later, and what differs."""
    from nitroctl.appraisal.appraise import listed
    from nitroctl.evidence.compared import Relation, subject

    parts = subject(compared)
    if compared.relation is Relation.SAME_DOCUMENT:
        return parts
    parts += f", {_later(compared.apart)}"
    if compared.registers is None:
        return parts
    differing = [pair.index for pair in compared.registers]
    told = [f"{listed(differing)} {'differs' if len(differing) == 1 else 'differ'}" if differing else "same registers"]
    others = [pair.label for pair in compared.identity if pair.key == "region"]
    others += [pair.label for pair in compared.contents if not pair.usual]
    if others:
        told.append(f"{' and '.join(others)} {'differ' if len(others) > 1 else 'differs'}")
    if compared.links[0].relation != "same":
        told.append("another root")
    return f"{parts}; {', '.join(told)}"


def _later(apart: "timedelta") -> str:
    from nitroctl.cli.document import span

    if not apart:
        return "at the same time"
    return f"{span(apart)} {'later' if apart.total_seconds() > 0 else 'earlier'}"


def _told(name: str, unwrapped: "Unwrapped", parsed: "Parsed") -> str:
    from nitroctl.appraisal.appraise import debug_registers
    from nitroctl.cli.document import time

    document = parsed.document
    what = f"{document.module_id}, {time(document.time)}" if document else "not a well-formed document"
    faulty = "" if parsed.report.passed or not document else ", not well-formed"
    debug = ", in debug mode" if document and debug_registers(document) else ""
    return f"{name}, {len(unwrapped.cbor)} bytes of CBOR: {what}{debug}{faulty}"


def _blocks(compared: "Compared") -> list[Block]:
    from nitroctl.evidence.compared import Relation

    found: list[Block] = []
    if compared.identity:
        found.append(Fields(_lettered([_shown(pair, "none") for pair in compared.identity]), title="Identity"))
    if compared.registers:
        found.append(Fields(_registers(compared.kind, compared.registers), title="Registers that differ"))
    elif compared.registers is not None:
        found.append(Text("Every register is the same.", "dim"))
    if compared.relation is Relation.SAME_DOCUMENT:
        return found
    found.append(Fields(_lettered([_moment(pair) for pair in compared.times]), title="Times"))
    found.append(Fields([row for link in compared.links for row in _link(link)], title="Certificates"))
    if compared.contents:
        rows = _lettered([_shown(pair, "absent") for pair in compared.contents])
        found.append(Fields(rows, title="Filled in by their software"))
    form = [_shown(pair, "none") for pair in compared.form if pair.key != "signature"]
    if form:
        found.append(Fields(_lettered(form), title="Envelope"))
    return found


def _registers(kind: "Kind", pairs: "Sequence[RegisterPair]") -> _Rows:
    from nitroctl import pcr
    from nitroctl.evidence.registers import unlocked

    rows: _Rows = []
    for pair in pairs:
        rows.append((pcr.name(pair.index), Cell(pair.meaning, "dim")))
        absent = f"not in the document{unlocked(kind, pair.index)}"
        rows += [
            (f"  {letter}", value.hex() if value is not None else Cell(absent, "dim"))
            for letter, value in (("A", pair.first), ("B", pair.second))
        ]
    return rows


def _lettered(named: "Sequence[tuple[str, Value, Value]]") -> _Rows:
    """Return each label with the value of A, and under it that of B."""
    width = max(len(label) for label, _, _ in named)
    rows: _Rows = []
    for label, first, second in named:
        rows += [(f"{label.ljust(width)}  A", first), (f"{' ' * width}  B", second)]
    return rows


def _shown(pair: "Pair", absent: str) -> "tuple[str, Value, Value]":
    def value(text: str | None) -> Value:
        return text or Cell(absent if text is None else "present and empty", "dim")

    return pair.label, value(pair.first), value(pair.second)


def _moment(pair: "TimePair") -> "tuple[str, Value, Value]":
    from nitroctl.cli.document import time

    first, second = (time(at) or Cell("not known", "dim") for at in (pair.first, pair.second))
    if pair.apart is not None:
        second = f"{second}, {_later(pair.apart)}"
    return pair.label, first, second


def _link(pair: "LinkPair") -> _Rows:
    if pair.relation == "same":
        return [(pair.role, "the same")]
    words = {"renewed": "another of the same name", "other": "another's"}[pair.relation]
    rows: _Rows = [(pair.role, words)]
    for letter, link in (("  A", pair.first), ("  B", pair.second)):
        if link is None:
            rows.append((letter, Cell("none, or it cannot be read", "dim")))
            continue
        rows.append((letter, link.fingerprint))
        if pair.relation == "other":
            rows.append(("", link.common_name or link.subject_text))
    return rows


def _file(name: str, unwrapped: "Unwrapped", parsed: "Parsed") -> dict[str, object]:
    from nitroctl.cli.document import time

    document = parsed.document
    return {
        **attest_file.members(name, unwrapped),
        "well_formed": parsed.report.passed,
        "kind": document.kind.value if document else None,
        "module_id": document.module_id if document else None,
        "time": time(document.time) if document else None,
    }


def _as_json(compared: "Compared | None") -> dict[str, object]:
    from nitroctl import pcr

    if compared is None:
        return {
            "relation": None,
            "seconds_apart": None,
            "identity": [],
            "registers": None,
            "times": [],
            "certificates": [],
            "contents": [],
            "envelope": [],
        }
    registers = None
    if compared.registers is not None:
        registers = [
            {
                "name": pcr.name(pair.index),
                "meaning": pair.meaning,
                "first": pair.first.hex() if pair.first is not None else None,
                "second": pair.second.hex() if pair.second is not None else None,
            }
            for pair in compared.registers
        ]
    return {
        "relation": compared.relation.value,
        "seconds_apart": compared.apart.total_seconds(),
        "identity": _pairs_json(compared.identity),
        "registers": registers,
        "times": [_time_json(pair) for pair in compared.times],
        "certificates": [
            {
                "role": pair.role,
                "relation": pair.relation,
                "first": pair.first.fingerprint if pair.first else None,
                "second": pair.second.fingerprint if pair.second else None,
            }
            for pair in compared.links
        ],
        "contents": _pairs_json(compared.contents),
        "envelope": _pairs_json(compared.form),
    }


def _pairs_json(pairs: "Sequence[Pair]") -> list[dict[str, object]]:
    return [{"key": pair.key, "first": pair.first, "second": pair.second, "usual": pair.usual} for pair in pairs]


def _time_json(pair: "TimePair") -> dict[str, object]:
    from nitroctl.cli.document import time

    apart = pair.apart
    return {
        "key": pair.key,
        "first": time(pair.first),
        "second": time(pair.second),
        "seconds_apart": apart.total_seconds() if apart is not None else None,
    }
