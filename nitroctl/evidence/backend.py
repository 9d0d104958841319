"""The one cryptographic operation that documents take: ECDSA on P-384 with SHA-384, checked.

By ``cryptography`` unless ``NITROCTL_CRYPTO=awscrt`` asks for AWS-LC through the package awscrt, which is about twice
as fast. Keys are read and judged by ``cryptography`` in both cases; only who computes differs, never a verdict.
"""

import functools
import hashlib
import importlib
import os
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from nitroctl.errors import CannotAnswer

VARIABLE: Final = "NITROCTL_CRYPTO"
DEFAULT: Final = "cryptography"
AWSCRT: Final = "awscrt"
_COORDINATE: Final = 48
_ECDSA: Final = ec.ECDSA(hashes.SHA384())

#: Whether a signature (r and s in DER) over a content is a key's.
Verifier = Callable[[bytes, bytes], bool]


def name() -> str:
    """Return which library is asked for. Raises CannotAnswer ``evidence.crypto`` for one that is not known."""
    wanted = os.environ.get(VARIABLE) or DEFAULT
    if wanted not in {DEFAULT, AWSCRT}:
        raise CannotAnswer(
            f"{VARIABLE}: there is no {wanted!r}", "evidence.crypto", [f"leave it out, or set it to {AWSCRT}"]
        )
    return wanted


def verifier(key: ec.EllipticCurvePublicKey, spki: bytes) -> Verifier:
    """Return what checks signatures under ``key`` (P-384), whose SubjectPublicKeyInfo in DER is ``spki``.

    Raises CannotAnswer ``evidence.crypto``.
    """
    return _awscrt(spki) if name() == AWSCRT else _cryptography(key)


def der_of(raw: bytes) -> bytes:
    """Return a raw signature, r and s of 48 bytes each, in DER."""
    return encode_dss_signature(int.from_bytes(raw[:_COORDINATE]), int.from_bytes(raw[_COORDINATE:]))


def _cryptography(key: ec.EllipticCurvePublicKey) -> Verifier:
    check = key.verify

    def holds(signature: bytes, content: bytes) -> bool:
        try:
            check(signature, content, _ECDSA)
        except InvalidSignature:
            return False
        return True

    return holds


def _awscrt(spki: bytes) -> Verifier:
    check = _awscrt_key()(spki).verify

    def holds(signature: bytes, content: bytes) -> bool:
        return check(hashlib.sha384(content).digest(), signature) is True

    return holds


@functools.cache
def _awscrt_key() -> Callable[[bytes], "_AwscrtKey"]:
    try:
        crypto = importlib.import_module("awscrt.crypto")
    except ImportError as error:
        raise CannotAnswer(
            f"{VARIABLE}={AWSCRT}: the package awscrt is not installed",
            "evidence.crypto",
            ["pip install 'nitroctl[fast]'", f"or leave {VARIABLE} out"],
        ) from error
    load: Callable[[bytes], _AwscrtKey] = crypto.EC.new_key_from_der_data
    return load


class _AwscrtKey:
    """The part of ``awscrt.crypto.EC`` that is used here; the package has no types of its own."""

    verify: Callable[[bytes, bytes], bool]
