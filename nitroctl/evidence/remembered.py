"""What may be remembered between documents: answers that are functions of exact bytes and nothing else.

A chain, a certificate, a signature on a certificate come back in document after document. What is remembered of them
is found by every byte that the answer depends on, so nobody can plant an answer for other bytes; a no is remembered as
a no. Instants are never part of it: periods are judged anew for every document. Each memory has an upper bound.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Final, Generic, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Remembered(Generic[_P, _R]):
    """A function whose answers are remembered, the most recent ``size`` of them."""

    def __init__(self, function: Callable[_P, _R], size: int) -> None:
        self._function = function
        self.answers = functools.lru_cache(maxsize=size)(function)
        functools.update_wrapper(self, function)
        _CLEARING.append(self.answers.cache_clear)

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Return the function's answer, remembered or not."""
        if _Switch.on:
            return self.answers(*args, **kwargs)  # type: ignore[arg-type]  # every argument is hashable
        return self._function(*args, **kwargs)


_CLEARING: Final[list[Callable[[], None]]] = []


class _Switch:
    on = True


def remembered(size: int) -> Callable[[Callable[_P, _R]], Remembered[_P, _R]]:
    """Remember the last ``size`` different answers of a function of exact bytes."""
    return lambda function: Remembered(function, size)


def forget() -> None:
    """Forget everything."""
    for clear in _CLEARING:
        clear()


@contextlib.contextmanager
def nothing() -> Iterator[None]:
    """Remember nothing and use nothing remembered meanwhile: the same answers, slower. For tests and doubts."""
    before, _Switch.on = _Switch.on, False
    try:
        yield
    finally:
        _Switch.on = before
