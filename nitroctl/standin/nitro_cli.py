"""The stand-in for the nitro-cli program: ``python -m nitroctl.standin.nitro_cli ARGUMENTS``.

Results are JSON on stdout, two spaces, keys in the original's order; progress and errors go to stderr; the exit status
is the number of the error, 2 for wrong usage, 101 for a crash. 70 is a slip in the stand-in's own setting-up.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from nitroctl.standin import failures, knobs, usage
from nitroctl.standin.failures import Failure, Panic

if TYPE_CHECKING:
    from nitroctl.standin.usage import Parsed

_ACTIONS: Final = {
    "run-enclave": "Run Enclave",
    "terminate-enclave": "Terminate Enclave",
    "build-enclave": "Build Enclave",
    "describe-eif": "Describe EIF",
    "describe-enclaves": "Describe Enclaves",
    "console": "Enclave Console",
    "pcr": "Calculate PCR",
    "explain": "Explain",
    "sign-eif": "Sign EIF",
}
_USAGE_STATUS: Final = 2
_PANIC_STATUS: Final = 101
_SLIP_STATUS: Final = 70


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say and return the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if knobs.unknown():
        sys.stderr.write(f"stand-in for nitro-cli: no such knob: {', '.join(knobs.unknown())}\n")
        return _SLIP_STATUS
    try:
        args = usage.parse(sys.argv[1:] if argv is None else argv)
    except usage.Usage as refusal:
        sys.stderr.write(str(refusal))
        return _USAGE_STATUS
    except usage.Help as answer:
        sys.stdout.write(str(answer))
        return 0
    try:
        failures.log("nitro-cli", "INFO", f"Start Nitro CLI: {args.command}")
        _dispatch(args)
    except Failure as failure:
        _record(failure)
        sys.stdout.flush()
        sys.stderr.write(failures.block(failure, _ACTIONS[args.command]))
        return failure.code
    except Panic as panic:
        sys.stderr.write(f"thread 'main' panicked at src/lib.rs:1:1:\n{panic}\n")
        sys.stderr.flush()
        if panic.abort:
            os.kill(os.getpid(), signal.SIGABRT)
        return _PANIC_STATUS
    return 0


def _record(failure: Failure) -> None:
    with contextlib.suppress(Failure):  # it may be the log that failed
        failures.log("nitro-cli", "ERROR", str(failure))


def _dispatch(args: "Parsed") -> None:
    """Hand over to the subcommand; each imports only what it needs, for tests call this program often."""
    command = args.command
    if {command, "all"} & set(knobs.names("HANG")):
        while True:
            time.sleep(3600)
    if command in ("run-enclave", "describe-enclaves", "terminate-enclave", "console"):
        _enclaves(args)
    elif command in ("build-enclave", "sign-eif"):
        _build(args)
    elif command == "explain":
        _explain(str(args.get("error-code")))
    else:
        from nitroctl.standin import images  # noqa: PLC0415  (start-up)

        if command == "describe-eif":
            emit(images.describe(str(args.get("eif-path"))))
        elif args.has("input"):
            emit(images.register_of_file(str(args.get("input"))))
        else:
            emit(images.register_of_certificate(str(args.get("signing-certificate"))))


def _enclaves(args: "Parsed") -> None:
    from nitroctl.standin import enclaves  # noqa: PLC0415  (start-up)

    if args.command == "run-enclave":
        enclaves.run_enclave(args, emit)
    elif args.command == "describe-enclaves":
        enclaves.describe_enclaves(args, emit)
    elif args.command == "terminate-enclave":
        enclaves.terminate_enclave(args, emit)
    else:
        enclaves.console(args)


def _build(args: "Parsed") -> None:
    from nitroctl.standin import build  # noqa: PLC0415  (start-up)

    emit(build.build_enclave(args) if args.command == "build-enclave" else build.sign_eif(args))


def _explain(code: str) -> None:
    """Say more about an error, on stderr; there is no wrong question."""
    numbers = {f"E{number:02}": number for number in failures.ERRORS if number not in failures.UNEXPLAINED}
    if code not in numbers:
        sys.stderr.write(f"No such error code {code}\n")
        return
    first, rest = failures.ERRORS[numbers[code]]
    text = rest.format("(detail)", "(detail)")
    sys.stderr.write(f"{first}\n\t{text}\n\nFor more details, please visit {failures.DOCUMENTATION}#{code}\n")


def emit(value: object) -> None:
    """Print one result, or what the knob NONSENSE wants in its place."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    nonsense = {
        "text": b"Segmentation fault? No, worse: prose.\n",
        "empty": b"",
        "truncated": text.encode()[: len(text) // 2],
        "binary": b"\xff\xfe\x00\x80" * 64,
        "null": b"null\n",
        "scalar": b"42\n",
    }
    sys.stdout.flush()
    sys.stdout.buffer.write(nonsense.get(knobs.get("NONSENSE"), text.encode("utf-8", "surrogateescape")))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
