"""Help: every command has a summary, options that are explained, and examples that parse."""

import re
import shlex
from typing import Any

import pytest

from nitroctl.cli.outline import commands, groups, help_text
from nitroctl.cli.tree import GROUPS, first_sentence, root
from tests.conftest import Cli

COMMANDS = [command.words for command in commands()]


def examples(words: tuple[str, ...]) -> list[str]:
    """Return the example lines of a command's help."""
    _, found, text = help_text(words).partition("\nExamples:\n")
    assert found, f"{' '.join(words)} has no examples"
    return [line.strip() for line in text.splitlines()]


def parser(words: tuple[str, ...]) -> Any:
    command = root()
    for word in words:
        command = command.get_command(None, word)
    return command


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_on_stdout(cli: Cli, words: tuple[str, ...]) -> None:
    ran = cli(*words, "--help")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"Usage: nitroctl {' '.join(words)} [OPTIONS]")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_one_to_four_examples_that_parse(words: tuple[str, ...]) -> None:
    lines = examples(words)
    assert 1 <= len(lines) <= 4
    for line in lines:
        argv = shlex.split(re.split(r" [>|] ", line.removeprefix("sudo "))[0])
        if "|" in line and argv[0] != "nitroctl":  # something piped into nitroctl
            argv = shlex.split(line.rpartition("| ")[2])
        assert tuple(argv[: len(words) + 1]) == ("nitroctl", *words), line
        with parser(words).make_context(words[-1], argv[len(words) + 1 :]):
            pass


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_and_argument_is_explained(words: tuple[str, ...]) -> None:
    for parameter in parser(words).params:
        assert getattr(parameter, "help", None), f"{' '.join(words)}: {parameter.name}"
        assert re.search(r"[.)\]]$", parameter.help), f"{' '.join(words)}: {parameter.help!r}"


@pytest.mark.parametrize(
    ("words", "forms"),
    [
        ("pcr list", "human|json"),
        ("pcr check", "human|json|sarif|junit|github"),
        ("attest verify", "human|json|sarif|junit|github|ear|vsa"),
        ("attest policy check", "human|json|sarif|junit|github"),
        ("eif inspect", "human|json|sarif|junit|github|nitro-cli"),
    ],
)
def test_the_forms_of_an_answer_are_those_that_the_command_has(cli: Cli, words: str, forms: str) -> None:
    assert f"\n  --format [{forms}] " in cli(*words.split(), "--help").stdout.replace("]\n", "] \n")


@pytest.mark.parametrize("group", groups(), ids=lambda group: " ".join(group.words))
def test_every_noun_lists_its_verbs(cli: Cli, group: Any) -> None:
    shown = cli(*group.words, "--help").stdout
    for name, _ in group.members:
        assert f"\n  {name} " in shown
    alone = cli(*group.words)
    assert (alone.status, alone.stdout, alone.stderr) == (2, "", shown)


@pytest.mark.parametrize("group", groups(), ids=lambda group: " ".join(group.words))
def test_a_table_of_verbs_says_what_their_help_says(group: Any) -> None:
    noun = parser(group.words)
    for name, (_, _, summary) in getattr(noun, "members", {}).items():
        assert summary == first_sentence(noun.get_command(None, name).help)


def test_the_program_lists_every_noun(cli: Cli) -> None:
    shown = cli("--help").stdout
    assert [line.split()[0] for line in shown.splitlines() if re.match(r"  [a-z]", line)] == list(GROUPS)
