"""The command line. :func:`run` is the only place that prints and chooses an exit status.

A verb's function takes parsed options and returns a :class:`~nitroctl.render.result.Result` (or ``Stream``); it
raises :class:`~nitroctl.errors.NitroctlError` when it could not look. stdout carries the answer, stderr the rest.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from nitroctl.cli.output import EXPORTS, Output, asking, is_coloured, no_checks, no_export, read, width_of
from nitroctl.errors import CannotAnswer, ExitCode, NitroctlError, Terminated, UsageError

if TYPE_CHECKING:
    from nitroctl.render.result import Result, Stream


def run(argv: Sequence[str]) -> int:
    """Do what ``argv`` (without the program name) asks for, print the answer, and return the exit status.

    1 means "the answer is no" and nothing else: a crash is 70, a broken pipe 141, an interrupt 130. With --exit-zero a
    no is told and gives 0; what could not be looked at stays what it is.
    """
    output = Output()
    try:
        signal.signal(signal.SIGTERM, _terminate)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # a lost terminal cleans up too; nohup stays nohup
            signal.signal(signal.SIGHUP, _terminate)
        output = read(argv)
        with asking(output):
            status = _answer(list(argv), output)
    except BrokenPipeError:
        _discard_stdout()
        status = ExitCode.BROKEN_PIPE
    except KeyboardInterrupt:
        status = _ended("interrupted", ExitCode.INTERRUPTED)
    except Terminated:
        status = _ended("terminated", ExitCode.TERMINATED)
    except NitroctlError as error:
        status = _failed(error, output)
    except Exception as error:  # noqa: BLE001  (the one catch-all: a bug gets 70, never 1)
        status = _failed(_nowhere(error) or _bug(error), output)
    _let_go_of_stderr()
    return 0 if output.exit_zero and status == ExitCode.REFUSED else int(status)


def _answer(argv: list[str], output: Output) -> int:
    if argv and argv[0] == "--version":
        from nitroctl.cli.version import version

        return _show(version(argv[1:]), output)
    from typer.exceptions import Abort, TyperException

    from nitroctl.cli.tree import root

    try:
        with _told_when_full() if "--help" in argv else contextlib.nullcontext():  # the parser prints the help itself
            returned = root().main(argv, prog_name="nitroctl", standalone_mode=False)
    except TyperException as error:
        return _usage(error, output)
    except Abort as error:
        raise KeyboardInterrupt from error
    if returned == ExitCode.INTERRUPTED:  # what typer makes of Ctrl-C
        raise KeyboardInterrupt
    if returned is None or isinstance(returned, int):  # --help
        return int(returned or 0)
    return _show(returned, output)


def _show(answer: "Result | Stream", output: Output) -> int:
    from nitroctl.render import result

    if isinstance(answer, result.Stream):
        if answer.preface is not None:
            _show(answer.preface, output)
        if answer.summary is not None:
            _pour(answer, output)
            return _sum_up(answer.summary(), output)
        if output.form != "json" or answer.result is None:
            return _pour(answer, output)
        for _ in answer.chunks:
            pass
        answer = answer.result()
    if output.form == "json":
        from nitroctl.render import envelope

        _put(envelope.dumps(envelope.of_result(answer)))
        return _concluded(answer)
    if output.form in EXPORTS:
        return _exported(answer, output)
    if output.form != "human":
        return _reported(answer, output)
    from nitroctl.render.human import Screen

    colour = is_coloured(sys.stdout, output.colour)
    _put(Screen(colour=colour, width=width_of(sys.stdout), encoding=sys.stdout.encoding).draw(answer.view))
    _note(answer.notes, output)
    return _concluded(answer)


def _reported(answer: "Result", output: Output) -> int:
    """Give the checks of an answer to a CI system."""
    from nitroctl.render.plain import encodable

    _put(encodable(_for_ci(answer, output.form), sys.stdout.encoding))
    if output.form == "github":
        from nitroctl.cli import github

        for error in answer.trouble if answer.subjects is None else ():
            _annotate(error, output)
        github.hand_over(answer)
    return _concluded(answer)


def _for_ci(answer: "Result", form: str) -> str:
    """Return the checks of an answer as CI systems read them. Raises UsageError when there are none."""
    from nitroctl.render import ci, ci_many

    if answer.subjects is not None:
        return ci_many.FORMATS[form](answer, answer.subjects)
    if answer.report is None:
        raise no_checks(form)
    return ci.FORMATS[form](answer, answer.report)


def _sum_up(answer: "Result", output: Output) -> int:
    """Show the answer that ends a stream; under ``--json`` it is the last line."""
    if output.form != "json":
        return _show(answer, output)
    from nitroctl.render import envelope

    _put(envelope.line(envelope.of_result(answer)))
    return _concluded(answer)


def _exported(answer: "Result", output: Output) -> int:
    """Give the answer in a format of others. Raises UsageError when it cannot be given in that one."""
    export = answer.exports.get(output.form)
    if export is None:
        raise no_export(output.form)
    _put(export.text())
    _note([*answer.notes, export.note], output)
    return _concluded(answer)


def _note(notes: Sequence[str], output: Output) -> None:
    if not output.quiet:
        for note in notes:
            _say("note", note)


def _concluded(answer: "Result") -> int:
    """Report what could not be looked at beside the answer, and return the exit status."""
    for error in answer.trouble:
        _complain(error)
    return answer.exit_code


def _put(text: str) -> None:
    """Write text to stdout, all of it now. Raises CannotAnswer when it cannot be written (a full disk)."""
    with _told_when_full():
        sys.stdout.write(text)
        sys.stdout.flush()


def _put_bytes(content: bytes) -> None:
    """Write bytes to stdout, all of them now. Raises CannotAnswer as :func:`_put` does."""
    with _told_when_full():
        sys.stdout.buffer.write(content)
        sys.stdout.flush()


@contextlib.contextmanager
def _told_when_full() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard_stdout()
        reason = (error.strerror or type(error).__name__).lower()
        raise CannotAnswer(f"standard output: cannot write: {reason}", "file.unwritable") from error


def _pour(stream: "Stream", output: Output) -> int:
    """Copy a stream to stdout as it comes, escaping control bytes when people look at it."""
    from nitroctl.render.plain import encodable, visible

    escape = stream.sanitise and sys.stdout.isatty()
    try:
        for chunk in stream.chunks:
            if escape:
                text = chunk.decode("utf-8", "backslashreplace").replace("\r\n", "\n").replace("\t", "    ")
                _put(encodable("\n".join(visible(line) for line in text.split("\n")), sys.stdout.encoding))
            else:
                _put_bytes(chunk)
    finally:
        close = getattr(stream.chunks, "close", None)
        if close:
            close()
    _note(stream.notes, output)
    return stream.finish()


def _usage(error: Exception, output: Output) -> int:
    """Report what the parser refused; a noun without a verb gets its help instead."""
    context = getattr(error, "ctx", None)
    message = str(getattr(error, "format_message", lambda: error)())
    if type(error).__name__ == "NoArgsIsHelpError":
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{message}\n")
        return ExitCode.USAGE
    path = context.command_path if context else "nitroctl"
    message = " ".join((message[:1].lower() + message[1:].rstrip(".")).split())
    problem = UsageError(message, "usage.invalid", [f"see {path} --help"])
    return _failed(problem, output)


def _failed(error: NitroctlError, output: Output) -> int:
    """Say what went wrong, on stderr for people and on stdout for machines, and return the exit status."""
    if output.debug:
        import traceback

        traceback.print_exception(error.__cause__ if error.exit_code is ExitCode.BUG else error, file=sys.stderr)
    if output.form == "json":
        from nitroctl.render import envelope

        try:
            sys.stdout.write(envelope.dumps(envelope.of_error(error, error.exit_code)))
            sys.stdout.flush()
        except OSError:
            _discard_stdout()
    _annotate(error, output)
    _complain(error)
    return error.exit_code


def _annotate(error: NitroctlError, output: Output) -> None:
    """Make what could not be looked at an annotation, where GitHub reads: a step that fails says why on its page."""
    if output.form != "github" or error.exit_code is ExitCode.USAGE:
        return
    from nitroctl.render import ci
    from nitroctl.render.plain import encodable

    try:
        sys.stdout.write(encodable(f"{ci.annotations([ci.failure(error)])[0]}\n", sys.stdout.encoding))
        sys.stdout.flush()
    except OSError:
        _discard_stdout()


def _complain(error: NitroctlError) -> None:
    _say("error", f"{error.message} [{error.code}]")
    for hint in error.hints:
        _say("hint", hint)


class _Bug(NitroctlError):
    exit_code = ExitCode.BUG


def _bug(error: Exception) -> NitroctlError:
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    where = f"{os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno}" if place else "?"  # noqa: PTH119
    bug = _Bug(
        f"a bug in nitroctl: {type(error).__name__} at {where}: {error}",
        "internal.bug",
        ["run it again with --debug and report the traceback"],
    )
    bug.__cause__ = error
    return bug


def _nowhere(error: Exception) -> NitroctlError | None:
    """Return what to say when the current directory is gone: no relative path leads anywhere then."""
    if not isinstance(error, FileNotFoundError):
        return None
    try:
        os.getcwd()  # noqa: PTH109  (a question, not a path)
    except FileNotFoundError:
        return CannotAnswer(
            "the current directory is not there any more", "file.unreadable", ["change to one that is there: cd"]
        )
    return None


def _say(kind: str, text: str) -> None:
    """Write one line to stderr: ``nitroctl: error: …``."""
    from nitroctl.render.plain import encodable, inert, visible

    try:
        sys.stderr.write(f"nitroctl: {kind}: {encodable(inert(visible(text)), sys.stderr.encoding)}\n")
        sys.stderr.flush()
    except OSError:
        pass


def _ended(how: str, exit_code: ExitCode) -> int:
    _say("note", how)
    return exit_code


def _let_go_of_stderr() -> None:
    """Drop what could not be written to stderr, for the same reason as :func:`_discard_stdout`."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _discard_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush cannot fail and change the exit status."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _terminate(_signum: int, _frame: FrameType | None) -> None:
    raise Terminated
