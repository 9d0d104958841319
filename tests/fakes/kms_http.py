"""HTTP around the services of the tests: AWS's JSON 1.1 interface, and STS's one query that says who calls.

What answers is :mod:`tests.fakes.kms` for keys and their policies, :mod:`tests.fakes.kms_signing` for a key that signs.
"""

import http.server
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import pytest

from tests.fakes.kms_policy import Refusal

REQUEST_ID = "5e1f0c4e-1111-2222-3333-444455556666"
Answer = Refusal | bytes | dict[str, Any]


class Service(Protocol):
    """What answers. ``headers``: takes those of every request."""

    headers: list[Mapping[str, str]]

    def receive(self, service: str, operation: str, body: dict[str, Any], region: str) -> Answer | None:
        """Return the answer to a request; None hangs up."""


class _Handler(http.server.BaseHTTPRequestHandler):
    service: Service

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        scope = re.search(r"Credential=[^/]+/[0-9]{8}/([a-z0-9-]+)/([a-z]+)/", self.headers.get("Authorization", ""))
        if scope is None:
            self._reply(Refusal("MissingAuthenticationTokenException", "Missing Authentication Token", 403))
            return
        region, name = scope.groups()
        self.service.headers.append(dict(self.headers))
        if name == "sts":
            [operation] = parse_qs(content.decode())["Action"]
            answer = self.service.receive(name, operation, {}, region)
        else:
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            answer = self.service.receive(name, operation, json.loads(content), region)
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif name == "sts":
            self._reply_in_xml(operation, answer)
        else:
            self._reply(answer)

    def _reply(self, answer: Answer) -> None:
        status = 200
        if isinstance(answer, Refusal):
            status, answer = answer.status, {"__type": answer.code, "message": answer.message}
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self._send(status, "application/x-amz-json-1.1", content)

    def _reply_in_xml(self, operation: str, answer: Answer) -> None:
        if isinstance(answer, Refusal):
            text = f"<Error><Code>{escape(answer.code)}</Code><Message>{escape(answer.message)}</Message></Error>"
            content = f"<ErrorResponse>{text}<RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
            self._send(answer.status, "text/xml", content.encode())
            return
        assert isinstance(answer, dict)
        members = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in answer.items())
        result = f"<{operation}Result>{members}</{operation}Result>"
        metadata = f"<ResponseMetadata><RequestId>{REQUEST_ID}</RequestId></ResponseMetadata>"
        self._send(200, "text/xml", f"<{operation}Response>{result}{metadata}</{operation}Response>".encode())

    def _send(self, status: int, kind: str, content: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("x-amzn-RequestId", REQUEST_ID)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:  # who asked did not wait
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base's name)
        pass


@contextmanager
def serving(service: Service) -> Iterator[str]:
    """Serve ``service`` on a port of this machine for the block; the URL."""
    handler = type("Handler", (_Handler,), {"service": service})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def environment(url: str) -> dict[str, str]:
    """Return the environment in which AWS calls come to ``url``, with credentials that are none elsewhere."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ENDPOINT_URL_KMS": url,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "only-for-tests",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }


def reachable(url: str, monkeypatch: pytest.MonkeyPatch, *, connect: Callable[[socket.socket, Any], None]) -> None:
    """Lead AWS calls to ``url``, and let connections to it (and to nothing else) through.

    ``connect``: the socket's own, which the tests replace to keep the network out.
    """
    guarded, port = socket.socket.connect, int(url.rpartition(":")[2])

    def guard(self: socket.socket, address: Any) -> None:
        (connect if address == ("127.0.0.1", port) else guarded)(self, address)

    monkeypatch.setattr(socket.socket, "connect", guard)
    for name, value in environment(url).items():
        monkeypatch.setenv(name, value)
