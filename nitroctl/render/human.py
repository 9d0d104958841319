"""Draw blocks for people. The only module that knows rich; it decides wrapping and colour, never content.

Values are never shortened: a line longer than the terminal is left to the terminal, so that a digest can be copied
in one piece. Tables have no borders; where one does not fit, its rows are drawn as fields.
"""

import functools
import io
from collections.abc import Iterable, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text as RichText

from nitroctl.checks import Check, Outcome, Report
from nitroctl.render.plain import encodable, inert, visible, visible_lines
from nitroctl.render.view import (
    Block,
    Cell,
    Checks,
    Diff,
    Drawing,
    Fields,
    Heading,
    Headline,
    Lines,
    Raw,
    Row,
    Style,
    Table,
    Text,
    Value,
)

_STYLES: Final[dict[Style, str]] = {
    "": "",
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "dim": "dim",
    "strong": "bold",
}
_OUTCOME_STYLES: Final[dict[Outcome, Style]] = {
    Outcome.PASS: "good",
    Outcome.FAIL: "bad",
    Outcome.WARN: "warn",
    Outcome.SKIP: "dim",
}
_GLYPHS: Final = {Outcome.PASS: "✓", Outcome.FAIL: "✗", Outcome.WARN: "!", Outcome.SKIP: "–"}
_WORDS: Final = {Outcome.PASS: "ok", Outcome.FAIL: "FAIL", Outcome.WARN: "warn", Outcome.SKIP: "skip"}
_TEXT_WIDTH: Final = 100
#: What is drawn, for streams that cannot write box characters.
_ASCII: Final = str.maketrans("├└─│┤●", "[`-|]*")
#: Columns beside the labels below which values are not wrapped.
_NARROWEST: Final = 24


