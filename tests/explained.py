"""Documents, policies and records for the tests of ``kms explain``: good ones, from which a test changes one thing."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from nitroctl import pcr
from nitroctl.records import Entry, Ledger, Status
from tests import documents, records
from tests.kms_requests import AT, PCR0, ROLE, statement

CERTIFICATE = records.register("certificate")
TPM_MODULE = f"{documents.INSTANCE}-tpm0000000000000000"
PREFIX = "kms:RecipientAttestation:"


@cache
def recipient() -> bytes:
    """Return a public key that KMS can encrypt to, in DER."""
    key = rsa.generate_private_key(65537, 2048).public_key()
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def registers(seed: object = "1", changes: Mapping[int, bytes] | None = None) -> dict[int, bytes]:
    """Return what the image ``seed`` attests on an instance with the role, signed."""
    zeros = dict.fromkeys(range(16), pcr.ZERO)
    where = {3: pcr.for_role(ROLE), 4: pcr.for_instance(documents.INSTANCE), 8: CERTIFICATE}
    return zeros | records.pcrs(seed) | where | dict(changes or {})


def document(seed: object = "1", changes: Mapping[int, bytes] | None = None, **fields: Any) -> bytes:
    """Return an authentic document of the image ``seed`` made at ``documents.AT``."""
    return documents.document(**({"pcrs": registers(seed, changes), "public_key": recipient()} | fields))


def tpm_document() -> bytes:
    """Return an authentic document of a NitroTPM."""
    return document(pcrs={4: records.register("boot")}, tpm=True, module=TPM_MODULE)


def entry(version: str, status: Status = Status.ACTIVE, **changes: Any) -> Entry:
    """Return a recorded version, signed."""
    because = changes.pop("revoked_because", "")
    given = {"pcrs": {**records.pcrs(version), 8: CERTIFICATE}, "pin": (0, 1, 2, 8)}
    active = records.active(version, **(given | changes))
    match status:
        case Status.CANDIDATE:
            return replace(active, status=status, activated_at=None)
        case Status.RETIRED:
            return replace(active, status=status, retired_at=AT)
        case Status.REVOKED:
            return replace(active, status=status, revoked_at=AT, revoked_because=because)
        case _:
            return active


def ledger() -> Ledger:
    """Return the records: two active versions, a candidate, a retired and a revoked one."""
    return Ledger.of(
        [
            entry("1"),
            entry("2"),
            entry("3", Status.CANDIDATE),
            entry("0.9", Status.RETIRED),
            entry("0.8", Status.REVOKED, revoked_because="a key was in the image"),
        ]
    )


def allow(seed: object, sid: str, asked: Mapping[int, bytes] | None = None, **changes: Any) -> dict[str, Any]:
    """Return the statement that lets the image ``seed`` in, by PCR0, PCR3 and PCR8."""
    values = {0: records.pcrs(seed)[0], 3: pcr.for_role(ROLE), 8: CERTIFICATE} | dict(asked or {})
    names = {f"{PREFIX}PCR{index}": value.hex() for index, value in values.items()}
    return statement(Sid=sid, **({"Condition": {"StringEqualsIgnoreCase": names}} | changes))


def deny_all_but(*seeds: object) -> dict[str, Any]:
    """Return the statement that denies every other image."""
    values = [records.pcrs(seed)[0].hex() for seed in seeds]
    return statement("Deny", Sid="Images", Principal="*", Condition={"StringNotEqualsIgnoreCase": {PCR0: values}})


ADMIN = statement(Sid="Admin", Principal={"AWS": f"{ROLE}-admin"}, Action="kms:PutKeyPolicy")
UNATTESTED = statement("Deny", Sid="Unattested", Principal="*", Condition={"Null": {PCR0: "true"}})


def lay(path: Path, *statements: Mapping[str, Any]) -> None:
    """Write a policy, a statement a line."""
    body = ",\n".join(json.dumps(each) for each in statements)
    path.write_text(f'{{"Version": "2012-10-17", "Statement": [\n{body}\n]}}\n')
