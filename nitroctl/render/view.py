"""The blocks a command's human answer is made of. Plain data: commands build them, render/human.py draws them.

Every string in a block is taken as untrusted and shown through :func:`nitroctl.render.plain.visible`, except in
:class:`Raw`. No block ever shortens a value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nitroctl.checks import Outcome, Report

Style = Literal["", "good", "bad", "warn", "dim", "strong"]


@dataclass(frozen=True, slots=True)
class Headline:
    """The answer in one line, with its outcome's mark when there is one."""

    text: str
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of the blocks that follow."""

    text: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One styled value."""

    text: str
    style: Style = ""


Value = str | Cell


@dataclass(frozen=True, slots=True)
class Fields:
    """Labels and values, one pair a line, the values aligned."""

    rows: Sequence[tuple[str, Value]]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column names, without borders. On a terminal too narrow for it each row is drawn as fields."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    title: str = ""
    empty: str = "none"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table that grows while people watch: an outcome's mark, then values, each as wide as is said."""

    outcome: Outcome
    values: Sequence[tuple[Value, int]]


@dataclass(frozen=True, slots=True)
class Checks:
    """A report's checks: those that are not PASS with what was found and what to do; PASS ones when ``every``."""

    report: Report
    every: bool = True


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph, wrapped to the width."""

    text: str
    style: Style = ""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines shown as they are (a log, a file), never wrapped."""

    text: str
    style: Style = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Lines of what nitroctl draws (a tree's branches, a bar) and the value behind it.

    The drawn part is nitroctl's own and may use box characters: they become ASCII where they cannot be written.
    """

    lines: Sequence[tuple[str, Value]]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Diff:
    """A unified diff, coloured by line."""

    text: str


@dataclass(frozen=True, slots=True)
class Raw:
    """Text that nitroctl made itself and that is the answer (a policy, a script): written byte for byte."""

    text: str


Block = Headline | Heading | Fields | Table | Row | Checks | Text | Lines | Drawing | Diff | Raw
