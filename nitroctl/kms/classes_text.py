"""Texts that patterns tell apart: for every set of patterns that some text matches and no other pattern does, one text.

The patterns run side by side over all texts of a shape (any text, 96 hexadecimal digits, the ARN of a role). A text's
future depends only on where each pattern stands, so that a breadth-first walk over the places of all of them, one
character each, meets every combination of answers that any text gives. Characters that no pattern has are all alike;
one stands for them. Source: the usual product construction of finite automata.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from nitroctl.kms.classes_budget import Budget
from nitroctl.kms.letters import folded
from nitroctl.kms.patterns import Pattern, Wild

#: Characters that may stand for all that no pattern has, in this order.
_OTHERS: Final = "xyzqwvkj0123456789XYZQWVKJ-_=+~!#%&"
_ARN_COLONS: Final = 5
_OUTSIDE: Final = (None, None)
#: Places of a pattern with which a step takes as much again.
_WIDE: Final = 256


@dataclass(frozen=True, slots=True)
class Language:
    """A set of texts, as places in a pattern. ``caseless``: case does not count.

    ``steps``: for each character that is not like all others, which places it moves on, and in which it may stay.
    """

    caseless: bool
    start: int
    accept: int
    stars: int
    steps: Mapping[str, tuple[int, int]]
    other: tuple[int, int]

    def step(self, places: int, character: str) -> int:
        """Return the places after one character more."""
        on, stay = self.steps.get(folded(character) if self.caseless else character, self.other)
        found = ((places & on) << 1) | (places & stay)
        return found | ((found & self.stars) << 1)

    def accepts(self, places: int) -> bool:
        """Whether a text that ends here is in the set."""
        return bool(places & self.accept)

    def has(self, text: str) -> bool:
        """Whether a text is in the set."""
        places = self.start
        for character in text:
            places = self.step(places, character)
        return self.accepts(places)


def language(pattern: Pattern, *, caseless: bool = False, colons: bool = True) -> Language:
    """Return the texts of a pattern. ``colons``: whether its wildcards take colons."""
    return _language(tuple(pattern), caseless, colons)


@lru_cache(maxsize=4096)
def _language(pattern: tuple[str | Wild, ...], caseless: bool, colons: bool) -> Language:  # noqa: FBT001  (a cache's key)
    last = _ARN_COLONS if sum(piece == ":" for piece in pattern) >= _ARN_COLONS else -1
    items: list[tuple[str, str]] = []  # what it is ("=", "?", "*"), and its character, or the one that it refuses
    seen = 0
    for piece in pattern:
        seen += piece == ":"
        refused = ":" if not colons and seen != last else ""
        if isinstance(piece, str):
            items.append(("=", folded(piece) if caseless else piece))
        elif not (piece is Wild.MANY and items and items[-1] == ("*", refused)):
            items.append((piece.value, refused))
    own = {character for kind, character in items if character}
    steps = {character: _moves(items, character) for character in own}
    stars = _bits([kind == "*" for kind, _ in items])
    start = 1 | ((1 & stars) << 1)
    return Language(caseless, start, 1 << len(items), stars, steps, _moves(items, ""))


def _moves(items: Sequence[tuple[str, str]], character: str) -> tuple[int, int]:
    # "=" takes its own character; a wildcard all but the one that it refuses.
    takes = [(own == character) is (kind == "=") or not own for kind, own in items]
    on = [taken and kind != "*" for taken, (kind, _) in zip(takes, items, strict=True)]
    stay = [taken and kind == "*" for taken, (kind, _) in zip(takes, items, strict=True)]
    return _bits(on), _bits(stay)


def _bits(places: Sequence[bool]) -> int:
    """Return a number with a bit for each place; in one go, for patterns can be as long as a policy."""
    return int("".join("1" if each else "0" for each in reversed(places)) or "0", 2)


def arn_languages(pattern: Pattern) -> tuple[Language, Language]:
    """Return the texts that an ARN pattern matches as a whole, and those that it matches segment by segment."""
    return language(pattern), language(pattern, colons=False)


@dataclass(frozen=True, slots=True)
class Shape:
    """Which texts there are. ``characters``: all that occur in them; None for any.

    ``step``: the state after a character, None where no text goes on so. ``ends``: whether a text may end in a state.
    """

    start: object
    step: Callable[[object, str], object | None]
    ends: Callable[[object], bool]
    characters: str | None = None


ANY: Final = Shape(0, lambda state, _: state, lambda _: True)


def exactly(length: int, characters: str) -> Shape:
    """Return the texts of ``length`` of the ``characters``."""

    def step(state: object, character: str) -> object | None:
        return state + 1 if isinstance(state, int) and state < length and character in characters else None

    return Shape(0, step, lambda state: state == length, characters)


def spelling(lower: str) -> Shape:
    """Return the texts that are ``lower`` but for the case of ASCII letters."""

    def step(state: object, character: str) -> object | None:
        at = state if isinstance(state, int) else 0
        return at + 1 if at < len(lower) and folded(character) == lower[at] else None

    return Shape(0, step, lambda state: state == len(lower), "".join(sorted({*lower, *lower.upper()})))


def witnesses(  # noqa: PLR0913  (what to look for, and where)
    languages: Sequence[Language],
    budget: Budget,
    *,
    shape: Shape = ANY,
    prefix: str = "",
    texts: Iterable[str] = (),
    lower: Iterable[str] = (),
) -> Iterator[str]:
    """Yield, for every combination of answers that a text of ``shape`` after ``prefix`` gives, a shortest such text.

    Left aside are ``texts``, and those that are of ``lower`` but for their case. Raises Exhausted.
    """
    aside, caseless = frozenset(texts), frozenset(lower)
    found = list(_walk(languages, budget, shape, prefix, (frozenset(), frozenset())))
    if any(text in aside or folded(text) in caseless for text in found):
        found = list(_walk(languages, budget, shape, prefix, (_beginnings(aside), _beginnings(caseless))))
    yield from (text for text in found if text not in aside and folded(text) not in caseless)


def _beginnings(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(text[:end] for text in texts for end in range(len(text) + 1))


def _walk(
    languages: Sequence[Language],
    budget: Budget,
    shape: Shape,
    prefix: str,
    held: tuple[frozenset[str], frozenset[str]],
) -> Iterator[str]:
    """Yield a shortest text for each combination of answers.

    ``held``: beginnings of texts, and of such in lower case, that are followed apart from all others.
    """

    def inside(text: str) -> tuple[str | None, str | None]:
        return text if text in held[0] else None, folded(text) if folded(text) in held[1] else None

    places = tuple(each.start for each in languages)
    for character in prefix:
        places = tuple(each.step(place, character) for each, place in zip(languages, places, strict=True))
    alphabet = _alphabet(languages, shape, held)
    costs = len(alphabet) * (1 + sum(1 + each.accept.bit_length() // _WIDE for each in languages))
    start = (places, shape.start, inside(prefix))
    seen, answered = {start}, set[object]()
    layer = [(start, prefix)]
    while layer:
        following = []
        for (here, state, within), text in layer:
            told = (tuple(each.accepts(place) for each, place in zip(languages, here, strict=True)), within)
            if shape.ends(state) and told not in answered:
                answered.add(told)
                yield text
            budget.spend(costs)
            for character in alphabet:
                then = shape.step(state, character)
                if then is None:
                    continue
                moved = tuple(each.step(place, character) for each, place in zip(languages, here, strict=True))
                longer = text + character
                # Once outside of what is held, never inside again.
                place = (moved, then, inside(longer) if within != _OUTSIDE else _OUTSIDE)
                if place not in seen:
                    seen.add(place)
                    following.append((place, longer))
        layer = following


def _alphabet(languages: Sequence[Language], shape: Shape, held: tuple[frozenset[str], frozenset[str]]) -> str:
    """Return the characters that something tells apart, and one for all others, that one first."""
    own = {character for each in languages for character in each.steps if character}
    own |= {character.upper() for each in languages if each.caseless for character in each.steps if character}
    own |= {text[-1] for text in held[0] if text}
    own |= {letter for text in held[1] if text for letter in (text[-1], text[-1].upper())}
    allowed = shape.characters
    if allowed is None:
        other = next(iter(each for each in _OTHERS if each not in own), "")
        return other + "".join(sorted(own))
    return "".join(dict.fromkeys([*(each for each in _OTHERS if each in allowed), *sorted(allowed)]))
