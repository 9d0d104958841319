"""Process entry: answer ``--version`` without importing anything, else hand over to :func:`nitroctl.cli.run`."""

import sys

from nitroctl import __version__


def main() -> int:
    """Run the command line in ``sys.argv`` and return the process exit status."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"nitroctl {__version__}\n")
        return 0
    try:
        from nitroctl.cli import run  # noqa: PLC0415  (start-up: nothing is imported for --version)

        return run(sys.argv[1:])
    except KeyboardInterrupt:  # before run() could listen, or while it said good-bye
        return 130


if __name__ == "__main__":
    sys.exit(main())
