"""The survey's report for people: one HTML file with a timeline, complete in itself.

No script, nothing loaded from anywhere: the page's own policy forbids everything but its one style sheet, by hash.
What a document says is escaped wherever it stands.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from nitroctl import __version__, pcr
from nitroctl.evidence import survey as surveys
from nitroctl.evidence.anomalies import ANOMALIES, DEBUG, Anomaly, Finding
from nitroctl.evidence.chain import instant
from nitroctl.evidence.document import Kind
from nitroctl.evidence.survey import Group, Image, Seen, Survey
from nitroctl.render.markup import Html, el, join, style, void
from nitroctl.render.timeline import counted, minute, symbols, timeline
from nitroctl.render.timeline_style import SHEET

#: Every report begins with this, so that a report may be written over an older one, and over nothing else.
BEGINNING: Final = "<!DOCTYPE html>\n<!-- nitroctl attest survey -->\n"
#: The most rows of a list, and findings that are not folded; the page says what was left out.
MOST_LISTED, _MOST_OPEN = 1000, 12

_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(SHEET.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the report shows. ``judged``: at which time, in words. ``refused``: name, check and sentence of each.

    ``unread``: name of an input, and why it could not be read.
    """

    survey: Survey
    findings: Sequence[Finding]
    judged: str
    refused: Sequence[tuple[str, str, str]] = ()
    unread: Sequence[tuple[str, str]] = ()

    def html(self) -> bytes:
        """Return the whole page in UTF-8; the same heap gives the same bytes."""
        flagged: dict[Seen, list[Anomaly]] = {}
        for finding in self.findings:
            for seen in finding.documents:
                flagged.setdefault(seen, []).append(finding.anomaly)
        head = el(
            "head",
            void("meta", charset="utf-8"),
            void("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            void("meta", name="referrer", content="no-referrer"),
            void("meta", name="viewport", content="width=device-width, initial-scale=1"),
            el("title", "Attestation survey"),
            style(SHEET),
        )
        body = el(
            "body",
            symbols(),
            el(
                "main",
                *self._heading(),
                *_anomalies(self.findings),
                *(timeline(self.survey, flagged) if self.survey.documents else ()),
                *self._tables(),
                *self._left_out(),
                _footer(),
            ),
        )
        return (BEGINNING + el("html", head, body, lang="en") + "\n").encode()

    def _heading(self) -> Iterator[Html]:
        survey, span = self.survey, self.survey.span
        count = len(survey.documents)
        yield el("h1", "Attestation survey")
        made = f"{counted(count, 'authentic document')}, judged {self.judged}"
        when = [", ", el("span", f"{minute(span[0])} to {minute(span[1])} UTC", cls="nowrap")] if span else []
        yield el("p", made, *when, ".")
        yield el(
            "p",
            "Everything here comes from authentic documents, except the list of those that were refused.",
            cls="soft",
        )
        debug = sum(seen.registers.image.debug for seen in survey.documents)
        images = {seen.registers.image for seen in survey.documents if not seen.registers.image.debug}
        kinds = {finding.anomaly for finding in self.findings}
        cards = [
            ("authentic documents", str(count), ""),
            ("refused", str(len(self.refused)), "bad" if self.refused else ""),
            ("kinds of anomaly", str(len(kinds)), "bad" if kinds else ""),
            ("in debug mode", f"{debug} of {count}", "warn" if debug else ""),
            ("images", str(len(images)), ""),
            ("enclaves and TPMs", str(len(survey.enclaves)), ""),
            ("instances", str(len({one.instance_id for one in survey.enclaves.values() if one.instance_id})), ""),
            ("regions", str(len({seen.region for seen in survey.documents if seen.region})), ""),
        ]
        shown = [
            el("div", el("b", number), el("span", label), cls=f"card {mood}".strip()) for label, number, mood in cards
        ]
        yield el("div", *shown, cls="cards")

    def _tables(self) -> Iterator[Html]:
        survey = self.survey
        if not survey.documents:
            return
        yield from _images(survey)
        yield from _registers(survey)
        rows: list[tuple[Html | str, ...]] = [
            (region or "unknown", root.partition or f"{root.name}, not an AWS root", *_numbers(group))
            for (region, root), group in survey.grouped(surveys.place).items()
        ]
        yield from _table("Regions", ("region", "partition", *_NUMBERS), rows)
        rows = [
            (_mono(instance or "unknown"), region or "unknown", *_numbers(group))
            for (instance, region), group in survey.grouped(surveys.instance).items()
        ]
        yield from _table("Instances", ("instance", "region", *_NUMBERS), rows)

    def _left_out(self) -> Iterator[Html]:
        rows: list[tuple[Html | str, ...]] = [
            (_mono(name), _mono(check), sentence) for name, check, sentence in self.refused
        ]
        note = "Not authentic, so of no account in anything above."
        yield from _table("Refused", ("document", "check", "reason"), rows, note)
        rows = [(_mono(name), sentence) for name, sentence in self.unread]
        yield from _table("Not read", ("input", "reason"), rows)


def _anomalies(findings: Sequence[Finding]) -> Iterator[Html]:
    yield el("h2", "Anomalies")
    if not findings:
        yield el("p", "None: nothing in the authentic documents contradicts the rest.")
        return
    yield el("p", "An anomaly is a reason to look, not a verdict: every document concerned is authentic.", cls="soft")
    for anomaly in ANOMALIES:
        mine = [finding for finding in findings if finding.anomaly is anomaly]
        if not mine:
            continue
        documents = {seen for finding in mine for seen in finding.documents}
        items = [el("li", _finding(finding)) for finding in mine[:MOST_LISTED]]
        listed = el("ul", *items)
        yield el(
            "section",
            el("h3", f"{anomaly.name[:1].upper()}{anomaly.name[1:]} ", el("code", anomaly.id, cls="soft")),
            el("p", anomaly.meaning),
            listed
            if len(mine) <= _MOST_OPEN
            else _folded(f"{len(mine)} findings in {len(documents)} documents", listed),
            *_omitted(len(mine), "finding"),
            cls="anomaly debug" if anomaly is DEBUG else "anomaly",
            id=anomaly.id.replace(".", "-"),
        )


def _finding(finding: Finding) -> Html:
    names = [
        el("li", el("code", seen.name), " ", el("span", instant(seen.time), cls="soft small"))
        for seen in finding.documents[:MOST_LISTED]
    ]
    listed = join([el("ul", *names), *_omitted(len(finding.documents), "document")])
    few = len(names) <= 4  # noqa: PLR2004  (what is read at a glance)
    return join(
        [
            el("div", finding.detail),
            el("code", finding.subject, cls="soft"),
            listed if few else _folded(counted(len(finding.documents), "document"), listed),
        ]
    )


def _folded(label: str, content: Html) -> Html:
    return el("details", el("summary", label), content)


def _omitted(count: int, thing: str) -> Iterator[Html]:
    if count > MOST_LISTED:
        yield el("p", f"{count - MOST_LISTED} more {thing}s are not listed here; --json has them.", cls="soft")


_NUMBERS: Final = ("documents", "enclaves", "debug", "from, to")


def _numbers(group: Group) -> tuple[Html | str, ...]:
    first, last = minute(group.first), minute(group.last)
    when = first if first == last else join([el("div", first), el("div", last)])
    return str(group.documents), str(group.enclaves), str(group.debug), when


def _images(survey: Survey) -> Iterator[Html]:
    records: dict[Image, dict[str, str]] = {}
    for seen in survey.documents:
        named = records.setdefault(seen.registers.image, {})
        named.update({entry.id: entry.status.value for entry in seen.registers.records})
    rows: list[tuple[Html | str, ...]] = []
    groups = survey.grouped(surveys.image)
    for image, group in groups.items():
        pairs = [
            part
            for index, value in image.pcrs.items()
            for part in (el("span", pcr.name(index), cls="soft small"), el("code", value.hex()))
        ]
        tags = [
            el("span", f"{name}, {status}", cls="tag good" if status == "active" else "tag bad")
            for name, status in records[image].items()
        ]
        if image.debug:
            tags.append(el("span", "debug mode: no image attested", cls="tag debug"))
        if image.kind is Kind.NITROTPM:
            tags.append(el("span", "NitroTPM", cls="tag"))
        rows.append((join([*tags, el("div", *pairs, cls="registers")]), *_numbers(group)))
    yield from _table("Images", ("registers", *_NUMBERS), rows)


def _registers(survey: Survey) -> Iterator[Html]:
    """Return the tables of kernels, roles and signers: what PCR1, PCR3 and PCR8 of the enclaves hold."""
    tables = (
        ("Kernels", "PCR1", "zero: debug mode", surveys.kernel),
        ("Roles", "PCR3", "zero: the parent has no role", surveys.role),
        ("Signers", "PCR8", "zero: the image is not signed, or debug mode", surveys.signer),
    )
    for title, name, zero, key in tables:
        rows = [
            (_mono(value.hex()) if value else zero, *_numbers(group))
            for value, group in survey.grouped(key, Kind.ENCLAVE).items()
        ]
        yield from _table(title, (name, *_NUMBERS), rows)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Html | str]], note: str = "") -> Iterator[Html]:
    if not rows:
        return
    kinds = {"documents": "number", "enclaves": "number", "debug": "number", "from, to": "time"}
    classes = [
        kinds.get(column, "wide-text" if number in (0, len(columns) - 1) else "")
        for number, column in enumerate(columns)
    ]
    head = [
        el("th", column, cls=kind if kind == "number" else "") for column, kind in zip(columns, classes, strict=True)
    ]
    body = [
        el(
            "tr",
            *(
                el("td", el("div", cell), cls=kind, data_name=column)
                for cell, kind, column in zip(row, classes, columns, strict=True)
            ),
        )
        for row in rows[:MOST_LISTED]
    ]
    yield el("h2", title)
    if note:
        yield el("p", note, cls="soft")
    yield el("div", el("table", el("thead", el("tr", *head)), el("tbody", *body), cls="stack"), cls="scroll")
    yield from _omitted(len(rows), "row")


def _footer() -> Html:
    return el(
        "footer",
        f"Made by nitroctl {__version__}. This page runs no script and loads nothing; hold the pointer over a mark for "
        "its document. Launch times and the leaf's time of issue are read from ids and serial numbers, an undocumented "
        "habit of AWS's.",
    )


def _mono(content: str) -> Html:
    return el("code", content)
