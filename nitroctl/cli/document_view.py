"""Everything a document can be made to say, as blocks for people."""

import json
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from nitroctl.cli.document import Closest, View, period, span, time
from nitroctl.render.view import Block, Cell, Checks, Drawing, Fields, Heading, Lines, Text, Value

if TYPE_CHECKING:
    from datetime import datetime

    from nitroctl.evidence.certificate import Certificate
    from nitroctl.evidence.contents import Reading
    from nitroctl.evidence.diagnostic import Diagnosis
    from nitroctl.evidence.findings import Finding, Time
    from nitroctl.evidence.registers import Register

#: Steps between the ends of a validity bar.
_BAR: Final = 20
_Row = tuple[str, Value]


def blocks(view: View) -> list[Block]:
    """Return the whole document for people."""
    enclave = view.document.kind == "enclave"
    who = "the enclave's code" if enclave else "the instance's software"
    with_these = "these registers" if enclave else "these measurements"
    return [
        Fields(_identity(view), title="Document"),
        Fields(_times(view), title="Times"),
        Fields([row for register in _grouped(view.registers) for row in register], title="Registers"),
        *_roles(view),
        Fields(_contents(view), title=f"Filled in by {who}"),
        Text(f"These prove only that software with {with_these} put them there.", "dim"),
        *certificates(view.links, view.document.time),
        *_habits(view),
    ]


def _identity(view: View) -> list[_Row]:
    rows: list[_Row] = [(item.label, _finding(item)) for item in view.findings]
    if view.document.kind == "enclave":
        rows.append(("mode", _mode(view)))
    return rows


def _finding(item: "Finding") -> Cell:
    tail = f"; {item.remark}" if item.remark else ""
    if item.value is None:
        return Cell(f"unknown: {item.source}{tail}", "warn")
    if item.source.endswith(item.key) and not tail:  # the field itself
        return Cell(item.value)
    return Cell(f"{item.value} ({item.source}: {item.standing.value}{tail})")


def _mode(view: View) -> Value:
    from nitroctl.appraisal.appraise import debug_registers, said_of_debug

    zero = debug_registers(view.document)
    if not zero:
        return Cell("production: PCR0, PCR1 and PCR2 are not zero (documented)")
    return Cell(f"not production: {said_of_debug(view.document, zero)} (documented)", "bad")


def _times(view: View) -> list[_Row]:
    rows: list[_Row] = []
    for item in view.times:
        rows += [(item.label, Cell(_when(item, view.document.time))), ("", _meaning(item))]
    if view.uptime is not None:
        told = f"{span(view.uptime)}: the document's time less the launch, and no firmer than that"
        rows.append(("uptime at document", Cell(told)))
    return rows


def _when(item: "Time", document: "datetime") -> str:
    at = time(item.at) or ""
    if item.key == "document":
        return at
    return f"{at}, {span(item.at - document)} {'before' if item.at <= document else 'after'} the document"


def _meaning(item: "Time") -> Cell:
    return Cell(f"{item.source} ({item.standing.value}): {item.says}. Not {item.not_said}.", "dim")


def _grouped(registers: "Sequence[Register]") -> list[list[_Row]]:
    """Return the rows of each register; neighbours that hold nothing and mean the same share theirs."""
    from nitroctl import pcr

    found: list[list[_Row]] = []
    for _, members in groupby(registers, key=_sort):
        group = list(members)
        first, last = group[0], group[-1]
        name = pcr.name(first.index) if len(group) == 1 else f"{pcr.name(first.index)} to {pcr.name(last.index)}"
        told = f"{first.meaning}; {first.reading}" if first.reading else first.meaning
        style = "bad" if first.agrees is False else "dim" if first.value is None or len(group) > 1 else ""
        if first.standing is not None and first.standing.value != "documented":
            told += f" ({first.standing.value})"
        sentence = Cell(told, "bad" if style == "bad" else "dim")
        if first.state.value == "extended":
            found.append([(name, (first.value or b"").hex()), ("", sentence)])
        else:
            found.append([(name, sentence)])
    return found


def _sort(register: "Register") -> tuple[object, ...]:
    """Return what makes neighbours one group: never for a register that holds something."""
    if register.state.value == "extended":
        return (register.index,)
    return register.state, register.meaning, register.reading


def _roles(view: View) -> list[Block]:
    if not view.roles:
        return []
    rows: list[_Row] = []
    for role in view.roles:
        rows.append((role.arn, Cell("its PCR3 is the document's" if role.matches else "another PCR3")))
        if not role.matches:
            rows.append(("", role.pcr3.hex()))
    return [Fields(rows, title="Roles asked about")]


def _contents(view: View) -> list[_Row]:
    rows: list[_Row] = []
    for name, reading in view.contents.items():
        label = name.replace("_", " ")
        if reading is None or not reading.content:
            rows.append((label, Cell("absent" if reading is None else "present and empty", "dim")))
            continue
        rows += [(label, f"{len(reading.content)} bytes"), *_readings(reading)]
    return rows


def _readings(reading: "Reading") -> list[_Row]:
    rows: list[_Row] = [("  hex", reading.content.hex())]
    if reading.json is not None:
        rows += _lines("  JSON", json.dumps(reading.json, indent=2, ensure_ascii=False))
    elif reading.text is not None:
        rows += _lines("  text", reading.text)
    if reading.cbor is not None:
        rows += _lines("  CBOR", reading.cbor)
    key = reading.key
    if key:
        kms = ", to which AWS KMS can encrypt" if key.serves_kms else ""
        rows += [("  key", f"{key.name}; {key.form}{kms}")]
        rows += [("  SHA-256", f"{key.fingerprint}, of its SubjectPublicKeyInfo")]
    rows += [("  guess", Cell(guess, "dim")) for guess in reading.guesses]
    return rows


