"""The survey's report for people: one HTML file with a timeline, complete in itself.

No script, nothing loaded from anywhere: the page's own policy forbids everything but its one style sheet, by hash.
What a document says is escaped wherever it stands. Positions are shares of the width, so that the drawing fits a
narrow window and paper alike.
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
from nitroctl.evidence.survey import Enclave, Group, Image, Seen, Survey
from nitroctl.render.markup import Html, el, join, style, void
from nitroctl.render.timeline_scale import Episode, Scale, episodes, marks
from nitroctl.render.timeline_style import SHEET

#: Every report begins with this, so that a report may be written over an older one, and over nothing else.
BEGINNING: Final = "<!DOCTYPE html>\n<!-- nitroctl attest survey -->\n"
#: The most that is drawn or listed; the page says what was left out.
MOST_EPISODES, MOST_ROWS, MOST_LISTED, MOST_NAMED = 120, 200, 1000, 12

_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(SHEET.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'"
)
_WIDE_ROWS: Final = 3


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
            _symbols(),
            el(
                "main",
                *self._heading(),
                *_anomalies(self.findings),
                *(_timeline(self.survey, flagged) if self.survey.documents else ()),
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
        made = f"{_count(count, 'authentic document')}, judged {self.judged}"
        when = [", ", el("span", f"{_minute(span[0])} to {_minute(span[1])} UTC", cls="nowrap")] if span else []
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
            if len(mine) <= MOST_NAMED
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
            listed if few else _folded(_count(len(finding.documents), "document"), listed),
        ]
    )


def _folded(label: str, content: Html) -> Html:
    return el("details", el("summary", label), content)


def _omitted(count: int, thing: str) -> Iterator[Html]:
    if count > MOST_LISTED:
        yield el("p", f"{count - MOST_LISTED} more {thing}s are not listed here; --json has them.", cls="soft")


def _timeline(survey: Survey, flagged: dict[Seen, list[Anomaly]]) -> Iterator[Html]:
    found = episodes(survey.documents)
    yield el("h2", "Timeline")
    yield el(
        "p",
        "Times are UTC. A bar is the period of the leaf certificate that signed; a new panel begins where no such "
        "period lies within twelve hours.",
        cls="soft",
    )
    yield _legend()
    if len(found) > 1:
        yield el("section", _overview(survey, flagged), cls="panel overview")
    drawn = found[-MOST_EPISODES:]
    if len(drawn) < len(found):
        yield el(
            "p", f"The earlier {len(found) - len(drawn)} panels are not drawn; survey a part of the heap to see them."
        )
    panels = [_panel(episode, flagged, alone=len(found) == 1) for episode in drawn]
    yield el("div", *panels, cls="panels")


def _overview(survey: Survey, flagged: dict[Seen, list[Anomaly]]) -> Html:
    scale = Scale.around(seen.time for seen in survey.documents)
    return join(
        [
            el("header", el("h3", "All documents"), el("span", _reach(scale), cls="soft small")),
            el("svg", _base(), *_grid(scale), *_marks(scale, survey.documents, flagged), cls="plot tall"),
            _axis(scale),
        ]
    )


def _panel(episode: Episode, flagged: dict[Seen, list[Anomaly]], *, alone: bool) -> Html:
    rows: dict[Enclave, list[Seen]] = {}
    for seen in episode.documents:
        rows.setdefault(seen.enclave, []).append(seen)
    order = sorted(rows, key=lambda enclave: (rows[enclave][0].time, enclave.module_id))
    if len(order) > MOST_ROWS:  # those that stand out, then those with most documents
        weight = {one: (any(seen in flagged for seen in rows[one]), len(rows[one])) for one in order}
        order = [one for one in order if one in sorted(order, key=lambda one: weight[one], reverse=True)[:MOST_ROWS]]
    by_instance: dict[str, list[Enclave]] = {}
    for enclave in order:
        by_instance.setdefault(enclave.instance_id or "unknown instance", []).append(enclave)
    drawn: list[Html] = []
    for instance_id, enclaves in by_instance.items():
        regions = sorted({seen.region for enclave in enclaves for seen in rows[enclave] if seen.region})
        drawn.append(
            el("div", el("code", instance_id), " ", el("span", ", ".join(regions), cls="soft"), cls="instance")
        )
        drawn += [_row(episode.scale, enclave, rows[enclave], flagged) for enclave in enclaves]
    if len(rows) > len(order):
        drawn.append(
            el(
                "p",
                f"{len(rows) - len(order)} more rows are not drawn; survey a part of the heap to see them.",
                cls="soft",
            )
        )
    days = (episode.scale.end - episode.scale.begin).days
    documents = _count(len(episode.documents), "document")
    return el(
        "section",
        el("header", el("h3", _reach(episode.scale)), el("span", documents, cls="soft small")),
        *drawn,
        _axis(episode.scale),
        cls="panel wide" if alone or days or len(order) >= _WIDE_ROWS else "panel",
    )


def _row(scale: Scale, enclave: Enclave, documents: Sequence[Seen], flagged: dict[Seen, list[Anomaly]]) -> Html:
    suffix = enclave.module_id.removeprefix(f"{enclave.instance_id}-")
    debug = all(seen.registers.image.debug for seen in documents)
    kinds = {anomaly for seen in documents for anomaly in flagged.get(seen, ()) if anomaly is not DEBUG}
    tags = [el("span", "DEBUG", cls="tag debug")] if debug else []
    tags += [el("span", "TPM", cls="tag")] if enclave.kind is Kind.NITROTPM else []
    tags += [
        el("a", el("span", anomaly.id.removeprefix("survey."), cls="tag bad"), href=f"#{anomaly.id.replace('.', '-')}")
        for anomaly in ANOMALIES
        if anomaly in kinds
    ]
    bars = []
    for leaf in sorted({seen.leaf for seen in documents}, key=lambda leaf: leaf.begins):
        left, right = scale.share(leaf.begins), scale.share(leaf.ends)
        hint = f"leaf certificate, {instant(leaf.begins)} to {instant(leaf.ends)}"
        bar = el(
            "rect",
            el("title", hint),
            x=f"{left:.3%}",
            y=10,
            width=f"{max(right - left, 0.001):.3%}",
            height=12,
            rx=2,
            cls="leaf debug" if debug else "leaf",
        )
        bars.append(bar)
    launch = []
    if enclave.launched and scale.begin <= enclave.launched <= scale.end:
        hint = f"launched {instant(enclave.launched)}, by the enclave id (an undocumented habit of AWS's)"
        launch = [_use("launch", scale.share(enclave.launched), hint)]
    return el(
        "div",
        el("div", el("code", suffix), *tags, cls="label"),
        el("svg", _base(), *_grid(scale), *bars, *launch, *_marks(scale, documents, flagged), cls="plot"),
        cls="row",
    )


def _marks(scale: Scale, documents: Sequence[Seen], flagged: dict[Seen, list[Anomaly]]) -> Iterator[Html]:
    for share, members in marks(scale, documents):
        debug = [seen for seen in members if seen.registers.image.debug]
        hint = _hint(members, flagged)
        if len(debug) < len(members):
            yield _use("prod", share, hint)
        if debug:
            yield _use("debug", share, hint)
        if any(anomaly is not DEBUG for seen in members for anomaly in flagged.get(seen, ())):
            yield _use("flag", share, hint)


def _hint(members: Sequence[Seen], flagged: dict[Seen, list[Anomaly]]) -> str:
    """Return what is said of a mark when one points at it."""
    said = []
    for seen in members[:MOST_NAMED]:
        ids = ", ".join(anomaly.id for anomaly in flagged.get(seen, ()))
        said.append(f"{instant(seen.time)} {seen.name}" + (f" ({ids})" if ids else ""))
    more = f" · and {len(members) - MOST_NAMED} more" if len(members) > MOST_NAMED else ""
    return " · ".join(said) + more


def _use(symbol: str, share: float, hint: str) -> Html:
    return el("g", el("title", hint), el("use", href=f"#{symbol}", x=f"{share:.3%}"), cls="mark")


def _base() -> Html:
    return el("line", x1="0", x2="100%", y1=16, y2=16, cls="base")


def _grid(scale: Scale) -> list[Html]:
    return [
        el("line", x1=f"{share:.3%}", x2=f"{share:.3%}", y1=0, y2="100%", cls="grid") for share, _ in scale.ticks(6)
    ]


def _axis(scale: Scale) -> Html:
    marked = []
    for number, (share, label) in enumerate(scale.ticks(6)):
        anchor = "start" if share < 0.04 else "end" if share > 0.96 else "middle"  # noqa: PLR2004  (labels stay inside)
        shown = el("text", label, x=f"{share:.3%}", y=13, text_anchor=anchor)
        marked.append(el("g", shown, cls="tick minor" if number % 2 else "tick"))
    return el("svg", *marked, cls="axis")


def _symbols() -> Html:
    """Return the marks' shapes, drawn once: production is filled, debug hollow and dashed, also without colour."""
    shapes = (
        el("line", x1=0, x2=0, y1=6, y2=26) + el("circle", cx=0, cy=5, r=3.2),
        el("line", x1=0, x2=0, y1=8, y2=26, stroke_dasharray="3 2") + el("path", d="M0 0 L4.5 5 L0 10 L-4.5 5 Z"),
        el("path", d="M0 19 L5.5 28 L-5.5 28 Z"),
        el("path", d="M-3.5 11 L3.5 16 L-3.5 21 Z"),
    )
    names = ("prod", "debug", "flag", "launch")
    drawn = [el("g", Html(shape), id=name, cls=f"mark-{name}") for name, shape in zip(names, shapes, strict=True)]
    hatch = el(
        "pattern",
        el("rect", width=6, height=6, cls="hatch-ground"),
        el("line", x1=0, x2=0, y1=0, y2=6, cls="hatch-line"),
        id="hatch",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    return el("svg", el("defs", hatch, *drawn), width=0, height=0, aria_hidden="true")


def _legend() -> Html:
    def mark(symbol: str) -> Html:
        return el("svg", el("use", href=f"#{symbol}", x="50%"), aria_hidden="true")

    def bar(kind: str) -> Html:
        return el("svg", el("rect", x=1, y=7, width=36, height=12, rx=2, cls=kind), cls="bar", aria_hidden="true")

    return el(
        "div",
        el("span", mark("prod"), "document"),
        el("span", mark("debug"), "document of a debug-mode enclave"),
        el("span", mark("flag"), "another anomaly"),
        el("span", mark("launch"), "launch, by the enclave id"),
        el("span", bar("leaf"), "leaf certificate's period"),
        el("span", bar("leaf debug"), "the same, debug mode"),
        cls="legend",
    )


_NUMBERS: Final = ("documents", "enclaves", "debug", "from, to")


def _numbers(group: Group) -> tuple[Html | str, ...]:
    first, last = _minute(group.first), _minute(group.last)
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
                el("td", cell if isinstance(cell, Html) else el("span", cell), cls=kind, data_name=column)
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


def _minute(at: object) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _reach(scale: Scale) -> str:
    same = scale.first.date() == scale.last.date()
    return (
        f"{_minute(scale.first)} to {scale.last:%H:%M}" if same else f"{_minute(scale.first)} to {_minute(scale.last)}"
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
