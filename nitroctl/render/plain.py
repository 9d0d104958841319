"""Untrusted text made safe to show.

Whatever came from an image, a document, nitro-cli or AWS may hold terminal escapes, bidirectional overrides or
workflow commands. :func:`visible` is the one function every string passes before it reaches a terminal or a log.
"""


def visible(text: str) -> str:
    r"""Return ``text`` on one line with every unprintable character as an escape.

    ``\x1b`` for C0 and C1, ``\u202e`` for bidirectional and other format characters, spaces that are not U+0020,
    surrogates and the unassigned. Printable text, also non-ASCII, is unchanged.
    """
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    common = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    if character in common:
        return common[character]
    point = ord(character)
    if point <= 0xFF:  # noqa: PLR2004
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"  # noqa: PLR2004


def visible_lines(text: str) -> list[str]:
    """Return ``text`` split at line feeds (CR LF too), each line made safe; tabs become four spaces."""
    return [visible(line.removesuffix("\r").replace("\t", "    ")) for line in text.removesuffix("\n").split("\n")]


def inert(line: str) -> str:
    r"""Return a line of visible text that the log of a CI job takes for no command, with ``\x3a`` or ``\x23`` in it.

    GitHub's runner obeys ``::name::`` after nothing but spaces, and the older ``##[name]`` wherever it stands.
    """
    if line.lstrip().startswith("::"):
        line = line.replace("::", "\\x3a:", 1)
    return line.replace("##[", "#\\x23[")


def inert_json(text: str) -> str:
    """Return JSON that says the same and holds no ``##[``, which can only stand in strings."""
    return text.replace("##[", "#\\u0023[")


def inert_xml(text: str) -> str:
    """Return XML that says the same and holds no ``##[``, which can only stand in text and attributes."""
    return text.replace("##[", "#&#35;[")


def encodable(text: str, encoding: str | None) -> str:
    """Return ``text`` with what ``encoding`` cannot write as escapes."""
    return text.encode(encoding or "ascii", "backslashreplace").decode(encoding or "ascii")
