"""Registers from what runs and from what was captured, for the verbs of ``nitroctl pcr``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nitroctl.errors import CannotAnswer

if TYPE_CHECKING:
    from nitroctl.errors import NitroctlError
    from nitroctl.evidence.document import Document
    from nitroctl.host.replies import Enclave

#: What a document says of the image, and of who signed it; PCR3 and PCR4 are those of the one parent it came from.
_OF_THE_IMAGE = (0, 1, 2, 8)


@dataclass(frozen=True, slots=True)
class Taken:
    """Registers and where they are from. ``how``: a phrase that a sentence continues with "other registers"."""

    how: str
    pcrs: Mapping[int, bytes]
    platform: str
    note: str


def from_enclave(wanted: str) -> Taken:
    """Return the registers of the running enclave ``wanted``, by name or id, as nitro-cli describes it.

    Raises CannotAnswer ``records.debug`` for one in debug mode, ``enclave.unknown``, NitroCliFailed.
    """
    from nitroctl import settings
    from nitroctl.host import enclaves, nitro_cli
    from nitroctl.records import NITRO_ENCLAVE

    described = nitro_cli.find(settings.load({})["nitro_cli"]).describe()
    enclave = enclaves.resolve(described.enclaves, wanted, partial=described.trouble is not None)
    if enclave.debug:
        raise CannotAnswer(
            f"{enclave.name} runs in debug mode: what it attests are zeros, not these registers",
            "records.debug",
            ["run it without --debug-mode, or take the registers from the image: --eif FILE"],
        )
    return Taken(
        f"the running enclave {enclave.name} has",
        enclave.pcrs,
        NITRO_ENCLAVE,
        "nitro-cli's word was taken for what runs; an attestation document would prove it",
    )


def running() -> "tuple[Sequence[Enclave], list[NitroctlError]]":
    """Return the enclaves that run on this host, and what kept nitro-cli from telling of all. Raises NitroCliFailed."""
    from nitroctl import settings
    from nitroctl.host import nitro_cli

    described = nitro_cli.find(settings.load({})["nitro_cli"]).describe()
    return described.enclaves, [described.trouble] if described.trouble else []


def from_document(path: str, *, at: str, root: Sequence[str]) -> Taken:
    """Return the registers of the image in the attestation document in ``path``, when it is authentic at ``at``.

    Of an enclave PCR0, PCR1, PCR2, and PCR8 when it was signed; of a NitroTPM document all that are not zero. Raises
    what :func:`attested` raises.
    """
    from nitroctl import pcr
    from nitroctl.evidence.document import Kind
    from nitroctl.records import NITRO_ENCLAVE, NITRO_TPM

    document, sentence = _authentic(path, at, root)
    enclave = document.kind is Kind.ENCLAVE
    wanted = _OF_THE_IMAGE if enclave else tuple(document.pcrs)
    found = {index: document.pcrs[index] for index in wanted if index in document.pcrs}
    return Taken(
        f"{path} attests",
        {index: value for index, value in found.items() if not pcr.is_zero(value)},
        NITRO_ENCLAVE if enclave else NITRO_TPM,
        f"{sentence}; the image itself was not measured",
    )


def attested(path: str, *, at: str, root: Sequence[str]) -> Taken:
    """Return all registers in the attestation document in ``path``, when it is authentic at ``at``.

    Raises CannotAnswer ``records.evidence`` when it is not authentic, ``records.debug`` for a debug-mode enclave's.
    """
    from nitroctl.evidence.document import Kind
    from nitroctl.records import NITRO_ENCLAVE, NITRO_TPM

    document, sentence = _authentic(path, at, root)
    platform = NITRO_ENCLAVE if document.kind is Kind.ENCLAVE else NITRO_TPM
    return Taken(f"{path} attests", document.pcrs, platform, f"{path}: {sentence}")


def _authentic(path: str, at: str, root: Sequence[str]) -> "tuple[Document, str]":
    """Return the document in ``path`` and the sentence that says why it is authentic."""
    from nitroctl import pcr
    from nitroctl.cli import attest_file
    from nitroctl.evidence.document import Kind

    hints = [f"see nitroctl attest verify {path} --authenticity-only", *_document_time(at)]
    document, sentence = attest_file.authentic(path, at=at, root=root, code="records.evidence", hints=hints)
    images = [document.pcrs.get(index, pcr.ZERO) for index in (0, 1, 2)]
    if document.kind is Kind.ENCLAVE and any(map(pcr.is_zero, images)):
        raise CannotAnswer(
            f"{path}: PCR0, PCR1 or PCR2 is zero: the enclave ran in debug mode, and the document names no image",
            "records.debug",
            ["run the enclave without debug mode, and capture a document again"],
        )
    return document, sentence


def _document_time(at: str) -> list[str]:
    return [] if at == "document" else ["documents outlive their certificates: --at document judges it at its own time"]
