"""A policy's text: YAML and JSON read so that it means one thing only."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from nitroctl.appraisal import policy_text
from nitroctl.errors import CannotAnswer, NitroctlError, UsageError


def read(text: str, where: str = "p.yaml") -> object:
    return policy_text.parse(text, where=where).value


def refused(text: str, where: str = "p.yaml") -> tuple[str, str]:
    with pytest.raises(CannotAnswer) as caught:
        policy_text.parse(text, where=where)
    return caught.value.code, caught.value.message


def test_values_and_their_lines() -> None:
    found = policy_text.parse("# c\na: 1\nb:\n  - x\n  - 'no'\n  - true\n  - ~\nc: {d: -5}\n", where="p.yaml")
    assert found.value == {"a": 1, "b": ["x", "no", True, None], "c": {"d": -5}}
    assert found.place(("b", 1)) == "line 5: /b/1: "
    assert found.place(("c", "d")) == "line 8: /c/d: "
    assert found.place(()) == "line 2: "


def test_json_is_told_by_its_name_or_its_brace() -> None:
    assert read('{"a": 1}', "p.json") == {"a": 1}
    assert read('  {"a": 1}', "p") == {"a": 1}
    assert read("{a: 1}") == {"a": 1}
    assert refused("{a: 1}", "p")[0] == "json.syntax"
    assert refused("a: 1", "p.json")[0] == "json.syntax"
    assert policy_text.parse('{"a": 1}', where="p.json").place(("a",)) == "/a: "


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ('{"a": 1, "a": 2}', "json.duplicate-key", "p.json: /: the key 'a' occurs twice"),
        ('{"a": NaN}', "json.not-a-number", "p.json: /a: NaN is not a JSON number"),
        ("[" * 100_000, "json.nesting", "p.json: nested too deeply to be what it should be"),
        ("", "json.syntax", "p.json: empty, not JSON"),
    ],
    ids=["twice", "NaN", "deep", "empty"],
)
def test_json_is_read_strictly(text: str, code: str, message: str) -> None:
    assert refused(text, "p.json") == (code, message)


FEATURE = "appraisal-policy.yaml-feature"
SYNTAX = "appraisal-policy.syntax"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("a: &x 1\nb: *x\n", FEATURE, "line 1: the anchor &x"),
        ("a: 1\nb: *x\n", FEATURE, "line 2: the alias *x"),
        ("a: !!str 1\n", FEATURE, "line 1: the tag tag:yaml.org,2002:str"),
        (
            "a: !!python/object/apply:os.system [x]\n",
            FEATURE,
            "line 1: the tag tag:yaml.org,2002:python/object/apply:os.system",
        ),
        ("a: 1\n<<: {b: 2}\n", FEATURE, "line 2: the merge key <<"),
        ("a: 1\n---\nb: 2\n", FEATURE, "line 2: a second document"),
        ("%YAML 1.1\n---\na: 1\n", FEATURE, "line 1: a YAML directive"),
        ("? [a]\n: 1\n", FEATURE, "line 1: a key that is not text"),
        ("a: 1\nb: 2\na: 3\n", "appraisal-policy.duplicate-key", "line 3: the key 'a' occurs twice"),
        ("a:\n  b: 1\n  b: 1\n", "appraisal-policy.duplicate-key", "line 3: the key 'b' occurs twice"),
        ("a: [b\n", SYNTAX, "line 2: not YAML: expected ',' or ']', but got '<stream end>'"),
        ("\ta: 1\n", SYNTAX, "line 1: not YAML: found character '\\t' that cannot start any token"),
        ("a: \x01\n", SYNTAX, "not YAML: a character that may not stand in YAML"),
        ("\ufeffa: 1\n", SYNTAX, "begins with a byte order mark"),
        ("# nothing\n", SYNTAX, "empty"),
        ("[" * 1000, SYNTAX, "line 1: nested too deeply to be a policy"),
        ("- " * 1000 + "x", SYNTAX, "line 1: nested too deeply to be a policy"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused_with_its_line(text: str, code: str, message: str) -> None:
    assert refused(text) == (code, f"p.yaml: {message}")


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("no", "a bool"),
        ("Yes", "a bool"),
        ("on", "a bool"),
        ("True", "a bool"),
        ("1.0", "a number"),
        ("1e3", "a number"),
        ("0x10", "an int"),
        ("0o17", "a number"),
        ("017", "a number"),
        ("1_000", "an int"),
        ("12:30", "an int"),
        (".nan", "a float"),
        ("2026-11-20", "a timestamp"),
        ("NULL", "a null"),
        ("+1", "a number"),
        ("1234567890123456789", "a number"),
        ("=", "a value"),
    ],
)
def test_a_plain_word_that_may_be_text_or_not_has_to_be_quoted(word: str, kind: str) -> None:
    assert refused(f"a: {word}\n") == (FEATURE, f"p.yaml: line 1: '{word}' can be read as text or as {kind}")
    assert read(f"a: '{word}'\n") == {"a": word}
    assert read(f'a: "{word}"\n') == {"a": word}


@pytest.mark.parametrize("word", ["x", "5m", "PCR0", "ab" * 48, "i-0123", "arn:aws:iam::1:role/x", "eu-west-1", "12ab"])
def test_other_plain_words_are_text_to_every_reader(word: str) -> None:
    assert read(f"a: {word}\n") == {"a": word} == yaml.safe_load(f"a: {word}\n")


def test_names_of_members_are_text_whatever_they_look_like() -> None:
    assert read("1: 2\nno: 3\n'<<': 4\n") == {"1": 2, "no": 3, "<<": 4}


def test_an_anchors_bomb_is_refused_at_its_first_line() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert refused(bomb) == (FEATURE, "p.yaml: line 1: the anchor &a")


def test_what_is_shown_of_a_long_word_is_short() -> None:
    for text in (
        f"a: !{'x' * 5000} 1",
        f"a: &{'x' * 5000} 1",
        f"{'k' * 500}: 1\n{'k' * 500}: 1\n",
        f"a: {'1' * 5000}\n",
    ):
        assert len(refused(text)[1]) < 200


def test_bad_files(tmp_path: Path) -> None:
    (tmp_path / "latin1.yaml").write_bytes(b"description: caf\xe9\n")
    (tmp_path / "huge.yaml").write_bytes(b"#" * (policy_text.SIZE_LIMIT + 1))
    (tmp_path / "limit.yaml").write_bytes(b"a: 1\n" + b"#" * (policy_text.SIZE_LIMIT - 5))
    with (tmp_path / "sparse.yaml").open("wb") as stream:
        stream.truncate(10 * 1024**3)
    wanted = {
        "latin1.yaml": "file.not-utf8",
        "huge.yaml": "file.too-large",
        "sparse.yaml": "file.too-large",
        "absent.yaml": "file.unreadable",
        ".": "file.unreadable",
    }
    for name, code in wanted.items():
        with pytest.raises(NitroctlError) as caught:
            policy_text.read(str(tmp_path / name))
        assert caught.value.code == code, name
    assert policy_text.read(str(tmp_path / "limit.yaml")).value == {"a": 1}


def test_a_policy_is_a_file() -> None:
    with pytest.raises(UsageError):
        policy_text.read("-")


# -- what every word, line and limit comes to
WORDS = """\
a: true
b: false
c: null
d: ~
e:
f: 12
g: [no-1, -3]
h:
  i: "null"
  j:
    k: x
