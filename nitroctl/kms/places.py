"""On which line of a JSON text each of its values begins: what Python's reader does not say.

The text has been read strictly before (:mod:`nitroctl.strict_json`), so this only follows it piece by piece.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

#: Path of a value: keys and positions from the top, () for the whole document.
Path = tuple[str | int, ...]

_PIECE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,\n]|[^\s{}\[\]:,"]+')


def lines(text: str) -> Mapping[Path, int]:
    """Return the line, from 1, on which each value begins; for a member of an object that of its key.

    ``text`` must be JSON that :func:`nitroctl.strict_json.parse` accepts.
    """
    found: dict[Path, int] = {(): 1}
    line, first = 1, True
    open_: list[tuple[str, Path]] = []  # bracket and path of every container that is open
    position: list[int] = []  # of each, how many commas were seen
    here: Path = ()
    expects_key = False
    for match in _PIECE.finditer(text):
        piece = match[0]
        if piece == "\n":
            line += 1
            continue
        if first:
            found[()], first = line, False
        if piece == ":":
            expects_key = False
        elif piece == ",":
            position[-1] += 1
            kind, parent = open_[-1]
            expects_key = kind == "{"
            here = (*parent, position[-1])
        elif piece in "}]":
            _, here = open_.pop()
            position.pop()
            expects_key = False
        elif expects_key:
            here = (*open_[-1][1], json.loads(piece))
            found[here] = line
        else:
            found.setdefault(here, line)
            if piece in "{[":
                open_.append((piece, here))
                position.append(0)
                expects_key = piece == "{"
                here = (*here, 0)
    return found
