"""A document's facts, as JSON members and as blocks for people. What they are worth is for the verb to say."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nitroctl.render.view import Block, Cell, Fields, Table, Text, Value

if TYPE_CHECKING:
    from datetime import datetime

    from nitroctl.evidence.certificate import Certificate
    from nitroctl.evidence.derived import Derived
    from nitroctl.evidence.document import Document

_HABIT = "an undocumented habit of AWS's"


def time(at: "datetime | None") -> str | None:
    """Return an instant as RFC 3339, or None."""
    from nitroctl.evidence.chain import instant

    return instant(at) if at else None


def as_json(document: "Document", links: Sequence["Certificate"]) -> dict[str, object]:
    """Return the document's facts (schema: attest.show/1, document)."""
    from nitroctl import pcr
    from nitroctl.appraisal.appraise import debug_registers
    from nitroctl.evidence.derived import derive
    from nitroctl.evidence.roots import AWS_ROOTS, find

    derived = derive(document, links)
    root = find(document.cabundle[0], AWS_ROOTS)
    return {
        "kind": document.kind.value,
        "module_id": document.module_id,
        "instance_id": derived.instance_id,
        "enclave_id": derived.enclave_id,
        "region": derived.region,
        "partition": root.partition if root else None,
        "time": time(document.time),
        "launched_at": time(derived.launched),
        "certificate_issued_at": time(derived.issued),
        "debug_mode": bool(debug_registers(document)) if document.kind == "enclave" else None,
        "pcrs": pcr.as_hex(document.pcrs),
        "nonce": _content(document.nonce),
        "user_data": _content(document.user_data),
        "public_key": _key_content(document.public_key),
    }


def certificates_json(links: Sequence["Certificate"]) -> list[dict[str, object]]:
    """Return the chain, root first (schema: attest.show/1, certificates)."""
    from nitroctl.evidence.chain import role

    return [
        {
            "role": role(number, len(links)),
            "subject": link.subject_text,
            "serial": f"{link.serial:x}",
            "not_before": time(link.not_before),
            "not_after": time(link.not_after),
            "sha256": link.fingerprint,
            "crl_addresses": list(link.crl_addresses),
        }
        for number, link in enumerate(links)
    ]


def _content(content: bytes | None) -> dict[str, object] | None:
    from nitroctl.evidence.contents import text_of

    if content is None:
        return None
    return {"size_bytes": len(content), "hex": content.hex(), "text": text_of(content)}


def _key_content(content: bytes | None) -> dict[str, object] | None:
    from nitroctl.evidence.contents import public_key

    members = _content(content)
    if members is None or content is None:
        return None
    key = public_key(content)
    members["key"] = {"kind": key.kind, "bits": key.bits, "sha256": key.fingerprint} if key else None
    return members


def blocks(document: "Document", links: Sequence["Certificate"]) -> list[Block]:
    """Return the whole document for people."""
    from nitroctl.evidence.derived import derive

    derived = derive(document, links)
    return [
        Fields(_identity(document, derived), title="Document"),
        *_registers(document),
        Fields(_contents(document), title="Filled in by the enclave's code")
        if document.kind == "enclave"
        else Fields(_contents(document), title="Filled in by the instance's software"),
        *_certificates(links),
    ]


def _identity(document: "Document", derived: "Derived") -> list[tuple[str, Value]]:
    from nitroctl.appraisal.appraise import duration
    from nitroctl.evidence.roots import AWS_ROOTS, find

    root = find(document.cabundle[0], AWS_ROOTS)
    partition = f"{root.partition}, by the root in the bundle" if root else "unknown: the bundle's root is not AWS's"
    rows: list[tuple[str, Value]] = [
        ("kind", {"enclave": "Nitro Enclave", "nitrotpm": "NitroTPM of an EC2 instance"}[document.kind.value]),
        ("module id", document.module_id),
        ("instance id", derived.instance_id or Cell("unknown", "dim")),
    ]
    if document.kind == "enclave":
        rows.append(("enclave id", derived.enclave_id or Cell("unknown", "dim")))
    rows += [
        ("region", f"{derived.region}, by the certificates' names" if derived.region else Cell("unknown", "dim")),
        ("partition", partition),
        ("document time", time(document.time) or ""),
    ]
    if derived.launched:
        age = duration(document.time - derived.launched)
        rows.append(("launched", f"{time(derived.launched)}, {age} before; read from the enclave id, {_HABIT}"))
    if derived.issued:
        rows.append(("leaf issued", f"{time(derived.issued)}; read from its serial number, {_HABIT}"))
    if document.kind == "enclave":
        rows.append(("mode", _mode(document)))
    return rows


def _mode(document: "Document") -> Value:
    from nitroctl.appraisal.appraise import debug_registers, listed

    zero = debug_registers(document)
    if not zero:
        return "production: PCR0, PCR1 and PCR2 are not zero"
    return Cell(f"DEBUG: {listed(zero)} zero, so the image is not attested", "bad")


def _registers(document: "Document") -> list[Block]:
    from nitroctl import pcr
    from nitroctl.evidence.derived import TPM_MEANINGS

    def meaning(index: int) -> str:
        return pcr.meaning(index) if document.kind == "enclave" else TPM_MEANINGS.get(index, "not used")

    zero = [index for index, value in document.pcrs.items() if pcr.is_zero(value)]
    rows = [
        (pcr.name(index), value.hex(), meaning(index)) for index, value in document.pcrs.items() if index not in zero
    ]
    found: list[Block] = [Table(("register", "value", "stands for"), rows, title="Registers that are not zero")]
    if zero:
        found.append(Text(f"Zero: {_ranges(zero)}.", "dim"))
    return found


def _ranges(indexes: Sequence[int]) -> str:
    """Return ``PCR3, PCR5 to PCR7``."""
    runs: list[list[int]] = []
    for index in indexes:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ", ".join(f"PCR{run[0]} to PCR{run[-1]}" if len(run) > 1 else f"PCR{run[0]}" for run in runs)


def _contents(document: "Document") -> list[tuple[str, Value]]:
    from nitroctl.evidence.contents import public_key, text_of

    rows: list[tuple[str, Value]] = []
    fields = (("nonce", document.nonce), ("user data", document.user_data), ("public key", document.public_key))
    for name, content in fields:
        if not content:
            rows.append((name, Cell("absent" if content is None else "present and empty", "dim")))
            continue
        rows += [(name, f"{len(content)} bytes"), ("  hex", content.hex())]
        text = text_of(content)
        if text:
            rows.append(("  text", text))
        key = public_key(content) if name == "public key" else None
        if key:
            rows += [("  key", key.name), ("  SHA-256", f"{key.fingerprint}, of its SubjectPublicKeyInfo")]
    return rows


def _certificates(links: Sequence["Certificate"]) -> list[Block]:
    from nitroctl.evidence.chain import role

    if not links:
        return [Text("The certificates cannot all be read.", "warn")]
    found: list[Block] = []
    for number, link in enumerate(links):
        rows: list[tuple[str, Value]] = [
            ("subject", link.subject_text),
            ("period", f"{time(link.not_before)} to {time(link.not_after)}"),
            ("SHA-256", link.fingerprint),
        ]
        rows += [("CRL", address) for address in link.crl_addresses]
        found.append(Fields(rows, title=f"Certificate {number + 1} of {len(links)}: {role(number, len(links))}"))
    return found
