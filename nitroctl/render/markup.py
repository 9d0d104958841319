"""HTML built so that text cannot become markup: every string is escaped unless it was made here.

Control, bidirectional and other unprintable characters are shown as escapes first, as everywhere.
"""

import html
from collections.abc import Iterable

from nitroctl.render.plain import visible


class Html(str):
    """Text that is markup already. Only this module makes it."""

    __slots__ = ()


def text(content: str) -> Html:
    """Return ``content``, from whomever, as markup that shows it and does nothing else."""
    return Html(html.escape(visible(content), quote=True))


def el(name: str, /, *children: str, **attributes: str | float) -> Html:
    """Return the element ``name`` with its children; strings that are not :class:`Html` are escaped.

    Attributes are escaped always. ``cls`` is written ``class``, an underscore in a name as a hyphen.
    """
    written = "".join(
        f' {"class" if key == "cls" else key.replace("_", "-")}="{text(_number(value))}"'
        for key, value in attributes.items()
        if value != ""
    )
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def void(name: str, /, **attributes: str | float) -> Html:
    """Return an element that has no content and no end (``meta``)."""
    return Html(el(name, **attributes).removesuffix(f"</{name}>"))


def join(children: Iterable[str]) -> Html:
    """Return the children one after another, what is not :class:`Html` escaped."""
    return Html("".join(child if isinstance(child, Html) else text(child) for child in children))


def style(sheet: str) -> Html:
    """Return a style element holding our own ``sheet`` byte for byte, so that its hash can be allowed by name."""
    return Html(f"<style>{sheet}</style>")


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
