"""Process entry: answer ``--version`` without importing anything, else hand over to :func:`nitroctl.cli.run`."""

import gc
import os
import sys

from nitroctl import __version__


def main() -> int:
    """Run the command line in ``sys.argv`` and return the process exit status."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        _replace_closed_streams()
    if sys.argv[1:] == ["--version"]:
        try:
            sys.stdout.write(f"nitroctl {__version__}\n")
            sys.stdout.flush()
        except OSError:  # run() says it, with the status that it has
            pass
        else:
            return 0
    try:
        from nitroctl.cli import run  # noqa: PLC0415  (start-up: nothing is imported for --version)

        return run(sys.argv[1:])
    except KeyboardInterrupt:  # before run() could listen, or while it said good-bye
        return 130
    finally:
        gc.freeze()  # the process ends: Python would look through all that it loaded for garbage


def _replace_closed_streams() -> None:
    """Put something where the caller closed standard input, output or error.

    Else the next file opened would get the number, and what a child process prints would end in it. Reading the first
    and writing to the second still fail, so that no answer is lost unnoticed; what goes to the third is dropped.
    """
    for number, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, mode), True)  # the lowest free number: this one
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


if __name__ == "__main__":
    sys.exit(main())