"""


def test_every_value_and_the_line_it_stands_in() -> None:
    text = policy_text.parse(WORDS, where="p.yaml")
    inner: dict[str, object] = {"i": "null", "j": {"k": "x"}}
    plain = {"a": True, "b": False, "c": None, "d": None, "e": None, "f": 12}
    assert text.value == {**plain, "g": ["no-1", -3], "h": inner}
    lines: dict[policy_text.Path, int] = {(name,): number for number, name in enumerate("abcdefgh", 1)}
    lines |= {(): 1, ("g", 0): 7, ("g", 1): 7, ("h", "i"): 9, ("h", "j"): 10, ("h", "j", "k"): 11}
    assert text.lines == lines
    assert text.place(("h", "j")) == "line 10: /h/j: "
    assert (text.place(()), text.place(("x",))) == ("line 1: ", "/x: ")


@pytest.mark.parametrize(
    ("where", "text", "value"),
    [
        ("p.yml", "{a: 1}", {"a": 1}),
        ("p.yaml", "{a: 1}", {"a": 1}),
        ("policy", "a: 1", {"a": 1}),
        ("policy", ' {"a": 1}', {"a": 1}),
        ("p.json", "[1]", [1]),
    ],
)
def test_what_is_json_and_what_is_yaml(where: str, text: str, value: object) -> None:
    assert policy_text.parse(text, where=where).value == value


WRITE_OUT = "write the values out where they apply, so that everybody reads the same"


@pytest.mark.parametrize(
    ("text", "message", "hints"),
    [
        (
            "a: yes",
            "line 1: 'yes' can be read as text or as a bool",
            ('put it in quotes when it is text: "yes", or write true or false',),
        ),
        ("a: 1e3", "line 1: '1e3' can be read as text or as a number", ('put it in quotes when it is text: "1e3"',)),
        ("a: 0x10", "line 1: '0x10' can be read as text or as an int", ('put it in quotes when it is text: "0x10"',)),
        ("a:\n  b: 1\n  b: 2", "line 3: the key 'b' occurs twice", ("keep one; the first stands in line 2",)),
        ("%TAG ! tag:x,2000:\n---\na: 1", "line 1: a YAML directive", ("leave the line that begins with % out",)),
        ("a: &x 1", "line 1: the anchor &x", (WRITE_OUT,)),
        ("a: !!str 1", "line 1: the tag tag:yaml.org,2002:str", ("leave the tag out",)),
        ("[", "line 1: not YAML: expected the node content, but found '<stream end>'", ()),
        ("[" * 13 + "]" * 13, None, ()),
        ("[" * 14 + "]" * 14, "line 1: nested too deeply to be a policy", ()),
        ("# nothing\n", "empty", ("nitroctl attest policy init writes one to start from",)),
    ],
    ids=range(11),
)
def test_what_is_refused_with_its_line_and_what_to_do(text: str, message: str | None, hints: tuple[str, ...]) -> None:
    if message is None:
        policy_text.parse(text, where="p.yaml")
        return
    with pytest.raises(CannotAnswer) as caught:
        policy_text.parse(text, where="p.yaml")
    assert (caught.value.message, caught.value.hints) == (f"p.yaml: {message}", hints)


@pytest.mark.parametrize(
    ("text", "line", "name"),
    [
        ("a: 1\n# c\u2028debug: allow\n", 2, "U+2028"),
        ("# c\u2029debug: allow\n", 1, "U+2029"),
        ("a: x\x85b: y\n", 1, "U+0085"),
        ("a: 1\n\n# c\rdebug: allow\n", 3, "U+000D"),
        ("a: 1\r\n# c\r\r\nb: 2\r\n", 2, "U+000D"),
        ("a: 1\r", 1, "U+000D"),
        ("a: '\u2029'\n# \x85", 1, "U+2029"),
        ("x\u2028y: 1\n", 1, "U+2028"),
    ],
    ids=range(8),
)
def test_a_line_that_only_some_readers_see_is_refused(text: str, line: int, name: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        policy_text.parse(text, where="p.yaml")
    said = f"p.yaml: line {line}: the character {name}, at which some readers begin a line and others do not"
    assert (caught.value.code, caught.value.message) == (FEATURE, said)
    assert caught.value.hints == ("take it out, or begin a new line in its place",)


def test_lines_may_end_as_windows_ends_them_and_characters_beside_the_refused_may_stand() -> None:
    found = policy_text.parse("a: 1\r\n# \u2027 \u202a\r\nb: x\r\n", where="p.yaml")
    assert found.value == {"a": 1, "b": "x"}
    assert found.lines["b",] == 3
    assert read('{"a": "\u2028\u2029\x85"}', "p.json") == {"a": "\u2028\u2029\x85"}
    assert read('a: "\\L\\P\\N\\r"\n') == {"a": "\u2028\u2029\x85\r"}


def test_the_error_is_that_of_the_form_that_is_read() -> None:
    with pytest.raises(CannotAnswer) as caught:
        policy_text.parse("# \u2028", where="t.yaml", form=replace(policy_text.POLICY, feature="x.feature"))
    assert caught.value.code == "x.feature"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('a: 1\nb: "\\UFFFFFFFF"\n', 2),
        ('a: "\\U00110000"\n', 1),
        ('a: "x\n  \\U00110000"\n', 2),
        (f"%YAML 1.{'9' * 4301}\n---\na: 1\n", 1),
        (f"a: 1\n...\n%YAML {'9' * 4301}.1\n---\n", 3),
    ],
    ids=["beyond-an-int", "beyond-unicode", "second-line", "minor", "major"],
)
def test_a_number_that_the_reader_cannot_take_is_an_error_with_its_line(text: str, line: int) -> None:
    said = f"p.yaml: line {line}: not YAML: a number that is too large for what it stands for"
    assert refused(text) == (SYNTAX, said)


def test_the_largest_numbers_that_the_reader_takes() -> None:
    assert read('a: "\\U0010FFFF"\n') == {"a": "\U0010ffff"}
    assert refused(f"%YAML 1.{'9' * 4300}\n---\na: 1\n") == (FEATURE, "p.yaml: line 1: a YAML directive")


def test_text_is_shown_whole_up_to_60_characters() -> None:
    assert policy_text.short("a" * 60) == "a" * 60
    assert policy_text.short("a" * 61) == "a" * 56 + "…"


def test_a_policy_has_at_most_128_kib(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('"' + "a" * (131072 - 2) + '"')
    policy_text.read(str(path))
    path.write_text('"' + "a" * (131073 - 2) + '"')
    with pytest.raises(CannotAnswer) as caught:
        policy_text.read(str(path))
    assert caught.value.code == "file.too-large"


def test_standard_input_is_no_policy() -> None:
    with pytest.raises(UsageError) as caught:
        policy_text.read("-")
    assert caught.value.hints == ("name a file: its digest goes with verdicts",)
