"""What a judged document says, as JSON members. What it is worth, the verdict beside it says."""

from collections.abc import Sequence

from nitroctl import pcr
from nitroctl.appraisal.appraise import debug_registers
from nitroctl.evidence.certificate import Certificate
from nitroctl.evidence.chain import instant
from nitroctl.evidence.derived import derive
from nitroctl.evidence.document import Document, Kind
from nitroctl.evidence.roots import AWS_ROOTS, find


def as_json(document: Document, links: Sequence[Certificate]) -> dict[str, object]:
    """Return the document's facts (schema: attest.verify/1, document). ``links``: its certificates, root first."""
    derived = derive(document, links)
    root = find(document.cabundle[0], AWS_ROOTS)
    return {
        "kind": document.kind.value,
        "module_id": document.module_id,
        "instance_id": derived.instance_id,
        "enclave_id": derived.enclave_id,
        "region": derived.region,
        "partition": root.partition if root else None,
        "time": instant(document.time),
        "launched_at": instant(derived.launched) if derived.launched else None,
        "certificate_issued_at": instant(derived.issued) if derived.issued else None,
        "debug_mode": bool(debug_registers(document)) if document.kind is Kind.ENCLAVE else None,
        "pcrs": pcr.as_hex(document.pcrs),
        "nonce": _content(document.nonce),
        "user_data": _content(document.user_data),
        "public_key": _key_content(document.public_key),
    }


def _content(content: bytes | None) -> dict[str, object] | None:
    return None if content is None else _bytes(content)


def _key_content(content: bytes | None) -> dict[str, object] | None:
    if content is None:
        return None
    from nitroctl.evidence.contents import public_key  # noqa: PLC0415  (start-up: most documents have no such field)

    key = public_key(content)
    read = {"kind": key.kind, "bits": key.bits, "sha256": key.fingerprint} if key else None
    return {**_bytes(content), "key": read}


def _bytes(content: bytes) -> dict[str, object]:
    from nitroctl.evidence.contents import text_of  # noqa: PLC0415  (start-up)

    return {"size_bytes": len(content), "hex": content.hex(), "text": text_of(content)}
