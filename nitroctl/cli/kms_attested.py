"""What a simulated call attests: a document, a recorded version, an image, registers, debug mode, or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nitroctl.errors import CannotAnswer, UsageError

if TYPE_CHECKING:
    from nitroctl.kms.request import Attested, Platform
    from nitroctl.records import Ledger

#: What an enclave in debug mode attests as zero; of the other registers AWS does not say it.
_DEBUG = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Asked:
    """The options as given."""

    document: str | None
    entry: str | None
    eif: str | None
    pcr: Sequence[str]
    platform: str | None
    debug_mode: bool
    root: Sequence[str]
    records: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """What is attested and where it is from, in words. ``attested``: None for a call without attestation."""

    attested: "Attested | None"
    what: str
    note: str = ""


def ledger(asked: Asked) -> "Ledger":
    """Return the recorded versions; none when there is no file and nobody named one."""
    from nitroctl import records
    from nitroctl.cli.pcr_options import ledger_path

    required = asked.records is not None or asked.entry is not None
    return records.load(ledger_path(asked.records), missing_ok=not required)


def attested(asked: Asked) -> Source:
    """Return what the call attests. Raises UsageError for options that contradict each other, and CannotAnswer."""
    _refuse_contradictions(asked)
    if asked.document is not None:
        return _of_document(asked.document, asked.root)
    from nitroctl import pcr
    from nitroctl.cli.pcr_options import with_assignments
    from nitroctl.kms.request import Attested, Platform

    platform, registers, what = Platform(asked.platform or Platform.ENCLAVE), dict[int, bytes](), ""
    if asked.entry is not None:
        platform, registers, what = _of_entry(asked.entry, asked)
    elif asked.eif is not None:
        registers, what = _of_image(asked.eif)
    registers = with_assignments(registers, asked.pcr)
    if asked.debug_mode:
        what = f"{what or 'an enclave'} in debug mode"
        registers = with_assignments(dict.fromkeys(_DEBUG, pcr.ZERO), asked.pcr)
    if not registers:
        return Source(None, "nothing: the call carries no attestation document")
    _refuse_index(platform, registers)
    note = "a register that was not given counts as unknown, and as zero where an enclave cannot set it"
    return Source(
        Attested(platform=platform, pcrs=registers, complete=False), what or "the registers that were given", note
    )


def _refuse_contradictions(asked: Asked) -> None:
    from nitroctl.kms.request import Platform

    named = [
        option
        for option, value in (("--document", asked.document), ("--entry", asked.entry), ("--eif", asked.eif))
        if value is not None
    ]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} each say what is attested", "usage.invalid", ["give one of them"])
    if asked.document is not None and (asked.pcr or asked.debug_mode):
        raise UsageError("a document says itself what is attested", "usage.invalid", ["leave out --pcr, --debug-mode"])
    if asked.document is None and asked.root:
        raise UsageError("--root judges a document, and none is given", "usage.invalid", ["add --document FILE"])
    if asked.platform is not None:
        if asked.platform not in set(Platform):
            names = ", ".join(Platform)
            raise UsageError(f"--platform: {asked.platform!r} is none of {names}", "usage.invalid")
        if named or not asked.pcr:
            raise UsageError("--platform says what --pcr is of, and nothing else needs it", "usage.invalid")
    if asked.debug_mode and asked.platform == Platform.TPM:
        raise UsageError("--debug-mode is of enclaves, and the platform is nitro-tpm", "usage.invalid")


def _refuse_index(platform: str, registers: Mapping[int, bytes]) -> None:
    from nitroctl.kms.request import Platform
    from nitroctl.pcr import name

    last = Platform(platform).registers - 1
    if max(registers) > last:
        raise UsageError(f"--pcr {name(max(registers))}: {platform} has PCR0 to PCR{last}", "pcr.name")


def _of_entry(wanted: str, asked: Asked) -> "tuple[Platform, dict[int, bytes], str]":
    from nitroctl.cli.pcr_options import ledger_path, one
    from nitroctl.kms.request import Platform

    path = ledger_path(asked.records)
    entry = one(ledger(asked), wanted, path)
    if entry.platform not in set(Platform):
        raise CannotAnswer(
            f"{path}: {entry.id} is of the platform {entry.platform}, for which KMS has no condition keys",
            "kms.platform",
        )
    return Platform(entry.platform), dict(entry.pcrs), f"{entry.id}, {entry.status.value}"


def _of_image(path: str) -> tuple[dict[int, bytes], str]:
    from nitroctl import pcr
    from nitroctl.eif.measure import require

    return {8: pcr.ZERO, **require(path).pcrs}, f"{path}, as measured"


def _of_document(path: str, root: Sequence[str]) -> Source:
    """Return what an authentic document attests, all of it. Raises CannotAnswer ``kms.evidence``."""
    from nitroctl.cli import attest_file
    from nitroctl.evidence.document import Kind
    from nitroctl.instants import rfc3339
    from nitroctl.kms.request import Attested, Platform

    hints = [
        "KMS refuses such a document before it reads a policy (ValidationException)",
        f"see nitroctl attest verify {path} --authenticity-only --at document",
    ]
    document, _ = attest_file.authentic(path, at="document", root=root, code="kms.evidence", hints=hints)
    platform = Platform.ENCLAVE if document.kind is Kind.ENCLAVE else Platform.TPM
    return Source(
        Attested(platform=platform, pcrs=dict(document.pcrs), complete=True),
        f"{path}, made {rfc3339(document.time)} on {document.module_id}",
        "the document is authentic at its own time; KMS refuses it once its certificate has expired",
    )