class Screen:
    """What one answer looks like on a stream with a given width, colours and character set."""

    def __init__(self, *, colour: bool, width: int | None, encoding: str) -> None:
        """Draw for ``width`` columns, None for unlimited (a pipe), with characters that ``encoding`` can write."""
        self._encoding = encoding
        self._colour = colour
        self._unicode = encodable("✓✗–", encoding) == "✓✗–"
        self._width = width
        self._text = io.StringIO()

    @functools.cached_property
    def _console(self) -> Console:
        return Console(
            file=self._text,
            force_terminal=self._colour,
            no_color=not self._colour,
            color_system="standard" if self._colour else None,
            width=self._width or 100_000,
            height=100,
            markup=False,
            highlight=False,
            emoji=False,
            legacy_windows=False,
            _environ={},
        )

    def draw(self, blocks: Iterable[Block]) -> str:
        """Return the blocks in order, an empty line before each heading and titled block."""
        first = True
        for block in blocks:
            if not first and not isinstance(block, Raw) and _starts_section(block):
                self._line("")
            first = False
            self._draw(block)
        return self._text.getvalue()

    def _draw(self, block: Block) -> None:  # noqa: C901  (one arm per block)
        match block:
            case Headline(text, outcome):
                mark = f"{self._mark(outcome)} " if outcome else ""
                style = _OUTCOME_STYLES[outcome] if outcome else "strong"
                self._wrapped(f"{mark}{visible(text)}", style="bad" if style == "bad" else style, hang=len(mark))
            case Heading(text):
                self._line(visible(text), "strong")
            case Fields(rows, title):
                self._title(title)
                self._fields(rows, indent=2 if title else 0)
            case Table():
                self._title(block.title)
                self._table(block)
            case Row(outcome, values):
                self._row(outcome, values)
            case Checks(report, every):
                self._checks(report, every=every)
            case Text(text, style):
                self._wrapped(visible(text), style=style)
            case Lines(text, style):
                for line in visible_lines(text):
                    self._line(line, style)
            case Drawing(lines, title):
                self._title(title)
                self._drawing(lines)
            case Diff(text):
                self._diff(text)
            case Raw(text):
                self._text.write(encodable(text, self._encoding))

    def _mark(self, outcome: Outcome) -> str:
        return _GLYPHS[outcome] if self._unicode else _WORDS[outcome]

    def _line(self, text: str, style: Style = "") -> None:
        if not self._colour:
            self._plain(inert(text))
            return
        self._console.print(
            RichText(encodable(inert(text), self._encoding), style=_STYLES[style], end=""), soft_wrap=True, end="\n"
        )

    def _plain(self, text: str) -> None:
        """Write a line without colours: what rich would make of it, without asking it. There can be many."""
        self._text.write(encodable(text, self._encoding) + "\n")

    def _segments(self, segments: Sequence[tuple[str, Style]]) -> None:
        if not self._colour:
            shown = ""
            for text, _ in segments:
                shown += text.replace("##[", "#\\x23[") if shown.strip() else inert(text)
            self._plain(shown.rstrip())
            return
        line = RichText(end="")
        for text, style in segments:
            shown = text.replace("##[", "#\\x23[") if line.plain.strip() else inert(text)
            line.append(encodable(shown, self._encoding), style=_STYLES[style])
        line.rstrip()
        self._console.print(line, soft_wrap=True, end="\n")

    def _title(self, title: str) -> None:
        if title:
            self._line(visible(title), "strong")

    def _wrapped(self, text: str, *, style: Style = "", indent: int = 0, hang: int = 0) -> None:
        """Write a paragraph wrapped at words to the width; a word longer than the width stays whole."""
        width = min(self._width, _TEXT_WIDTH) if self._width else 0
        for number, line in enumerate(wrap(text, width - indent, hang) if width else [text]):
            self._line(" " * (indent + (hang if number else 0)) + line, style)

    def _fields(self, rows: Sequence[tuple[str, Value]], *, indent: int) -> None:
        labels = max((cell_len(visible(label)) for label, _ in rows), default=0)
        for label, value in rows:
            shown = visible(label)
            pad = " " * (labels - cell_len(shown) + 2)
            cell = _cell(value)
            start = " " * indent + shown + pad
            first, *rest = self._value_lines(visible(cell.text), len(start))
            self._segments([(start, "dim"), (first, cell.style)])
            for line in rest:
                self._segments([(" " * (indent + labels + 2) + line, cell.style)])

    def _value_lines(self, text: str, taken: int) -> list[str]:
        """Return a value as lines beside its label; only spaces are broken at, so a digest stays in one piece."""
        room = (self._width or 0) - taken
        return wrap(text, room) if room >= _NARROWEST and cell_len(text) > room else [text]

    def _table(self, table: Table) -> None:
        if not table.rows:
            self._line(visible(table.empty), "dim")
            return
        rows = [[_cell(value) for value in row] for row in table.rows]
        texts = [[visible(cell.text) for cell in row] for row in rows]
        names = [visible(column) for column in table.columns]
        columns = range(len(names))
        widths = [max(cell_len(names[i]), *(cell_len(row[i]) for row in texts)) for i in columns]
        if self._width and sum(widths) + 2 * (len(widths) - 1) > self._width:
            for number, row in enumerate(table.rows):
                if number:
                    self._line("")
                self._fields(list(zip(names, row, strict=True)), indent=0)
            return
        self._segments([(names[i] + " " * (widths[i] - cell_len(names[i]) + 2), "dim") for i in columns])
        for row, shown in zip(rows, texts, strict=True):
            self._segments([(shown[i] + " " * (widths[i] - cell_len(shown[i]) + 2), row[i].style) for i in columns])

    def _drawing(self, lines: Sequence[tuple[str, Value]]) -> None:
        for drawn, value in lines:
            cell = _cell(value)
            art = drawn if self._unicode else drawn.translate(_ASCII)
            self._segments([(art, "dim"), (visible(cell.text), cell.style)])

    def _checks(self, report: Report, *, every: bool) -> None:
        for check in report:
            if every or check.outcome is not Outcome.PASS:
                self._check(check)

    def _row(self, outcome: Outcome, values: Sequence[tuple[Value, int]]) -> None:
        mark = self._mark(outcome)
        segments: list[tuple[str, Style]] = [(f"{mark} " if self._unicode else f"{mark:<4} ", _OUTCOME_STYLES[outcome])]
        for value, width in values:
            cell = _cell(value)
            shown = visible(cell.text)
            segments.append((shown + " " * max(2, width - cell_len(shown) + 2), cell.style))
        self._segments(segments)

    def _check(self, check: Check) -> None:
        mark = self._mark(check.outcome)
        style = _OUTCOME_STYLES[check.outcome]
        self._segments([(f"{mark:<4} " if not self._unicode else f"{mark} ", style), (visible(check.title), "")])
        indent = 2 if self._unicode else 5
        if check.outcome is Outcome.PASS:
            return
        if check.detail:
            self._wrapped(visible(check.detail), indent=indent)
        if check.expected is not None:
            self._line(f"{' ' * indent}expected  {visible(check.expected)}")
        if check.actual is not None:
            self._line(f"{' ' * indent}actual    {visible(check.actual)}")
        if check.remedy and check.outcome in (Outcome.FAIL, Outcome.WARN):
            self._wrapped(visible(f"fix: {check.remedy}"), indent=indent)
        self._line(f"{' ' * indent}[{check.id}]", "dim")

    def _diff(self, text: str) -> None:
        styles: dict[str, Style] = {"+": "good", "-": "bad", "@": "dim"}
        for line in visible_lines(text):
            self._line(line, styles.get(line[:1], ""))


def _starts_section(block: Block) -> bool:
    return isinstance(block, Heading) or bool(getattr(block, "title", ""))


def _cell(value: Value) -> Cell:
    return value if isinstance(value, Cell) else Cell(value)


def wrap(text: str, width: int, hang: int = 0) -> list[str]:
    """Return ``text`` as lines of at most ``width`` columns, broken at spaces only; later lines lose ``hang``."""
    line, *words = text.split(" ")
    lines: list[str] = []
    for word in words:
        candidate = f"{line} {word}"
        if cell_len(candidate) > width - (hang if lines else 0):
            lines.append(line)
            line = word
        else:
            line = candidate
    return [*lines, line]
