import json
import re

from hypothesis import given
from hypothesis import strategies as st

from nitroctl.checks import Check, Outcome, Report, blocked
from nitroctl.render import envelope
from nitroctl.render.human import Screen, wrap
from nitroctl.render.plain import encodable, inert, visible, visible_lines
from nitroctl.render.result import Result
from nitroctl.render.view import Cell, Checks, Diff, Drawing, Fields, Heading, Headline, Lines, Raw, Row, Table, Text

DIGEST = "ab" * 48


def drawn(*blocks: object, width: int | None = None, encoding: str = "utf-8", colour: bool = False) -> str:
    return Screen(colour=colour, width=width, encoding=encoding).draw(blocks)  # type: ignore[arg-type]


@given(st.text())
def test_visible_text_can_do_nothing_to_a_terminal(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert "\n" not in shown
    if text.isprintable():
        assert shown == text


def test_what_visible_text_looks_like() -> None:
    assert visible("a\x1b[31m\x9b\u202e\n\t\u2028\U000e0041é") == "a\\x1b[31m\\x9b\\u202e\\n\\t\\u2028\\U000e0041é"
    assert visible_lines("a\r\nb\tc\n") == ["a", "b    c"]
    assert encodable("✓é", "ascii") == "\\u2713\\xe9"


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_wrapping_loses_nothing_but_the_breaks(text: str, width: int) -> None:
    assert " ".join(wrap(text, width)) == text


def test_a_digest_is_never_shortened_or_wrapped() -> None:
    for width in (20, 80, 160, None):
        text = drawn(
            Fields([("PCR0", DIGEST)]),
            Table(("name", "PCR0"), [("a", DIGEST)]),
            Lines(DIGEST),
            Text(DIGEST),
            width=width,
        )
        assert text.count(DIGEST) == 4


def test_a_long_value_goes_on_beside_its_label() -> None:
    fields = Fields([("what", "one two three four five six seven"), ("PCR0", DIGEST)])
    assert drawn(fields, width=30) == (f"what  one two three four five\n      six seven\nPCR0  {DIGEST}\n")
    assert drawn(fields) == f"what  one two three four five six seven\nPCR0  {DIGEST}\n"


def test_a_table_that_does_not_fit_becomes_fields() -> None:
    table = Table(("name", "PCR0"), [("a", DIGEST), ("b", Cell(DIGEST, "bad"))], title="Images")
    assert drawn(table, width=160) == f"Images\nname  PCR0\na     {DIGEST}\nb     {DIGEST}\n"
    assert drawn(table, width=80) == f"Images\nname  a\nPCR0  {DIGEST}\n\nname  b\nPCR0  {DIGEST}\n"
    assert drawn(Table(("name",), [], empty="no enclave runs")) == "no enclave runs\n"


def test_hostile_text_is_escaped_in_every_block() -> None:
    bad = "\x1b]0;x\x07[red]"
    report = Report.of([Check(id="a.b", title=bad, outcome=Outcome.FAIL, detail=bad, expected=bad, remedy=bad)])
    text = drawn(
        Headline(bad), Heading(bad), Fields([(bad, bad)]), Table((bad,), [(bad,)]), Checks(report), Text(bad), Diff(bad)
    )
    assert "\x1b" not in text
    assert text.count("\\x1b]0;x\\x07[red]") == 12


def test_checks_say_what_was_found_and_what_to_do() -> None:
    report = Report.of(
        [
            Check(id="chain.root-pinned", title="the root is pinned", outcome=Outcome.PASS),
            Check(
                id="chain.time",
                title="every certificate is in date",
                outcome=Outcome.FAIL,
                detail="the leaf expired",
                expected="after x",
                actual="y",
                remedy="ask for --at document",
            ),
            blocked("measurement.pcr0", "PCR0 is recorded", "chain.time"),
        ]
    )
    assert drawn(Checks(report)) == (
        "✓ the root is pinned\n"
        "✗ every certificate is in date\n"
        "  the leaf expired\n"
        "  expected  after x\n"
        "  actual    y\n"
        "  fix: ask for --at document\n"
        "  [chain.time]\n"
        "– PCR0 is recorded\n"
        "  not checked: blocked by chain.time\n"
        "  [measurement.pcr0]\n"
    )
    assert drawn(Checks(report, every=False), encoding="ascii").splitlines()[0] == "FAIL every certificate is in date"


def test_a_pipe_gets_no_escape_and_a_terminal_gets_colour() -> None:
    headline = Headline("authentic", Outcome.PASS)
    assert drawn(headline) == "✓ authentic\n"
    assert drawn(headline, colour=True) == "\x1b[32m✓ authentic\x1b[0m\n"


def test_raw_text_is_written_byte_for_byte() -> None:
    assert drawn(Raw('{"a": "[b]"}\n')) == '{"a": "[b]"}\n'


def test_the_envelope_is_ascii_json_with_a_final_newline() -> None:
    result = Result(schema="a.b/1", data={"text": "\x1b\u202e"}, view=[], refused=True, notes=["n"])
    text = envelope.dumps(envelope.of_result(result))
    assert text.isascii()
    assert text.endswith("}\n")
    assert json.loads(text) == {
        "schema": "nitroctl/a.b/1",
        "status": "refused",
        "exit_code": 1,
        "data": {"text": "\x1b\u202e"},
        "notes": ["n"],
        "errors": [],
    }


def test_no_line_for_people_is_a_command_to_a_ci_job() -> None:
    hostile = "::stop-commands::x ##[error]y"
    blocks = (
        Headline(hostile),
        Heading(hostile),
        Fields([(hostile, hostile)], title=hostile),
        Table(("name",), [(hostile,), (Cell(hostile, "strong"),)]),
        Text(hostile),
        Lines(f"a\n  {hostile}"),
        Diff(f" {hostile}\n"),
    )
    for width in (None, 20, 80):
        for colour in (False, True):
            for line in drawn(*blocks, width=width, colour=colour).splitlines():
                assert not line.lstrip().startswith("::")
                assert "##[" not in line


def test_what_a_line_looks_like_that_would_be_a_command() -> None:
    assert inert("  ::error::x ::y") == "  \\x3a:error::x ::y"
    assert inert("a ##[error]b") == "a #\\x23[error]b"
    assert inert("a ::b # #[c]") == "a ::b # #[c]"


_SOME = st.text(max_size=12) | st.sampled_from(
    [" ", "::error::x", " ::x", "##[x]", "\t", "a\u3000b", "é ", "\U0001f600"]
)
_BLOCKS = st.one_of(
    st.builds(Headline, _SOME, st.sampled_from([None, *Outcome])),
    st.builds(Heading, _SOME),
    st.builds(Fields, st.lists(st.tuples(_SOME, _SOME), max_size=3), _SOME),
    st.builds(
        lambda rows: Table(("a", "b"), [(one, Cell(two, "bad")) for one, two in rows]),
        st.lists(st.tuples(_SOME, _SOME), max_size=3),
    ),
    st.builds(Lines, _SOME, st.sampled_from(["", "good", "dim"])),
    st.builds(
        lambda value, width: Row(Outcome.PASS, [(value, width), (Cell(value, "warn"), 0)]), _SOME, st.integers(0, 9)
    ),
    st.builds(lambda text: Drawing([("├─ ", text)]), _SOME),
    st.builds(Diff, _SOME),
)


@given(st.lists(_BLOCKS, max_size=3), st.sampled_from([None, 20, 80]), st.sampled_from(["utf-8", "ascii", "latin-1"]))
def test_colours_are_all_that_colours_change(blocks: list[object], width: int | None, encoding: str) -> None:
    coloured = drawn(*blocks, width=width, encoding=encoding, colour=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == drawn(*blocks, width=width, encoding=encoding)
