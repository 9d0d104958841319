"""What goes to KMS with an attestation document, and how its answer comes back from the AWS CLI.

A request with a ``Recipient`` (AWS KMS API, RecipientInfo) is answered without plaintext: the plaintext is wrapped for
the key in the document. An answer that has plaintext all the same was not given to an attested enclave, and is refused.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, cast

from nitroctl import strict_json
from nitroctl.errors import CannotAnswer, UsageError

#: KMS takes ciphertexts of at most this size.
MAX_CIPHERTEXT: Final = 6144
#: The most that is read of a file around a message: base64 in the JSON of an answer.
MAX_FILE: Final = 64 * 1024
ALGORITHM: Final = "RSAES_OAEP_SHA_256"
_UNREADABLE: Final = "recipient.unreadable"
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_KEY_ID: Final = re.compile(r"[A-Za-z0-9:/_-]{1,2048}")
_SPEC: Final = re.compile(r"[A-Z0-9_]{1,32}")
_PLAINTEXT: Final = ("Plaintext", "PrivateKeyPlaintext", "SharedSecret")
_MAX_PAIRS: Final = 64
_RANDOM_BYTES: Final = range(1, 1024 + 1)


class Operation(StrEnum):
    """The operations that take a Recipient, as the AWS CLI writes them."""

    DECRYPT = "decrypt"
    GENERATE_DATA_KEY = "generate-data-key"
    GENERATE_DATA_KEY_PAIR = "generate-data-key-pair"
    GENERATE_RANDOM = "generate-random"
    DERIVE_SHARED_SECRET = "derive-shared-secret"  # noqa: S105  (an operation's name)


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes from a file, and the form they came in: ``raw``, ``base64`` or ``json MEMBER``."""

    content: bytes
    encoding: str


def blob(raw: bytes, member: str) -> Blob:
    """Return the bytes that a file holds: as they are, in base64, or in ``member`` of an answer in JSON.

    Raises CannotAnswer ``recipient.unreadable``, or ``recipient.plaintext`` when the answer has plaintext.
    """
    text = raw.strip()
    if not text:
        raise CannotAnswer("the file is empty", _UNREADABLE)
    if text.startswith(b"{"):
        return _from_answer(text, member)
    joined = b"".join(text.split())
    if _BASE64.fullmatch(joined):
        return Blob(_decoded(joined, "the text"), "base64")
    return Blob(raw, "raw")


def _from_answer(text: bytes, member: str) -> Blob:
    """Return ``member`` of an answer, which begins with a brace and so is an object or no JSON."""
    try:
        answer = cast("Mapping[str, object]", strict_json.parse(text.decode("utf-8"), where="the answer"))
    except UnicodeDecodeError as error:
        raise CannotAnswer("the file looks like JSON but is not UTF-8", _UNREADABLE) from error
    shown = [name for name in _PLAINTEXT if answer.get(name)]
    if shown:
        raise CannotAnswer(
            f"the answer has {shown[0]}: it was given without attestation, to anybody who asked",
            "recipient.plaintext",
            ["send the request with a Recipient, and let the key policy refuse it without one"],
        )
    value = answer.get(member)
    if not isinstance(value, str) or not value:
        raise CannotAnswer(f"the JSON has no member {member}", _UNREADABLE, ["pass KMS's answer as aws kms prints it"])
    return Blob(_decoded(value.encode("ascii", "replace"), member), f"json {member}")


