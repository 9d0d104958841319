"""Cases of the lab in which a field of the payload is at fault; everything around it is signed as it should be."""

from typing import Final, cast

from nitroctl.standin import nsm
from nitroctl.standin.lab_change import (
    AT,
    INSTANCE,
    MODULE_ID,
    PCRS,
    Case,
    Change,
    also,
    bundle,
    case,
    certificate,
    put,
    rename,
)
from nitroctl.standin.nsm import Encoded

_YEAR_10000: Final = 253_402_300_800_000


def _put(**values: object) -> Change:
    return Change(fields=put(**values))


def _register(index: object, value: object) -> Change:
    return _put(pcrs=dict[object, object]([*PCRS.items(), (index, value)]))


CASES: Final[tuple[Case, ...]] = (
    case("module-id-empty", "The module id is empty.", "document.module-id", _put(module_id="")),
    case(
        "module-id-bytes", "The module id is a byte string.", "document.module-id", _put(module_id=MODULE_ID.encode())
    ),
    case("module-id-null", "The module id is null.", "document.module-id", _put(module_id=None)),
    case("module-id-absent", "There is no module id.", "document.module-id", _put(module_id=...)),
    case(
        "module-id-other-case",
        "The module id's key is written in another case.",
        "document.module-id",
        Change(fields=rename("module_id", "Module_ID")),
    ),
    case("digest-sha-256", "The digest is SHA256.", "document.digest", _put(digest="SHA256")),
    case("digest-sha-512", "The digest is SHA512.", "document.digest", _put(digest="SHA512")),
    case("digest-lower-case", "The digest is written in lower case.", "document.digest", _put(digest="sha384")),
    case("digest-blank", "A blank follows the digest's name.", "document.digest", _put(digest="SHA384 ")),
    case("digest-bytes", "The digest is a byte string.", "document.digest", _put(digest=b"SHA384")),
    case("digest-absent", "There is no digest.", "document.digest", _put(digest=...)),
    case("timestamp-zero", "The timestamp is zero.", "document.timestamp", _put(timestamp=0)),
    case("timestamp-true", "The timestamp is true.", "document.timestamp", _put(timestamp=True)),
    case("timestamp-negative", "The timestamp is -1.", "document.timestamp", _put(timestamp=-1)),
    case("timestamp-2-64", "The timestamp is 2^64-1.", "document.timestamp", _put(timestamp=2**64 - 1)),
    case(
        "timestamp-year-10000", "The timestamp is in the year 10000.", "document.timestamp", _put(timestamp=_YEAR_10000)
    ),
    case("timestamp-text", "The timestamp is a text.", "document.timestamp", _put(timestamp="2026-11-20T10:00:00Z")),
    case("timestamp-null", "The timestamp is null.", "document.timestamp", _put(timestamp=None)),
    case("timestamp-absent", "There is no timestamp.", "document.timestamp", _put(timestamp=...)),
    case(
        "timestamp-seconds",
        "The timestamp is in seconds, and so lies in 1970, before every certificate.",
        "chain.document-time",
        _put(timestamp=int(AT.timestamp())),
    ),
    case("pcrs-null", "The registers are null.", "document.pcrs", _put(pcrs=None)),
    case("pcrs-empty", "There is no register.", "document.pcrs", _put(pcrs=Encoded(b"\xa0"))),
    case("pcrs-array", "The registers are an array.", "document.pcrs", _put(pcrs=[bytes(48)] * 16)),
    case("pcrs-bytes", "The registers are a map in a byte string.", "document.pcrs", _put(pcrs=nsm.encode(dict(PCRS)))),
    case("pcrs-33", "There are 33 registers.", "document.pcrs", _put(pcrs={i: bytes(48) for i in range(33)})),
    case("pcr-index-32", "There is a register 32.", "document.pcr-indexes", _register(32, bytes(48))),
    case(
        "pcr-index-2-32",
        "There is a register 2^32, which is 0 in 32 bits.",
        "document.pcr-indexes",
        _register(2**32, bytes(48)),
    ),
    case("pcr-index-negative", "There is a register -1.", "document.pcr-indexes", _register(-1, bytes(48))),
    case("pcr-index-text", "The index of a register is the text 0.", "document.pcr-indexes", _register("0", bytes(48))),
    case(
        "pcr-index-bytes",
        "The index of a register is a byte string.",
        "document.pcr-indexes",
        _register(b"\x05", bytes(48)),
    ),
    case("pcr-32-bytes", "A register has 32 bytes.", "document.pcr-sizes", _register(5, bytes(32))),
    case("pcr-64-bytes", "A register has 64 bytes.", "document.pcr-sizes", _register(5, bytes(64))),
    case("pcr-47-bytes", "A register has 47 bytes.", "document.pcr-sizes", _register(5, bytes(47))),
    case("pcr-49-bytes", "A register has 49 bytes.", "document.pcr-sizes", _register(5, bytes(49))),
    case("pcr-empty", "A register is empty.", "document.pcr-sizes", _register(5, b"")),
    case("pcr-null", "A register is null.", "document.pcr-sizes", _register(5, None)),
    case("pcr-text", "A register is a text of 48 characters.", "document.pcr-sizes", _register(5, "0" * 48)),
    case(
        "kind-both", "It has an enclave's registers and a NitroTPM's.", "document.kind", _put(nitrotpm_pcrs=dict(PCRS))
    ),
    case(
        "kind-both-null",
        "It has an enclave's registers, and a NitroTPM's that are null.",
        "document.kind",
        _put(nitrotpm_pcrs=None),
    ),
    case("kind-neither", "It has no registers of either kind.", "document.kind", _put(pcrs=...)),
    case(
        "kind-other-case",
        "The registers' key is written in another case.",
        "document.kind",
        Change(fields=rename("pcrs", "PCRs")),
    ),
    case(
        "kind-tpm-module-id",
        "It has an enclave's registers and a NitroTPM's module id.",
        "document.kind",
        _put(module_id=f"{INSTANCE}-tpm0000000000000000"),
    ),
    case(
        "kind-tpm-registers",
        "It has a NitroTPM's registers and an enclave's module id.",
        "document.kind",
        _put(pcrs=..., nitrotpm_pcrs=dict(PCRS)),
    ),
    case("certificate-empty", "The certificate is empty.", "document.certificate", _put(certificate=b"")),
    case("certificate-1025", "The certificate has 1025 bytes.", "document.certificate", _put(certificate=bytes(1025))),
    case("certificate-null", "The certificate is null.", "document.certificate", _put(certificate=None)),
    case("certificate-absent", "There is no certificate.", "document.certificate", _put(certificate=...)),
    case(
        "certificate-array",
        "The certificate is an array with one in it.",
        "document.certificate",
        Change(fields=certificate(lambda der: [der])),
    ),
    case(
        "certificate-text",
        "The certificate is a text.",
        "document.certificate",
        Change(fields=certificate(lambda der: der.hex())),
    ),
    case("cabundle-empty", "The bundle is empty.", "document.cabundle", _put(cabundle=[])),
    case("cabundle-null", "The bundle is null.", "document.cabundle", _put(cabundle=None)),
    case("cabundle-absent", "There is no bundle.", "document.cabundle", _put(cabundle=...)),
    case(
        "cabundle-bytes",
        "The bundle is one byte string, the certificates in a row.",
        "document.cabundle",
        Change(fields=lambda fields: put(cabundle=b"".join(cast("list[bytes]", dict(fields)["cabundle"])))(fields)),
    ),
    case(
        "cabundle-text",
        "The bundle has a text in it.",
        "document.cabundle",
        Change(fields=bundle(lambda ders: [*ders, "x"])),
    ),
    case(
        "cabundle-null-item",
        "The bundle has a null in it.",
        "document.cabundle",
        Change(fields=bundle(lambda ders: [*ders, None])),
    ),
    case(
        "cabundle-empty-item",
        "The bundle has an empty byte string in it.",
        "document.cabundle",
        Change(fields=bundle(lambda ders: [*ders, b""])),
    ),
    case(
        "cabundle-1025-item",
        "The bundle has 1025 bytes as a certificate.",
        "document.cabundle",
        Change(fields=bundle(lambda ders: [*ders, bytes(1025)])),
    ),
    case(
        "cabundle-eleven",
        "The bundle has eleven certificates.",
        "document.cabundle",
        Change(fields=bundle(lambda ders: [*ders, *ders, *ders][:11])),
    ),
    case("nonce-text", "The nonce is a text.", "document.nonce", _put(nonce="6e6f6e6365")),
    case("nonce-false", "The nonce is false.", "document.nonce", _put(nonce=False)),
    case("user-data-text", "The user data is a text.", "document.user-data", _put(user_data="hello")),
    case("user-data-array", "The user data is an array of numbers.", "document.user-data", _put(user_data=[1, 2])),
    case("public-key-number", "The public key is a number.", "document.public-key", _put(public_key=5)),
    case("public-key-map", "The public key is a map.", "document.public-key", _put(public_key={1: 2})),
    case("payload-array", "The payload is an array.", "document.map", Change(payload=lambda _: b"\x80")),
    case("payload-null", "The payload is a null in CBOR.", "document.map", Change(payload=lambda _: b"\xf6")),
    case(
        "payload-wrapped", "The payload is its map in a second byte string.", "document.map", Change(payload=nsm.encode)
    ),
    case("payload-number-key", "A key of the payload is a number.", "document.map", Change(fields=also(1, b"x"))),
    case(
        "payload-bytes-key",
        "A key of the payload is a byte string.",
        "document.map",
        Change(fields=also(b"nonce", b"x")),
    ),
    case(
        "payload-empty-map",
        "The payload is an empty map.",
        "document.module-id document.digest document.timestamp document.kind document.certificate document.cabundle",
        Change(payload=lambda _: b"\xa0"),
    ),
    case(
        "payload-qingtian",
        "It is written as Huawei's QingTian enclaves do, with pubkey for public_key and no registers of ours.",
        "document.kind",
        Change(fields=lambda fields: put(pcrs=...)(rename("public_key", "pubkey")(fields))),
    ),
)