def _lines(label: str, text: str) -> list[_Row]:
    """Return a text over as many rows as it has lines, each marked as its own; a last line end stays visible."""
    if "\n" not in text.removesuffix("\n"):
        return [(label, text)]
    more = " " * (len(label) - 1) + "|"
    return [(more if number else label, line) for number, line in enumerate(text.removesuffix("\n").split("\n"))]


def certificates(links: "Sequence[Certificate]", at: "datetime") -> list[Block]:
    """Return the chain as a tree: who, the fingerprint, and where the document's time lies in the period."""
    from nitroctl.evidence.chain import role

    if not links:
        return [Heading("Certificates"), Text("Not every certificate can be read.", "warn")]
    lines: list[tuple[str, Value]] = []
    for depth, link in enumerate(links):
        trunk = "  " * depth + ("│ " if depth < len(links) - 1 else "  ")
        branch = "  " * (depth - 1) + "└ " if depth else ""
        lines += [
            (branch, Cell(f"{role(depth, len(links))}: {_name(link)}")),
            (trunk, link.fingerprint),
            (trunk, Cell(f"{time(link.not_before)} to {time(link.not_after)}", "dim")),
            (f"{trunk}{_bar(link, at)} ", _part(link, at)),
            *((trunk, Cell(f"CRL {address}", "dim")) for address in link.crl_addresses),
        ]
    return [Drawing(lines, title="Certificates, with the SHA-256 of each and the document's time in its period")]


def _name(link: "Certificate") -> str:
    """Return the common name where the rest of the subject is AWS's; the whole subject where it is not."""
    return link.common_name if link.common_name and "O=Amazon" in link.subject_text else link.subject_text


def _bar(link: "Certificate", at: "datetime") -> str:
    """Return a bar of the certificate's period with a dot at the document's time."""
    where = period(link, at)
    if where != "inside":
        line = f"├{'─' * _BAR}┤"
        return f"● {line}" if where == "before" else f"{line} ●"
    span = (link.not_after - link.not_before).total_seconds()
    gone = round((_BAR - 1) * (at - link.not_before).total_seconds() / span) if span else 0
    return f"├{'─' * gone}●{'─' * (_BAR - 1 - gone)}┤"


def _part(link: "Certificate", at: "datetime") -> Value:
    where = period(link, at)
    if where == "before":
        return Cell(f"begins {span(link.not_before - at)} after the document", "bad")
    if where == "after":
        return Cell(f"ended {span(at - link.not_after)} before the document", "bad")
    return Cell(f"{span(at - link.not_before)} in, {span(link.not_after - at)} left", "dim")


def _habits(view: View) -> list[Block]:
    from nitroctl.checks import Outcome, Report

    warned = view.habits.having(Outcome.WARN)
    agree = len(view.habits.having(Outcome.PASS))
    held = f"{agree} of the {agree + len(warned)} that apply agree"
    title = Heading("Cross-checks between the document's own items")
    if not warned:
        return [title, Text(f"{held}.", "dim")]
    return [title, Text(f"{held}; these do not, which warns and proves nothing:"), Checks(Report.of(warned))]


def closest(found: Closest) -> list[Block]:
    """Return what the records say."""
    from nitroctl.appraisal.appraise import listed

    title = Heading(f"Records in {found.file}")
    if found.entry is None:
        none = {
            0: "It has no entry for documents of this kind.",
            1: "Its one entry for documents of this kind does not come near these registers.",
        }
        several = f"None of its {found.count} entries for documents of this kind comes near these registers."
        return [title, Text(none.get(found.count, several), "dim")]
    entry = f"{found.entry.id} ({found.entry.status.value})"
    if found.matches:
        return [title, Text(f"{listed(found.equal)}, all that {entry} pins, are equal.")]
    parts = [f"The nearest is {entry}: of what it pins {listed(found.equal)} {_verb(found.equal, 'is', 'are')} equal"]
    if found.differing:
        parts.append(f"{listed(found.differing)} {_verb(found.differing, 'differs', 'differ')}")
    if found.absent:
        parts.append(f"the document does not have {listed(found.absent)}")
    return [title, Text("; ".join(parts) + ".", "warn")]


def _verb(indexes: Sequence[int], one: str, several: str) -> str:
    return one if len(indexes) == 1 else several


def diagnosis(found: "Diagnosis") -> list[Block]:
    """Return the CBOR in diagnostic notation, where it ends, and what can be read behind that."""
    shown: list[Block] = [Heading("CBOR in diagnostic notation (RFC 8949, section 8)"), Lines(found.text)]
    if found.fault is None:
        return shown
    shown.append(Text(f"Byte {found.fault.offset} is the first that cannot be read: {found.fault.message}.", "bad"))
    if found.rest is None:
        return [*shown, Text("Nothing behind it begins like a field and can be read to the end.", "dim")]
    shown.append(Text(f"From byte {found.rest.offset} on the rest can be read again, its nesting unknown:", "warn"))
    return [*shown, Lines("\n".join(found.rest.items))]
