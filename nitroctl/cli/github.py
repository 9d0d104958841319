"""Handing a step's summary and outputs to GitHub Actions, in the files that its runner names."""

import os
from typing import TYPE_CHECKING, Final

from nitroctl.errors import CannotAnswer

if TYPE_CHECKING:
    from nitroctl.render.result import Result

#: Variables in which the runner names the files. Both are appended to: other commands of the step write there too.
SUMMARY: Final = "GITHUB_STEP_SUMMARY"
OUTPUT: Final = "GITHUB_OUTPUT"


def hand_over(result: "Result") -> None:
    """Append the summary and the outputs where the runner asks for them; nothing where it does not.

    Raises CannotAnswer ``file.unwritable`` for a file that cannot be appended to.
    """
    from nitroctl.render import ci_github

    if os.environ.get(SUMMARY):
        _append(os.environ[SUMMARY], ci_github.summary(result), SUMMARY)
    if os.environ.get(OUTPUT):
        _append(os.environ[OUTPUT], ci_github.output_lines(ci_github.outputs(result)), OUTPUT)


def _append(path: str, text: str, variable: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o644)
        with open(descriptor, "ab") as stream:  # noqa: PTH123  (a descriptor)
            stream.write(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise CannotAnswer(
            f"{path}: cannot write: {reason}", "file.unwritable", [f"it is named by {variable}, which the runner sets"]
        ) from error
