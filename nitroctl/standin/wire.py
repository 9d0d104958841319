"""How nitro-cli and an enclave's manager talk: one line of JSON asks, lines of JSON answer, closing ends it.

An answer is any number of ``{"stderr": text}`` and at most one ``{"stdout": value}`` or ``{"value": value}``. Closing
without one is a refusal or a failure: that is how the original says no. (The original's own encoding, CBOR behind
8-byte lengths, is between its two halves and no business of a wrapper's; neither is this.)
"""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from nitroctl.standin import knobs
from nitroctl.standin.failures import Failure

#: How long a manager may take in a command to all, in seconds.
PATIENCE: Final = 3.0


class NoAnswer(Exception):
    """The manager cannot be reached, or closed the connection without an answer."""


def ask(path: Path, command: str, *, patience: float | None = None, **arguments: Any) -> Any:  # noqa: ANN401  (JSON)
    """Return a manager's answer to ``command``, passing its stderr on. Raises NoAnswer, or OSError from connecting."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(patience)
        connection.connect(str(path))
        request = {"command": command, "outsider": bool(knobs.get("NOT_OWNER")), **arguments}
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            return receive(connection)
        except OSError as error:
            raise NoAnswer(str(error)) from error


def receive(connection: socket.socket) -> Any:  # noqa: ANN401  (JSON)
    """Return the answer that comes over ``connection``, passing stderr on. Raises NoAnswer where there is none."""
    answer: list[Any] = []
    with connection.makefile("r", encoding="utf-8") as stream:
        for line in stream:
            reply = json.loads(line)
            if "stderr" in reply:
                sys.stderr.write(reply["stderr"])
                sys.stderr.flush()
            else:
                answer.append(reply["answer"])
    if not answer:
        raise NoAnswer("the connection was closed")
    return answer[0]


def send(connection: socket.socket, **reply: Any) -> None:  # noqa: ANN401  (JSON)
    """Send one line of an answer; a peer that went away is no concern of the manager's."""
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(reply).encode() + b"\n")


def entries() -> Sequence[os.DirEntry[str]]:
    """Return the entries of the sockets directory in the order the directory has them. Raises OSError."""
    with os.scandir(knobs.sockets()) as found:
        return list(found)


def ask_all(command: str, **arguments: Any) -> tuple[list[Any], int]:  # noqa: ANN401  (JSON)
    """Return every manager's answer, and how many gave none.

    A socket nobody listens on is deleted, and not counted; a directory among them is passed over. Raises Failure E07.
    """
    answers, failed = [], 0
    try:
        found = entries()
    except OSError as error:
        raise Failure(7, f"sockets directory: {error}") from error
    for entry in found:
        if entry.is_dir() or not entry.name.endswith(".sock"):
            continue
        try:
            answers.append(ask(Path(entry.path), command, patience=PATIENCE, **arguments))
        except NoAnswer:
            failed += 1
        except PermissionError:
            continue
        except OSError:
            Path(entry.path).unlink(missing_ok=True)
    return answers, failed


def socket_of(enclave_id: str) -> Path:
    """Return the path of the socket for an enclave id: what follows the last ``-enc``, and ``.sock``."""
    return knobs.sockets() / f"{enclave_id.rpartition('-enc')[2]}.sock"
