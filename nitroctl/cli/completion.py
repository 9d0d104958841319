"""``nitroctl completion SHELL``: static completion scripts, made from the command tree.

The scripts call nothing while the user types. They are committed in completions/ and installed by the wheel; a test
compares them with fresh ones.
"""

import re
from enum import StrEnum
from typing import Annotated

import typer

from nitroctl.cli.outline import Command, Group, Option, commands, groups
from nitroctl.cli.tree import GROUPS, single, verb
from nitroctl.render.result import Result
from nitroctl.render.view import Raw

app = single()


class Shell(StrEnum):
    """The shells there are scripts for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@verb(
    app,
    "completion",
    """
nitroctl completion bash > /etc/bash_completion.d/nitroctl
nitroctl completion zsh > ~/.zfunc/_nitroctl
nitroctl completion fish > ~/.config/fish/completions/nitroctl.fish
""",
)
def completion(shell: Annotated[Shell, typer.Argument(help="Which shell.")]) -> Result:
    """Print a completion script for a shell. It completes without running nitroctl."""
    script = render(shell)
    return Result(schema="completion/1", data={"shell": shell.value, "script": script}, view=[Raw(script)])


def render(shell: Shell) -> str:
    """Return the script for ``shell``."""
    return {Shell.BASH: _bash, Shell.ZSH: _zsh, Shell.FISH: _fish}[shell](commands(), groups())


_BASH = """\
# bash completion for nitroctl. Made by: nitroctl completion bash
_nitroctl() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} cmd="" word i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${{COMP_WORDS[i]}}
        [[ $word == -* ]] && continue
        case "$cmd" in
            "") cmd=$word ;;
            {nouns}) cmd="$cmd $word" ;;
            *) break ;;
        esac
    done
    case "$cmd $prev" in
{values}
    esac
    if [[ $cur == -* ]]; then
        case "$cmd" in
{options}
            *) mapfile -t COMPREPLY < <(compgen -W "--help --version" -- "$cur") ;;
        esac
        return
    fi
    case "$cmd" in
        "") mapfile -t COMPREPLY < <(compgen -W "{all}" -- "$cur") ;;
{arguments}
    esac
}}
complete -o filenames -F _nitroctl nitroctl
"""


def _bash(every: list[Command], nouns: list[Group]) -> str:
    values, options, arguments = [], [], []
    for command in every:
        path = " ".join(command.words)
        for option in command.options:
            if option.value != "none":
                reply = _bash_reply(option.value, option.choices)
                values.append(f'        "{path} {option.flag}") {reply}return ;;')
        flags = _bash_reply("choice", tuple(option.flag for option in command.options))
        options.append(f'            "{path}") {flags};;')
        if command.argument not in ("none", "text"):
            arguments.append(f'        "{path}") {_bash_reply(command.argument, command.choices)};;')
    for noun in nouns:
        names = _bash_reply("choice", tuple(name for name, _ in noun.members))
        arguments.append(f'        "{" ".join(noun.words)}") {names};;')
    return _BASH.format(
        nouns=" | ".join(f'"{" ".join(noun.words)}"' for noun in nouns),
        values="\n".join(values),
        options="\n".join(options),
        arguments="\n".join(arguments),
        all=" ".join(GROUPS),
    )


def _bash_reply(value: str, choices: tuple[str, ...]) -> str:
    """Return the shell words that fill COMPREPLY with files, directories or choices; nothing for free text."""
    if value == "text":
        return ""
    kinds = {"file": ["-f"], "directory": ["-d"]}.get(value, [])
    words = " ".join([*kinds, *([f'-W "{" ".join(choices)}"'] if choices else [])])
    return f'mapfile -t COMPREPLY < <(compgen {words} -- "$cur"); '


def _zsh_text(text: str) -> str:
    return re.sub(r"([\[\]:\\'])", lambda match: {"'": "'\\''"}.get(match[1], "\\" + match[1]), text)


def _zsh(every: list[Command], nouns: list[Group]) -> str:
    lines = ["#compdef nitroctl", "# zsh completion for nitroctl. Made by: nitroctl completion zsh", ""]
    for command in every:
        lines.append(f"_nitroctl_{'_'.join(command.words)}() {{")
        lines.append("    _arguments -s \\")
        lines.extend(f"        '{_zsh_option(option)}' \\" for option in command.options)
        lines.append(f"        '{_zsh_argument(command)}'")
        lines += ["}", ""]
    for noun in nouns:
        function = f"_nitroctl_{'_'.join(noun.words)}"
        lines += [f"{function}() {{", "    local -a verbs=("]
        lines += [f"        '{name}:{_zsh_text(summary)}'" for name, summary in noun.members]
        lines += ["    )", *_zsh_dispatch("verbs", f"{function}_"), "}", ""]
    lines += ["_nitroctl() {", "    local -a nouns=("]
    lines += [f"        '{name}:{_zsh_text(summary)}'" for name, (_, summary) in GROUPS.items()]
    lines += ["    )", *_zsh_dispatch("nouns", "_nitroctl_"), "}", "", '_nitroctl "$@"']
    return "\n".join(lines) + "\n"


def _zsh_dispatch(names: str, prefix: str) -> list[str]:
    return [
        "    if ((CURRENT == 2)); then",
        f"        _describe command {names}",
        "    else",
        f"        local function={prefix}${{words[2]}}",
        "        shift words",
        "        ((CURRENT--))",
        "        (($+functions[$function])) && $function",
        "    fi",
    ]


def _zsh_option(option: Option) -> str:
    value = {"none": "", "text": ":value:", "file": ":file:_files", "directory": ":directory:_files -/"}
    tail = f":value:({' '.join(option.choices)})" if option.choices else value[option.value]
    repeat = "*" if option.value != "none" else ""
    return f"{repeat}{option.flag}[{_zsh_text(option.text)}]{tail}"


def _zsh_argument(command: Command) -> str:
    if command.choices and command.argument == "file":
        return f"*: :{{_alternative 'file:file:_files' 'value:value:({' '.join(command.choices)})'}}".replace(
            "'", "'\\''"
        )
    if command.choices:
        return f"*:value:({' '.join(command.choices)})"
    return {"file": "*:file:_files", "directory": "*:directory:_files -/"}.get(command.argument, "*:value:")


def _fish(every: list[Command], nouns: list[Group]) -> str:
    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    lines = ["# fish completion for nitroctl. Made by: nitroctl completion fish", "complete -c nitroctl -f"]
    lines += [
        f"complete -c nitroctl -n __fish_use_subcommand -a {name} -d {quoted(summary.rstrip('.'))}"
        for name, (_, summary) in GROUPS.items()
    ]
    for noun in nouns:
        seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in noun.words)
        names = " ".join(name for name, _ in noun.members)
        start = f"complete -c nitroctl -n '{seen}; and not __fish_seen_subcommand_from {names}'"
        lines += [f"{start} -a {name} -d {quoted(summary)}" for name, summary in noun.members]
    for command in every:
        seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in command.words)
        if command.argument in ("file", "directory"):
            lines.append(f"complete -c nitroctl -n {quoted(seen)} -F")
        if command.choices:
            lines.append(f"complete -c nitroctl -n {quoted(seen)} -a {quoted(' '.join(command.choices))}")
        for option in command.options:
            value = {"none": "", "text": " -x", "file": " -r -F", "directory": " -x -a '(__fish_complete_directories)'"}
            tail = f" -x -a {quoted(' '.join(option.choices))}" if option.choices else value[option.value]
            flag = option.flag.removeprefix("--")
            lines.append(f"complete -c nitroctl -n {quoted(seen)} -l {flag}{tail} -d {quoted(option.text)}")
    return "\n".join(lines) + "\n"
