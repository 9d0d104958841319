"""The command tree as plain data: what completion scripts and the generated documentation are made from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nitroctl.cli.output import forms
from nitroctl.cli.tree import GROUPS, root


@dataclass(frozen=True, slots=True)
class Option:
    """An option: its flag, help, and what its value is (``none``, ``text``, ``file``, ``directory``, or choices)."""

    flag: str
    text: str
    value: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """A command by its words (``("attest", "verify")``), summary, options, and what its arguments are.

    ``argument``: their kind (``none``, ``text``, ``file``, ``directory``, ``choice``); ``choices``: of any of them.
    """

    words: tuple[str, ...]
    summary: str
    options: tuple[Option, ...]
    argument: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A noun (or a noun under a noun) and its members: each word with its summary."""

    words: tuple[str, ...]
    members: tuple[tuple[str, str], ...]


def commands() -> list[Command]:
    """Return every command of the tree, in the order of the help."""
    return [_command(words, command) for words, command in _walk() if not hasattr(command, "commands")]


def groups() -> list[Group]:
    """Return every noun that has verbs, in the order of the help, a noun before those under it."""
    return [
        Group(words, tuple((name, _first_line(member)) for name, member in _members(group)))
        for words, group in _walk()
        if hasattr(group, "commands")
    ]


def _walk() -> Iterator[tuple[tuple[str, ...], Any]]:
    program = root()
    pending: list[tuple[tuple[str, ...], Any]] = [((noun,), program.get_command(None, noun)) for noun in GROUPS]
    while pending:
        words, command = pending.pop(0)
        yield words, command
        pending[:0] = [((*words, name), member) for name, member in _members(command)]


def _members(command: Any) -> list[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        return []
    return [(name, command.get_command(None, name)) for name in command.list_commands(None)]


def _command(words: tuple[str, ...], command: Any) -> Command:
    options: list[Option] = []
    argument, choices = "none", tuple[str, ...]()
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            kind, possible = _value(parameter)
            argument = kind if kind in ("file", "directory") or argument == "none" else argument
            choices += possible
        else:
            value, possible = ("none", tuple[str, ...]()) if parameter.is_flag else _value(parameter)
            if parameter.name == "format":
                value, possible = "choice", forms(" ".join(words))
            text = (parameter.help or "").split(". ")[0].rstrip(".")
            options.extend(Option(flag, text, value, possible) for flag in parameter.opts if flag.startswith("--"))
    options.append(Option("--help", "Show this message and exit", "none"))
    return Command(
        words, GROUPS[words[0]][1] if len(words) == 1 else _first_line(command), tuple(options), argument, choices
    )


def _first_line(command: Any) -> str:
    return str(command.help or "").strip().split("\n")[0].rstrip(".")


def _value(parameter: Any) -> tuple[str, tuple[str, ...]]:
    """Return what a parameter's value is, from its choices or its metavar."""
    choices = tuple(str(getattr(choice, "value", choice)) for choice in getattr(parameter.type, "choices", ()))
    metavar = str(parameter.metavar or "")
    if not choices and re.fullmatch(r"\[[a-z|-]+\]", metavar):
        choices = tuple(metavar.strip("[]").split("|"))
    if choices:
        return "choice", choices
    words = set(re.split(r"[^A-Z]+", metavar))
    if words & {"FILE", "PEM", "EIF", "PATH"}:
        return "file", ()
    return ("directory", ()) if "DIR" in words else ("text", ())


def help_text(words: tuple[str, ...]) -> str:
    """Return the ``--help`` of the command with ``words`` (the program's for none), 100 columns wide."""
    command: Any = root()
    context = command.make_context("nitroctl", ["--help-is-not-parsed"], resilient_parsing=True, max_content_width=100)
    for word in words:
        command = command.get_command(context, word)
        context = type(context)(command, info_name=word, parent=context)
    context.terminal_width = 100
    return str(command.get_help(context)).rstrip()
