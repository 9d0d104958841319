"""Make the files that are generated and committed, or (``--check``) hold the committed ones against fresh ones.

completions/* from the command tree, docs/cli.md from every ``--help``, docs/errors.md from the catalogue,
the tables of docs/lab.md and tests/assets/lab-sentences.txt from the lab's cases.
"""

import difflib
import sys
from collections.abc import Mapping

from nitroctl.catalogue import CATALOGUE
from nitroctl.cli.completion import Shell, render
from nitroctl.cli.outline import commands, help_text
from nitroctl.cli.tree import GROUPS
from nitroctl.host.nitro_cli_errors import NITRO_CLI_ERRORS
from nitroctl.standin.lab import CASES
from tests.conftest import ROOT
from tests.lab_sentences import sentences


def generated() -> Mapping[str, str]:
    """Return every generated file's path and fresh content."""
    return {
        "completions/nitroctl.bash": render(Shell.BASH),
        "completions/_nitroctl": render(Shell.ZSH),
        "completions/nitroctl.fish": render(Shell.FISH),
        "docs/cli.md": _cli(),
        "docs/errors.md": _errors(),
        "docs/lab.md": _lab(),
        "tests/assets/lab-sentences.txt": sentences(),
    }


def _cli() -> str:
    lines = ["# Every command", "", "Made by `make generate` from each command's `--help`; a test compares.", ""]
    lines += ["```", help_text(()), "```", ""]
    for noun, (_, summary) in GROUPS.items():
        lines += [f"## {noun}", "", summary, ""]
        for command in commands():
            if command.words[0] == noun:
                title = " ".join(command.words)
                lines += [f"### nitroctl {title}", "", "```", help_text(command.words), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _errors() -> str:
    lines = [
        "# Errors and checks",
        "",
        "Made by `make generate` from the catalogue that `nitroctl explain CODE` reads; a test compares.",
        "",
        "## nitroctl's own codes and check ids",
    ]
    for code, found in CATALOGUE.items():
        lines += ["", f"### `{code}`", "", found.meaning, "", f"Likely causes: {'; '.join(found.causes)}.", ""]
        lines += [f"What to do: {found.remedy}"]
    lines += ["", "## nitro-cli's codes", ""]
    for code, error in NITRO_CLI_ERRORS.items():
        lines += [f"### `{code}`", "", error.meaning, "", f"Likely causes: {'; '.join(error.causes)}.", ""]
        lines += [f"What to do: {error.remedy}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _lab() -> str:
    """Return docs/lab.md: what stands before its tables as it is, and fresh tables."""
    said, mark, _ = (ROOT / "docs" / "lab.md").read_text().partition("a test compares.\n")
    if not mark:
        raise ValueError("docs/lab.md has lost the sentence that its tables follow")
    lines = ["", "### Must be accepted", "", "| name | the document | remarks |", "| --- | --- | --- |"]
    for case in CASES:
        if case.accepted:
            remarks = [f"`{check}`" for check in sorted(case.warns)] + (["strict"] if case.strict else [])
            lines += [f"| `{case.name}` | {case.description} | {', '.join(remarks)} |"]
    lines += ["", "### Must be refused", "", "| name | the document | by |", "| --- | --- | --- |"]
    for case in CASES:
        if not case.accepted:
            by = ", ".join(f"`{check}`" for check in sorted(case.fails)) + (" (strict)" if case.strict else "")
            lines += [f"| `{case.name}` | {case.description} | {by} |"]
    return said + mark + "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the files, or compare them and print the differences."""
    stale = 0
    for name, fresh in generated().items():
        path = ROOT / name
        committed = path.read_text() if path.exists() else ""
        if committed == fresh:
            continue
        stale += 1
        if "--check" in arguments:
            diff = difflib.unified_diff(committed.splitlines(), fresh.splitlines(), name, "fresh", lineterm="", n=1)
            sys.stdout.write("\n".join(list(diff)[:40]) + "\n")
        else:
            path.write_text(fresh)
            sys.stdout.write(f"wrote {name}\n")
    if "--check" in arguments and stale:
        sys.stdout.write(f"{stale} generated files are stale: run make generate\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
