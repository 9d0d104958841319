"""A small KMS on this machine for the tests: GetPublicKey and Sign over HTTP, with knobs for what can go wrong.

It is no part of nitroctl and uses none of it. What it checks is what KMS checks: the target, a SigV4 header for the
right region and service, the arguments, and the digest's length against the algorithm.
"""

import base64
import http.server
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

REGION = "eu-west-1"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = f"arn:aws:kms:{REGION}:123456789012:key/{KEY_ID}"
ALIAS = f"arn:aws:kms:{REGION}:123456789012:alias/signing"
REQUEST_ID = "0f9d2c4e-1111-2222-3333-444455556666"
_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "ECDSA_SHA_256": hashes.SHA256(),
    "ECDSA_SHA_384": hashes.SHA384(),
    "ECDSA_SHA_512": hashes.SHA512(),
}
_SPECS = {
    "secp256r1": ("ECC_NIST_P256", "ECDSA_SHA_256"),
    "secp384r1": ("ECC_NIST_P384", "ECDSA_SHA_384"),
    "secp521r1": ("ECC_NIST_P521", "ECDSA_SHA_512"),
    "secp256k1": ("ECC_SECG_P256K1", "ECDSA_SHA_256"),
}


@dataclass(frozen=True)
class Refusal:
    """An error that AWS answers with."""

    code: str
    message: str = "no"
    status: int = 400


Answer = Refusal | bytes | dict[str, Any]


@dataclass
class Knobs:
    """What goes wrong. ``refuse``: by operation, every time; ``stumble``: as many refusals first.

    ``replace``: by operation, what is made of the right answer (bytes are sent as they are). ``stall``: seconds before
    an answer. ``hang_up``: close the connection without an answer.
    """

    refuse: dict[str, Refusal] = field(default_factory=dict)
    stumble: int = 0
    replace: dict[str, Callable[[dict[str, Any]], Answer]] = field(default_factory=dict)
    stall: float = 0
    hang_up: bool = False


class Kms:
    """The service: one key, the knobs, and the requests that were made of it in order."""

    def __init__(self, private_key_pem: bytes) -> None:
        self.key: Any = serialization.load_pem_private_key(private_key_pem, None)
        self.knobs = Knobs()
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[Mapping[str, str]] = []
        self.url = ""

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.requests]

    def answer(self, operation: str, body: dict[str, Any]) -> Answer:
        if self.knobs.stumble:
            self.knobs.stumble -= 1
            return Refusal("ThrottlingException", "Rate exceeded")
        if operation in self.knobs.refuse:
            return self.knobs.refuse[operation]
        if body["KeyId"] not in {ARN, ALIAS}:
            return Refusal("NotFoundException", f"Key '{body['KeyId']}' does not exist")
        answer = self._public_key() if operation == "GetPublicKey" else self._sign(body)
        if operation in self.knobs.replace and isinstance(answer, dict):
            return self.knobs.replace[operation](answer)
        return answer

    def _public_key(self) -> dict[str, Any]:
        public = self.key.public_key()
        curve = getattr(getattr(public, "curve", None), "name", "")
        spec, algorithm = _SPECS.get(curve, ("RSA_2048", "RSASSA_PSS_SHA_256"))
        der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return {
            "KeyId": ARN,
            "KeySpec": spec,
            "CustomerMasterKeySpec": spec,
            "KeyUsage": "SIGN_VERIFY",
            "SigningAlgorithms": [algorithm],
            "PublicKey": base64.b64encode(der).decode(),
        }

    def _sign(self, body: dict[str, Any]) -> Answer:
        algorithm = _SPECS[self.key.curve.name][1]
        if body.get("MessageType") != "DIGEST":
            return Refusal("ValidationException", "this service takes digests only")
        if body.get("SigningAlgorithm") != algorithm:
            return Refusal("InvalidKeyUsageException", "Algorithm is incompatible with key spec")
        digest = base64.b64decode(body["Message"], validate=True)
        if len(digest) != _HASHES[algorithm].digest_size:
            return Refusal("ValidationException", "Digest is invalid length for algorithm")
        value = self.key.sign(digest, ec.ECDSA(utils.Prehashed(_HASHES[algorithm])))
        return {"KeyId": ARN, "Signature": base64.b64encode(value).decode(), "SigningAlgorithm": algorithm}


class _Handler(http.server.BaseHTTPRequestHandler):
    """One request to KMS's JSON 1.1 interface."""

    kms: Kms

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        target = self.headers["X-Amz-Target"]
        assert target.startswith("TrentService."), target
        operation = target.removeprefix("TrentService.")
        self.kms.requests.append((operation, body))
        self.kms.headers.append(dict(self.headers))
        knobs = self.kms.knobs
        if knobs.hang_up:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        time.sleep(knobs.stall)
        scope = re.search(r"Credential=[^/]+/[0-9]{8}/([a-z0-9-]+)/([a-z]+)/", self.headers.get("Authorization", ""))
        if not scope or scope.groups() != (REGION, "kms"):
            self.reply(Refusal("MissingAuthenticationTokenException", "Missing Authentication Token", 403))
        else:
            self.reply(self.kms.answer(operation, body))

    def reply(self, answer: Answer) -> None:
        status = 200
        if isinstance(answer, Refusal):
            status, answer = answer.status, {"__type": answer.code, "message": answer.message}
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("x-amzn-RequestId", REQUEST_ID)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:  # who asked did not wait
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base's name)
        pass


@contextmanager
def running(kms: Kms) -> Iterator[Kms]:
    """Serve ``kms`` on a port of this machine for the block."""
    handler = type("Handler", (_Handler,), {"kms": kms})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        kms.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield kms
        finally:
            server.shutdown()
            thread.join()


def reachable(kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lead AWS calls to ``kms``, with credentials, and let connections to it (and to nothing else) through."""
    guarded = socket.socket.connect
    port = int(kms.url.rpartition(":")[2])

    def connect(self: socket.socket, address: Any) -> None:
        if address == ("127.0.0.1", port):
            _CONNECT(self, address)
        else:
            guarded(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    for name, value in environment(kms).items():
        monkeypatch.setenv(name, value)


def environment(kms: Kms) -> dict[str, str]:
    """Return the environment in which AWS calls come to ``kms``."""
    return {
        "AWS_ENDPOINT_URL_KMS": kms.url,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "only-for-tests",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }


_CONNECT = socket.socket.connect
