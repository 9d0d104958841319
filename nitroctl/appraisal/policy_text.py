"""A policy's text as plain values with their places: YAML or JSON, read without forgiveness.

A file that decides what is accepted may mean one thing only. Of YAML that leaves maps, lists and scalars: anchors,
aliases, tags, merge keys and several documents are refused, and so is a plain word that one reader takes for text and
another for a boolean or a number (``no``, ``1e3``, ``0x10``, ``2026-11-20``), and a character at which one reader
begins a line and another does not. JSON is read by :mod:`nitroctl.strict_json`. Nothing is constructed but strings,
integers, booleans, null, lists and maps.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nitroctl import safefile, strict_json
from nitroctl.errors import CannotAnswer, UsageError

if TYPE_CHECKING:
    import yaml

#: The most a policy may hold: some 300 sets of three registers.
SIZE_LIMIT: Final = 128 * 1024
_DEPTH: Final = 12
_SHOWN: Final = 60
_PLAIN_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
#: What readers of YAML 1.2 take for numbers and readers of YAML 1.1 for text.
_LATER_NUMBER: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+")
_WORDS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "null": None, "~": None, "": None}
_STRING: Final = "tag:yaml.org,2002:str"
#: What ends a line, and with it a comment, for readers of YAML 1.1, and not in every editor or in YAML 1.2.
_HIDDEN_BREAK: Final = re.compile("[\x85\u2028\u2029]|\r(?!\n)")
_QUOTE: Final = 'put it in quotes when it is text: "{}"'

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """What is read, for its errors: their codes, what the file is (``noun``), and how to get one to start from."""

    noun: str
    start: str
    syntax: str
    duplicate_key: str
    feature: str


POLICY: Final = Form(
    noun="policy",
    start="nitroctl attest policy init writes one to start from",
    syntax="appraisal-policy.syntax",
    duplicate_key="appraisal-policy.duplicate-key",
    feature="appraisal-policy.yaml-feature",
)


@dataclass(frozen=True, slots=True)
class Text:
    """The values a policy file holds, and for YAML the line (from 1) of each by its path."""

    value: object
    lines: Mapping[Path, int]

    def place(self, path: Path) -> str:
        """Return where ``path`` stands, for an error: ``line 12: /nonce/equals: ``."""
        pointer = strict_json.pointer(path)
        line = self.lines.get(path)
        return (f"line {line}: " if line else "") + (f"{pointer}: " if pointer else "")


def read(path: str) -> Text:
    """Return what the policy file ``path`` holds: JSON when it is named so or begins with a brace, else YAML.

    Raises UsageError for standard input; CannotAnswer ``file.*``, ``json.*``, ``appraisal-policy.syntax``,
    ``appraisal-policy.duplicate-key`` or ``appraisal-policy.yaml-feature``, naming file and line.
    """
    if path == safefile.STDIN:
        raise UsageError(
            "a policy is not read from standard input", "usage.invalid", ["name a file: its digest goes with verdicts"]
        )
    return parse(safefile.read_text(path, limit=SIZE_LIMIT), where=path)


def parse(text: str, *, where: str, form: Form = POLICY) -> Text:
    """Return what ``text`` holds; ``where`` names the file in errors. Raises CannotAnswer as :func:`read` does.

    ``form``: what it is, when it is another file that decides.
    """
    named_yaml = where.endswith((".yaml", ".yml"))
    if where.endswith(".json") or (not named_yaml and text.lstrip()[:1] == "{"):
        return Text(strict_json.parse(text, where=where), {})
    return _Yaml(where, form).read(text)


class _Yaml:
    """One reading of a YAML text, event by event, so that nothing is expanded before it is refused."""

    def __init__(self, where: str, form: Form = POLICY) -> None:
        self.where = where
        self.form = form
        self.lines: dict[Path, int] = {}

    def read(self, text: str) -> Text:
        import yaml  # noqa: PLC0415  (start-up: only a policy in YAML needs the reader)

        if text.startswith("\ufeff"):
            raise self._refused(self.form.syntax, 0, "begins with a byte order mark", "save it as UTF-8 without BOM")
        hidden = _HIDDEN_BREAK.search(text)
        if hidden:
            line = text[: hidden.start()].count("\n") + 1
            message = f"the character U+{ord(hidden[0]):04X}, at which some readers begin a line and others do not"
            raise self._refused(self.form.feature, line, message, "take it out, or begin a new line in its place")
        try:
            value = self._document(self._allowed(self._events(text)))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "a character that may not stand in YAML"
            raise self._refused(self.form.syntax, mark.line + 1 if mark else 0, f"not YAML: {problem}") from error
        return Text(value, self.lines)

    def _events(self, text: str) -> "Iterator[yaml.Event]":
        """Yield what the reader finds; it lets Python's errors about numbers through, of characters and versions."""
        import yaml  # noqa: PLC0415

        loader = yaml.SafeLoader(text)
        try:
            while loader.check_event():
                yield loader.get_event()  # type: ignore[no-untyped-call]
        except (ValueError, OverflowError) as error:
            message = "not YAML: a number that is too large for what it stands for"
            raise self._refused(self.form.syntax, loader.line + 1, message) from error

    def _refused(self, code: str, line: int, message: str, hint: str = "") -> CannotAnswer:
        place = f"line {line}: " if line else ""
        return CannotAnswer(f"{self.where}: {place}{message}", code, [hint] if hint else [])

    def _allowed(self, events: "Iterator[yaml.Event]") -> "Iterator[yaml.Event]":
        """Pass on what the policy's subset of YAML has; refuse the rest where it stands."""
        import yaml  # noqa: PLC0415

        for event in events:
            line = _line(event)
            if isinstance(event, yaml.AliasEvent):
                raise self._refused(self.form.feature, line, f"the alias *{short(str(event.anchor))}", _WRITE_OUT)
            if isinstance(event, yaml.NodeEvent):
                if event.anchor is not None:
                    raise self._refused(self.form.feature, line, f"the anchor &{short(str(event.anchor))}", _WRITE_OUT)
                tag = getattr(event, "tag", None)
                if tag is not None:
                    raise self._refused(self.form.feature, line, f"the tag {short(tag)}", "leave the tag out")
            if isinstance(event, yaml.DocumentStartEvent) and (event.version or event.tags):
                raise self._refused(
                    self.form.feature, line, "a YAML directive", "leave the line that begins with % out"
                )
            yield event

    def _document(self, events: "Iterator[yaml.Event]") -> object:
        import yaml  # noqa: PLC0415

        next(events)  # the stream's start
        first = next(events)
        if isinstance(first, yaml.StreamEndEvent):
            raise self._refused(self.form.syntax, 0, "empty", self.form.start)
        value = self._value(next(events), events, ())
        next(events)  # the document's end
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            line = _line(after)
            raise self._refused(self.form.feature, line, "a second document", f"keep one {self.form.noun} in a file")
        return value

    def _value(self, event: "yaml.Event", events: "Iterator[yaml.Event]", path: Path) -> object:
        import yaml  # noqa: PLC0415

        line = _line(event)
        self.lines.setdefault(path, line)
        if len(path) > _DEPTH:
            raise self._refused(self.form.syntax, line, f"nested too deeply to be a {self.form.noun}")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, line)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[object] = []
            while not isinstance(inner := next(events), yaml.SequenceEndEvent):
                items.append(self._value(inner, events, (*path, len(items))))
            return items
        members: dict[str, object] = {}
        while not isinstance(inner := next(events), yaml.MappingEndEvent):
            key = self._key(inner)
            if key in members:
                line = _line(inner)
                hint = f"keep one; the first stands in line {self.lines[*path, key]}"
                raise self._refused(self.form.duplicate_key, line, f"the key {short(key)!r} occurs twice", hint)
            self.lines[*path, key] = _line(inner)
            members[key] = self._value(next(events), events, (*path, key))
        return members

    def _key(self, event: Any) -> str:  # noqa: ANN401  (any event, of which only a scalar is a key)
        line = _line(event)
        key = getattr(event, "value", None)
        if not isinstance(key, str):
            raise self._refused(self.form.feature, line, "a key that is not text", "write a name before the colon")
        if key == "<<" and not event.style:
            raise self._refused(self.form.feature, line, "the merge key <<", _WRITE_OUT)
        return key

    def _scalar(self, event: "yaml.ScalarEvent", line: int) -> object:
        """Return a scalar's value; a plain one that could be read in two ways is refused."""
        if event.style:  # quoted, or a block of text
            return str(event.value)
        word = str(event.value)
        if word in _WORDS:
            return _WORDS[word]
        if _PLAIN_INTEGER.fullmatch(word):
            return int(word)
        meant = _implicit(word)
        if meant != _STRING:
            kind = meant.rpartition(":")[2]
            shown = short(word)
            article = "an" if kind[:1] in "aeiou" else "a"
            hint = _QUOTE.format(shown) + (", or write true or false" if kind == "bool" else "")
            raise self._refused(self.form.feature, line, f"{shown!r} can be read as text or as {article} {kind}", hint)
        return word


_WRITE_OUT: Final = "write the values out where they apply, so that everybody reads the same"


def short(text: str) -> str:
    """Return text of any length in a few characters, for an error."""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]}…"


def _line(event: "yaml.Event") -> int:
    """Return the line, from 1, in which an event begins."""
    return event.start_mark.line + 1 if event.start_mark else 0


def _implicit(word: str) -> str:
    """Return the tag that YAML 1.1 gives a plain word, or YAML 1.2 when it sees a number."""
    import yaml  # noqa: PLC0415

    if _LATER_NUMBER.fullmatch(word):
        return "number"
    for tag, pattern in yaml.SafeLoader.yaml_implicit_resolvers.get(word[:1], ()):
        if pattern.match(word):
            return str(tag)
    return _STRING