def _decoded(text: bytes, what: str) -> bytes:
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise CannotAnswer(f"{what} is not base64, or was cut short", _UNREADABLE, ["copy it again, whole"]) from error
    if base64.b64encode(content) != text:
        raise CannotAnswer(f"{what} is base64 with left-over bits, which no encoder writes", _UNREADABLE)
    return content


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a request is made of beside the document; None for what is not given."""

    key_id: str | None = None
    ciphertext: bytes | None = None
    context: Mapping[str, str] | None = None
    key_spec: str | None = None
    random_bytes: int | None = None
    peer_key: bytes | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """The options that gave them."""
        given = {
            "--key-id": self.key_id,
            "--ciphertext": self.ciphertext,
            "--encryption-context": self.context or None,
            "--key-spec": self.key_spec,
            "--bytes": self.random_bytes,
            "--peer-key": self.peer_key,
        }
        return tuple(option for option, value in given.items() if value is not None)


def request(operation: Operation, document: bytes, parts: Parts) -> dict[str, object]:
    """Return the body of an attested request, for ``aws kms … --cli-input-json``: blobs are base64 in it.

    ``document``: the attestation document's CBOR. Raises UsageError ``usage.invalid`` for a part that the operation
    needs and did not get, or got and does not have, and CannotAnswer for a ciphertext that KMS would not take.
    """
    _refuse_misfits(operation, parts)
    spec = "KeyPairSpec" if operation is Operation.GENERATE_DATA_KEY_PAIR else "KeySpec"
    default = "AES_256" if operation is Operation.GENERATE_DATA_KEY else None
    members: dict[str, object] = {
        "KeyId": parts.key_id,
        "CiphertextBlob": _base64(parts.ciphertext),
        "EncryptionContext": dict(parts.context) if parts.context else None,
        spec: parts.key_spec or default,
        "NumberOfBytes": parts.random_bytes,
        "KeyAgreementAlgorithm": "ECDH" if operation is Operation.DERIVE_SHARED_SECRET else None,
        "PublicKey": _base64(parts.peer_key),
        "Recipient": {"KeyEncryptionAlgorithm": ALGORITHM, "AttestationDocument": _base64(document)},
    }
    return {name: value for name, value in members.items() if value is not None}


#: operation -> options it needs, options it may have.
_OPTIONS: Final[Mapping[Operation, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    Operation.DECRYPT: (("--ciphertext",), ("--key-id", "--encryption-context")),
    Operation.GENERATE_DATA_KEY: (("--key-id",), ("--encryption-context", "--key-spec")),
    Operation.GENERATE_DATA_KEY_PAIR: (("--key-id", "--key-spec"), ("--encryption-context",)),
    Operation.GENERATE_RANDOM: (("--bytes",), ()),
    Operation.DERIVE_SHARED_SECRET: (("--key-id", "--peer-key"), ()),
}


def _refuse_misfits(operation: Operation, parts: Parts) -> None:
    needed, possible = _OPTIONS[operation]
    missing = [option for option in needed if option not in parts.options]
    if missing:
        raise UsageError(f"{operation} needs {' and '.join(missing)}", "usage.invalid")
    foreign = [option for option in parts.options if option not in (*needed, *possible)]
    if foreign:
        raise UsageError(f"{operation} has no {foreign[0]}", "usage.invalid", ["leave it out"])
    if parts.key_id is not None and not _KEY_ID.fullmatch(parts.key_id):
        raise UsageError(f"--key-id: not a key's id, ARN or alias: {parts.key_id!r}", "usage.invalid")
    if parts.key_spec is not None and not _SPEC.fullmatch(parts.key_spec):
        raise UsageError(f"--key-spec: not written as KMS writes it (RSA_2048): {parts.key_spec!r}", "usage.invalid")
    if parts.random_bytes is not None and parts.random_bytes not in _RANDOM_BYTES:
        raise UsageError(f"--bytes: KMS gives 1 to 1024 at a time, not {parts.random_bytes}", "usage.invalid")
    if parts.ciphertext is not None and len(parts.ciphertext) > MAX_CIPHERTEXT:
        raise CannotAnswer(
            f"the ciphertext has {len(parts.ciphertext)} bytes; KMS takes at most {MAX_CIPHERTEXT}",
            _UNREADABLE,
            ["KMS decrypts keys; decrypt the data itself with the key it gives"],
        )


def _base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode("ascii")


def context(pairs: Sequence[str]) -> dict[str, str]:
    """Return the encryption context of ``key=value`` texts. Raises UsageError ``usage.invalid``."""
    found: dict[str, str] = {}
    if len(pairs) > _MAX_PAIRS:
        raise UsageError(f"--encryption-context: more than {_MAX_PAIRS} pairs", "usage.invalid")
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise UsageError(f"--encryption-context: not key=value: {pair!r}", "usage.invalid")
        if name in found:
            raise UsageError(f"--encryption-context: {name} is given twice", "usage.invalid")
        found[name] = value
    return found
