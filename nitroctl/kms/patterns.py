"""Values of a policy as patterns: ``*`` and ``?``, ``${…}`` variables, and ARNs segment by segment.

Matching takes time proportional to the lengths, whatever the pattern: a policy is hostile until it is checked. Source:
IAM user guide, "IAM JSON policy elements: Resource", "Variables and tags", "Amazon Resource Name (ARN) condition
operators".
"""

import re
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Final

from nitroctl.kms.letters import folded
from nitroctl.kms.truth import Truth, of


class Wild(Enum):
    """A wildcard in a pattern."""

    MANY = "*"
    ONE = "?"


class Unresolved(Enum):
    """Why a variable has no value here."""

    ABSENT = "absent"
    UNKNOWN = "unknown"


#: Characters and wildcards, one by one.
Pattern = Sequence[str | Wild]
#: The value of a condition key that a variable names.
Lookup = Callable[[str], str | Unresolved]

#: Bounded, so that a value of nothing but openings is read in one pass.
_VARIABLE: Final = re.compile(
    r"\$\{(?P<literal>[*?$])\}"
    r"|\$\{\s{0,8}(?P<key>[^\s},${]{1,256})\s{0,8}(?:,\s{0,8}'(?P<default>[^'$]{0,256})'\s{0,8})?\}"
)
_ARN_COLONS: Final = 5
_STARS: Final = re.compile(r"\*+")


def expand(value: str, lookup: Lookup | None, *, wildcards: bool) -> Pattern | Unresolved:
    """Return the pattern that ``value`` writes; with ``lookup`` its variables are put in, as they are literally.

    ``wildcards``: ``*`` and ``?`` stand for other characters. The answer is Unresolved when a variable has no value.
    """
    if lookup is None or "${" not in value:
        return _wild(value) if wildcards else value
    found: list[str | Wild] = []
    end = 0
    for match in _VARIABLE.finditer(value):
        found += _wild(value[end : match.start()]) if wildcards else value[end : match.start()]
        end = match.end()
        if match["literal"]:
            found.append(match["literal"])
            continue
        resolved = lookup(match["key"])
        if resolved is Unresolved.ABSENT and match["default"] is not None:
            resolved = match["default"]
        if isinstance(resolved, Unresolved):
            return resolved
        found += resolved
    found += _wild(value[end:]) if wildcards else value[end:]
    return found


def names(value: str) -> Iterator[str]:
    """Yield the condition keys that ``value`` names as ``${…}``, in lower case; empty for one that cannot be read."""
    read = 0
    for match in _VARIABLE.finditer(value):
        read += 1
        if not match["literal"]:
            yield folded(match["key"])
    if value.count("${") > read:
        yield ""


def _wild(text: str) -> Pattern:
    if "*" not in text and "?" not in text:
        return text
    return [Wild(character) if character in "*?" else character for character in text]


def matches(pattern: Pattern, text: str) -> bool:
    """Whether the whole ``text`` is of the pattern. Case counts."""
    if isinstance(pattern, str):
        return pattern == text
    at = place = 0
    star, resume = -1, 0
    while place < len(text):
        here = pattern[at] if at < len(pattern) else None
        if here is Wild.MANY:
            star, resume = at, place
            at += 1
        elif here is Wild.ONE or here == text[place]:
            at += 1
            place += 1
        elif star >= 0:  # let the last * take one character more
            resume += 1
            at, place = star + 1, resume
        else:
            return False
    return all(rest is Wild.MANY for rest in pattern[at:])


def matches_arn(pattern: Pattern, text: str) -> Truth:
    """Whether the ARN ``text`` is of the pattern, each of the six segments of its own.

    A pattern that matches only when a ``*`` runs across colons is open: what AWS makes of it depends on the service.
    """
    if pattern == "*" or list(pattern) == [Wild.MANY]:
        return Truth.YES
    whole = matches(pattern, text)
    segments, wanted = text.split(":", _ARN_COLONS), _split(pattern)
    if len(segments) == len(wanted):
        each = all(matches(part, segment) for part, segment in zip(wanted, segments, strict=True))
        return Truth.YES if each else of(whole) if not whole else Truth.OPEN
    return Truth.OPEN if whole else Truth.NO


def _split(pattern: Pattern) -> list[Pattern]:
    parts: list[list[str | Wild]] = [[]]
    for piece in pattern:
        if piece == ":" and len(parts) <= _ARN_COLONS:
            parts.append([])
        else:
            parts[-1].append(piece)
    return [part if any(isinstance(piece, Wild) for piece in part) else "".join(map(str, part)) for part in parts]


def matches_action(pattern: str, action: str) -> bool:
    """Whether ``action`` (``kms:Decrypt``) is of the pattern; the case of ASCII letters does not count."""
    return matches(_wild(folded(pattern)), folded(action))


def lines(pattern: str, text: str) -> Sequence[str]:
    """Return the lines of ``text`` that are of the pattern; case counts.

    One search of the whole text, for policies that hold ten thousand patterns: each part between two ``*`` is taken
    where it is found first, which is right for all, and never looked for again.
    """
    pieces = _STARS.split(pattern)
    if "\n" in pattern:
        return ()
    first, *rest = ("".join("." if each == "?" else re.escape(each) for each in piece) for piece in pieces)
    if not rest:
        return re.findall(f"^{first}$", text, re.MULTILINE)
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1])
    return re.findall(f"^{first}{middle}.*{rest[-1]}$", text, re.MULTILINE)
