"""A KMS with one key that signs, for the tests: GetPublicKey and Sign, with knobs for what can go wrong.

It uses nothing of nitroctl. What it checks is what KMS checks: region and service, the arguments, and the digest's
length against the algorithm.
"""

import base64
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from tests.fakes import kms_http
from tests.fakes.kms_http import REQUEST_ID, Answer, serving
from tests.fakes.kms_policy import Refusal

__all__ = ["ALIAS", "ARN", "REQUEST_ID", "Kms", "Refusal", "environment", "reachable", "running"]

REGION = "eu-west-1"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = f"arn:aws:kms:{REGION}:123456789012:key/{KEY_ID}"
ALIAS = f"arn:aws:kms:{REGION}:123456789012:alias/signing"
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
    """The service: one key, the knobs, and the requests that were made of it in order, with their headers."""

    def __init__(self, private_key_pem: bytes) -> None:
        self.key: Any = serialization.load_pem_private_key(private_key_pem, None)
        self.knobs = Knobs()
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[Mapping[str, str]] = []
        self.url = ""

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.requests]

    def receive(self, service: str, operation: str, body: dict[str, Any], region: str) -> Answer | None:
        """Answer one request."""
        self.requests.append((operation, body))
        if self.knobs.hang_up:
            return None
        time.sleep(self.knobs.stall)
        if (region, service) != (REGION, "kms"):
            return Refusal("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
        return self.answer(operation, body)

    def answer(self, operation: str, body: dict[str, Any]) -> Answer:
        """Return what the key, or what goes wrong, says to a request."""
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


@contextmanager
def running(kms: Kms) -> Iterator[Kms]:
    """Serve ``kms`` for the block."""
    with serving(kms) as kms.url:
        yield kms


def environment(kms: Kms) -> dict[str, str]:
    """Return the environment in which AWS calls come to ``kms``."""
    return kms_http.environment(kms.url)


def reachable(kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lead AWS calls to ``kms``, as :func:`tests.fakes.kms_http.reachable` does."""
    kms_http.reachable(kms.url, monkeypatch, connect=_CONNECT)


_CONNECT = socket.socket.connect  # as it is before a test replaces it
