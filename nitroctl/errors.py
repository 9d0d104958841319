"""What can go wrong, and the exit status each kind of trouble gets.

::

    NitroctlError                 anything nitroctl says in its own words
    ├── UsageError          (2)   the invocation contradicts itself
    ├── CannotAnswer        (3)   the question could not be looked at: file, host, permission, settings
    │   └── Declined        (3)   the operator said no to a prompt
    ├── NitroCliFailed      (4)   nitro-cli ran and failed; its E-code is in ``details``
    └── AwsFailed           (5)   an AWS call failed; error code and request id are in ``details``

"The answer is no" (1) is never an exception: it is a :class:`nitroctl.checks.Report` or a result that says so.
A bug is any other exception; :func:`nitroctl.cli.run` gives it 70. What each ``code`` means, its likely causes and
its remedy stand in :mod:`nitroctl.catalogue`, from which ``nitroctl explain`` and docs/errors.md are made.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """Process exit statuses. Append-only: documented in docs/exit-codes.md."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    CANNOT_ANSWER = 3
    NITRO_CLI = 4
    AWS = 5
    BUG = 70
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


class NitroctlError(Exception):
    """Base of every error nitroctl raises on purpose.

    ``message``: one line, no final full stop, naming the file or thing, the place in it, and what is wrong.
    ``code``: dotted lower-case nouns (``allocator.unknown-key``); has an entry in the catalogue.
    ``hints``: what to do, one line each. ``details``: machine-readable facts for the JSON envelope.
    """

    exit_code: ExitCode = ExitCode.CANNOT_ANSWER

    def __init__(
        self,
        message: str,
        code: str,
        hints: Sequence[str] = (),
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hints = tuple(hints)
        self.details = dict(details or {})

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way to another process whole."""
        return type(self), (self.message, self.code, self.hints, self.details)


class UsageError(NitroctlError):
    """The invocation is wrong in a way the parser cannot see (contradictory or missing options)."""

    exit_code = ExitCode.USAGE


class CannotAnswer(NitroctlError):
    """The question could not be looked at; says nothing about the answer."""

    exit_code = ExitCode.CANNOT_ANSWER


class Declined(CannotAnswer):
    """A prompt was answered with no, or could not be asked."""


class NitroCliFailed(NitroctlError):
    """nitro-cli ran and reported failure."""

    exit_code = ExitCode.NITRO_CLI


class AwsFailed(NitroctlError):
    """An AWS API call failed."""

    exit_code = ExitCode.AWS


class Terminated(BaseException):
    """SIGTERM arrived; raised in the main thread so that clean-up code runs. Exit status 143."""
