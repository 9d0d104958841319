"""``nitroctl pcr diff``: two recorded versions, images or sets of measurements; or two ledgers."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.pcr_options import Records, from_image, ledger_path, one
from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Cell, Fields, Headline, Table, Value

if TYPE_CHECKING:
    from nitroctl.records import Entry, Ledger

EXAMPLES = """
nitroctl pcr diff signer-1.4.1@prod signer-1.4.2@prod
nitroctl pcr diff signer-1.4.2@prod app.eif
nitroctl pcr diff old.json measurements.json
"""
_MAGIC = b".eif"


@dataclass(frozen=True, slots=True)
class _Side:
    """One side: its name, registers, and the entry when it is one; or a ledger, and then nothing else."""

    name: str
    pcrs: Mapping[int, bytes]
    entry: "Entry | None" = None
    ledger: "Ledger | None" = None


_What = Annotated[
    str, typer.Argument(help="A recorded version, an image, a file with measurements, or a ledger.", show_default=False)
]


def diff(a: _What, b: _What, *, records: Records = None) -> Result:
    """Say which registers of two versions, images or sets of measurements differ; or what two ledgers record otherwise.

    A name is looked up in the records, unless a file has it. The files in two images are compared by eif diff.
    """
    path = ledger_path(records)
    one_side, other = (_side(name, path) for name in (a, b))
    if one_side.ledger is not None and other.ledger is not None:
        return _ledgers(one_side.name, one_side.ledger, other.name, other.ledger)
    if one_side.ledger is not None or other.ledger is not None:
        raise UsageError(
            "one side is a file of recorded measurements and the other is not",
            "usage.invalid",
            ["name one of its entries, with --records FILE where it is another file"],
        )
    return _registers(one_side, other)


def _side(name: str, path: str) -> _Side:
    if not os.path.lexists(name):
        from nitroctl import records

        found = one(records.load(path), name, path)
        return _Side(found.id, found.pcrs, found)
    from nitroctl import safefile

    with safefile.open_regular(name) as stream:
        is_image = stream.read(len(_MAGIC)) == _MAGIC
    if is_image:
        return _Side(name, from_image(name)[0])
    from nitroctl.records import form, importers, store

    text = safefile.read_text(name, limit=store.SIZE_LIMIT)
    if f'"{form.SCHEMA}"' in text[:1000]:
        return _Side(name, {}, ledger=form.loads(text, where=name))
    source = importers.parse(text, where=name)
    if len(source.found) != 1:
        raise UsageError(
            f"{name}: {len(source.found)} sets of measurements", "records.select", ["give a file with one"]
        )
    return _Side(name, source.found[0].pcrs)


def _registers(a: _Side, b: _Side) -> Result:
    from nitroctl import pcr
    from nitroctl.checks import Outcome

    indexes = sorted({*a.pcrs, *b.pcrs})
    differing = [index for index in indexes if a.pcrs.get(index) != b.pcrs.get(index)]
    others = _other_members(a.entry, b.entry) if a.entry and b.entry else []
    names = ", ".join(map(pcr.name, differing))
    if differing:
        verb = "differs" if len(differing) == 1 else "differ"
        headline = Headline(f"{names} {verb} between {a.name} and {b.name}", Outcome.FAIL)
    else:
        headline = Headline(f"{a.name} and {b.name} have the same registers", Outcome.PASS)
    rows: list[tuple[str, Value]] = []
    for index in indexes:
        if index in differing:
            rows.append((pcr.name(index), Cell("differs", "dim")))
            rows += [(f"  {letter}", _register(side.pcrs.get(index))) for letter, side in (("A", a), ("B", b))]
        else:
            rows += [(pcr.name(index), Cell("equal", "dim")), ("  A, B", a.pcrs[index].hex())]
    view: list[Block] = [headline, Fields([("A", a.name), ("B", b.name)]), Fields(rows, title="Registers")]
    if others:
        view.append(Table(("member", "A", "B"), others, title="What else the records say"))
    data = {
        "a": a.name,
        "b": b.name,
        "differing": [pcr.name(index) for index in differing],
        "pcrs_a": pcr.as_hex(a.pcrs),
        "pcrs_b": pcr.as_hex(b.pcrs),
        "members": [{"member": member, "a": left, "b": right} for member, left, right in others],
    }
    return Result(schema="pcr.diff/1", data=data, view=view, refused=bool(differing))


def _register(value: bytes | None) -> Value:
    return value.hex() if value else Cell("not there", "dim")


def _other_members(a: "Entry", b: "Entry") -> list[tuple[str, str, str]]:
    """Return the members besides the registers that two entries have otherwise, as text."""
    left, right = _flat(a.as_json()), _flat(b.as_json())
    return [
        (member, _text(left.get(member)), _text(right.get(member)))
        for member in dict.fromkeys([*left, *right])
        if left.get(member) != right.get(member)
    ]


def _flat(members: Mapping[str, object], under: str = "") -> dict[str, object]:
    """Return members by dotted names, so that of a build only what differs is shown, and not all of it twice."""
    found: dict[str, object] = {}
    for name, value in members.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{under}{name}.") if name != "measurements" else {}
        elif name != "id":
            found[f"{under}{name}"] = value
    return found


def _text(value: object) -> str:
    import json

    return value if isinstance(value, str) else "-" if value is None else json.dumps(value)


def _ledgers(a: str, before: "Ledger", b: str, after: "Ledger") -> Result:
    from nitroctl.checks import Outcome

    old, new = {entry.id: entry for entry in before}, {entry.id: entry for entry in after}
    rows: list[tuple[str, str]] = [(each, "only in A") for each in old if each not in new]
    rows += [(each, "only in B") for each in new if each not in old]
    for left, right in [(entry, new[each]) for each, entry in old.items() if each in new]:
        if left != right:
            members = ["measurements"] if left.pcrs != right.pcrs else []
            members += [member for member, _, _ in _other_members(left, right)]
            rows.append((left.id, f"differs: {', '.join(members)}"))
    rows.sort()
    if rows:
        headline = Headline(f"{len(rows)} {'entry differs' if len(rows) == 1 else 'entries differ'}", Outcome.FAIL)
    else:
        headline = Headline(f"{a} and {b} record the same", Outcome.PASS)
    view: list[Block] = [headline, Fields([("A", a), ("B", b)])]
    if rows:
        view.append(Table(("version", "what differs"), rows))
    data = {
        "a": a,
        "b": b,
        "entries": [{"entry": entry, "what": what} for entry, what in rows],
    }
    return Result(schema="pcr.diff.ledgers/1", data=data, view=view, refused=bool(rows))
