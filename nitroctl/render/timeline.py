"""The survey's timeline: a panel for every episode, a row for every enclave, a mark for every document.

Inline SVG without a script. Positions are shares of the width, so that the drawing fits a narrow window and paper
alike; debug mode differs in shape and pattern as well as in colour.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from nitroctl.evidence.anomalies import ANOMALIES, DEBUG, Anomaly
from nitroctl.evidence.chain import instant
from nitroctl.evidence.document import Kind
from nitroctl.evidence.survey import Enclave, Seen, Survey
from nitroctl.render.markup import Html, el, join
from nitroctl.render.timeline_scale import Episode, Scale, episodes, marks

#: The most panels, rows of a panel, and documents named at one mark; the page says what was left out.
MOST_EPISODES, MOST_ROWS, MOST_NAMED = 120, 200, 12
_WIDE_ROWS: Final = 3


def timeline(survey: Survey, flagged: dict[Seen, list[Anomaly]]) -> Iterator[Html]:
    """Yield the section; ``flagged``: the anomalies of each document that has any. There must be a document."""
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
    documents = counted(len(episode.documents), "document")
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


def symbols() -> Html:
    """Return the marks' shapes, to stand once in the page: a document's is filled, in debug mode hollow and dashed."""
    shapes = (
        (el("line", x1=0, x2=0, y1=6, y2=26), el("circle", cx=0, cy=5, r=3.2)),
        (el("line", x1=0, x2=0, y1=8, y2=26, stroke_dasharray="3 2"), el("path", d="M0 0 L4.5 5 L0 10 L-4.5 5 Z")),
        (el("path", d="M0 19 L5.5 28 L-5.5 28 Z"),),
        (el("path", d="M-3.5 11 L3.5 16 L-3.5 21 Z"),),
    )
    names = ("prod", "debug", "flag", "launch")
    drawn = [el("g", *shape, id=name, cls=f"mark-{name}") for name, shape in zip(names, shapes, strict=True)]
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


def _reach(scale: Scale) -> str:
    same = scale.first.date() == scale.last.date()
    return f"{minute(scale.first)} to {scale.last:%H:%M}" if same else f"{minute(scale.first)} to {minute(scale.last)}"


def minute(at: datetime) -> str:
    """Return a time as people read it, to the minute."""
    return f"{at:%Y-%m-%d %H:%M}"


def counted(number: int, thing: str) -> str:
    """Return ``1 document``, ``2 documents``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
