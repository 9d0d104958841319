"""The stand-in's knobs: environment variables that choose a version, a failure or a delay.

:mod:`nitroctl.standin.host` explains them to people; this module reads them. A variable that begins like a knob and
is none stops the stand-in, so that a misspelt knob cannot make a test pass.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

PREFIX: Final = "NITROCTL_STANDIN_"

KNOBS: Final[Mapping[str, str]] = {
    "HOST": "directory of the stand-in host (host.create sets it)",
    "VERSION": "nitro-cli version to be, default 1.5.0; flags and output shapes follow it",
    "ARCHITECTURE": "architecture of every docker image: amd64 (default), arm64, or one that cannot be built",
    "BUILD": "how build-enclave ends: fail | pull | dockerfile | docker-down | nospace | hang | panic",
    "SLOW_BUILD": "seconds build-enclave takes",
    "LINUXKIT": "KiB of linuxkit output that build-enclave lets through to stderr",
    "SIGNING": "fail: the signing key cannot be used (before 1.5.0 the image is then left unsigned, status 0)",
    "SLOW_BOOT": "seconds between 'Started enclave' and the heartbeat",
    "HEARTBEAT": "fail: the enclave never sends it (E36 after 'Started enclave')",
    "CLASH": "1: port 9000 is taken, as when another launch is under way (E36 before 'Started enclave')",
    "VANISH": "seconds after which a launched enclave ends by itself",
    "MUTE": "1: the enclave launched now closes every connection to its manager without an answer",
    "STATE": "State that the enclave launched now reports, in place of RUNNING",
    "CONSOLE": "text the enclave launched now writes to its console after the boot lines",
    "ROLE_ARN": "IAM role of the parent instance (PCR3)",
    "NOT_OWNER": "1: this nitro-cli acts for a user who does not own the enclaves",
    "STRAY": "name of a directory that run-enclave leaves in the sockets directory, as the ACM agent does",
    "HASH_ALGORITHM": "text of HashAlgorithm, in place of the version's own",
    "TAMPER": "subcommands (comma separated; 1 is describe-enclaves) that print another PCR0 than the image's",
    "NONSENSE": "what comes out in place of JSON: text | empty | truncated | binary | null | scalar",
    "HANG": "subcommands (comma separated) that never come back",
}


def get(name: str, default: str = "") -> str:
    """Return the knob's value, or ``default`` where it is unset or empty."""
    assert name in KNOBS  # noqa: S101  (a slip in the stand-in itself)
    return os.environ.get(PREFIX + name) or default


def seconds(name: str) -> float:
    """Return a knob that is a number of seconds, 0 where it is unset."""
    return float(get(name, "0"))


def names(name: str) -> Sequence[str]:
    """Return a knob that lists subcommands."""
    return [part.strip() for part in get(name).split(",") if part.strip()]


def unknown() -> Sequence[str]:
    """Return the variables that look like knobs and are none."""
    return sorted(
        variable
        for variable in os.environ
        if variable.startswith(PREFIX) and variable.removeprefix(PREFIX) not in KNOBS
    )


def version() -> str:
    """Return the nitro-cli version the stand-in is."""
    return get("VERSION", "1.5.0")


def since(wanted: str) -> bool:
    """Whether the stand-in is nitro-cli ``wanted`` or later."""
    return _numbers(version()) >= _numbers(wanted)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def hash_algorithm() -> str:
    """Return the text of ``HashAlgorithm``: a debug rendering of a Rust type, not an identifier."""
    return get("HASH_ALGORITHM", "Sha512_48 { .. }" if since("1.5.0") else "Sha384 { ... }")


def host() -> Path | None:
    """Return the directory of the stand-in host; None without one, as on a machine that cannot run enclaves."""
    directory = get("HOST")
    return Path(directory) if directory else None


def sockets() -> Path:
    """Return the directory of the managers' sockets."""
    return Path(os.environ.get("NITRO_CLI_SOCKETS_PATH") or "/run/nitro_enclaves")


def logs() -> Path:
    """Return the directory of the log and the error files."""
    return Path(os.environ.get("NITRO_CLI_LOGS_PATH") or "/var/log/nitro_enclaves")


def blobs() -> Path:
    """Return the directory of kernel, init and command line."""
    return Path(os.environ.get("NITRO_CLI_BLOBS") or "/usr/share/nitro_enclaves/blobs")
