"""How nitroctl's own builder was told to make an image: what has to be said again to make the same one.

The options that decide what is measured, and nothing else: names and further metadata move no register, and the files
(source, kernel, init, driver) are told apart by their digests in :class:`nitroctl.records.Build`.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

KINDS: Final = ("oci", "docker", "directory", "tar")
#: The largest instant that a ramdisk's 32 bits hold.
LATEST: Final = 0xFFFFFFFF

_PLATFORM: Final = re.compile(r"linux/(?:amd64|arm64)(?:/v[0-9])?")
_WORD_LIMIT: Final = 4096
_WORDS_LIMIT: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What ``eif build`` was asked; empty, False or None where it was not.

    ``source_date_epoch``: seconds since 1970 after which no time in the ramdisks is. ``cmd``, ``entrypoint``: words.
    """

    source_date_epoch: int
    kind: str = ""
    platform: str = ""
    reference: str = ""
    exact: bool = False
    as_is: bool = False
    join_entrypoint: bool = False
    cmd: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    env: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the members in the ledger's order, those that were not asked left out (schema: measurements/1)."""
        members: dict[str, object] = {
            "kind": self.kind,
            "platform": self.platform,
            "reference": self.reference,
            "exact": self.exact,
            "as_is": self.as_is,
            "join_entrypoint": self.join_entrypoint,
            "cmd": self.cmd and list(self.cmd),
            "entrypoint": self.entrypoint and list(self.entrypoint),
            "env": list(self.env),
        }
        return {
            **{name: value for name, value in members.items() if value},
            "source_date_epoch": self.source_date_epoch,
        }

    @property
    def options(self) -> tuple[str, ...]:
        """The options of ``eif build`` that say the same, for people."""
        found: list[str] = []
        for name, text in (("--kind", self.kind), ("--platform", self.platform), ("--reference", self.reference)):
            found += [name, text] if text else []
        for name, asked in (
            ("--exact", self.exact),
            ("--as-is", self.as_is),
            ("--join-entrypoint", self.join_entrypoint),
        ):
            found += [name] if asked else []
        for name, words in (("--cmd", self.cmd), ("--entrypoint", self.entrypoint)):
            found += [name, json.dumps(list(words))] if words else []
        for each in self.env:
            found += ["--env", each]
        return tuple(found)


def fault(recipe: Recipe) -> tuple[str, str] | None:
    """Return the first member that cannot be and what is wrong with it; None when all can.

    A word may have tabs and format characters, as it may in an image: the ledger shows them as escapes. A byte that is
    no UTF-8 is refused, for JSON has no way to write it that readers agree on.
    """
    if recipe.kind and recipe.kind not in KINDS:
        return "kind", f"not one of {', '.join(KINDS)}: {recipe.kind[:40]!r}"
    if recipe.platform and not _PLATFORM.fullmatch(recipe.platform):
        return "platform", f"not a platform that enclaves run on: {recipe.platform[:40]!r}"
    if not 0 <= recipe.source_date_epoch <= LATEST:
        return "source_date_epoch", f"not a number of seconds from 0 to {LATEST}"
    if not recipe.reference.isprintable() or len(recipe.reference) > _WORD_LIMIT:
        return "reference", "has a control or format character, or is too long"
    for name in ("cmd", "entrypoint", "env"):
        words: Sequence[str] | None = getattr(recipe, name)
        wrong = _words_fault(words or ())
        if wrong or (words is not None and not words and name != "env"):
            return name, wrong or "no words"
    return None


def _words_fault(words: Sequence[str]) -> str:
    if len(words) > _WORDS_LIMIT:
        return f"more than {_WORDS_LIMIT} words"
    for word in words:
        if len(word) > _WORD_LIMIT:
            return f"a word is longer than {_WORD_LIMIT} characters"
        if "\0" in word or not _is_text(word):
            return "a word has a byte that is no UTF-8, or is zero"
    return ""


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
