"""Measurements that others wrote down, by the form they wrote them in.

What is taken is only what the form says; nothing here is verified, and nothing is guessed. Of the forms, those of
nitro-cli and nitro-tpm-pcr-compute are AWS's; the in-toto Statement is that of in-toto's attestation framework 1; the
others are what projects keep in their repositories.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nitroctl import pcr, safefile, strict_json
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.records import nitro_cli_json
from nitroctl.records.entry import NITRO_ENCLAVE, NITRO_TPM

SIZE_LIMIT: Final = 64 * 1024 * 1024
#: More in one file is no list of releases.
_MOST: Final = 10_000
_IMAGE: Final = frozenset({0, 1, 2})
#: What nitro-tpm-pcr-compute computes: boot loader, Secure Boot, and the command line and image.
_TPM: Final = frozenset({4, 7, 12})
_STATEMENT: Final = "https://in-toto.io/Statement/v"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One set of registers. ``label``: what the file calls it, or empty; ``pcrs``: by index, 48 bytes each."""

    label: str
    pcrs: Mapping[int, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a file holds. ``form``: in words; ``caution``: what is to be known before it is relied on, or empty."""

    form: str
    found: tuple[Imported, ...]
    caution: str = ""


def read(path: str) -> Source:
    """Return the measurements in the file ``path``, or on standard input for ``-``.

    Raises CannotAnswer ``file.*``, ``json.*``, ``records.measurements`` (what is wrong, and where) or
    ``records.form`` (none of the forms that are known).
    """
    where = "standard input" if path == safefile.STDIN else path
    return parse(safefile.read_text(path, limit=SIZE_LIMIT), where=where)


def parse(text: str, *, where: str) -> Source:
    """Return the measurements that the JSON ``text`` gives; ``where`` names it in errors."""
    document = strict_json.parse(text, where=where)
    for recognises, form in _FORMS:
        if recognises(document):
            return form(document, where)
    raise CannotAnswer(
        f"{where}: none of the forms in which measurements are written down",
        "records.form",
        ["known: what nitro-cli and nitro-tpm-pcr-compute print, an object of registers, an in-toto statement, a list"],
    )


def platform_of(pcrs: Mapping[int, bytes], *, where: str) -> str:
    """Return the platform that registers with these indexes are of. Raises CannotAnswer ``records.platform``."""
    if pcrs.keys() >= _IMAGE:
        return NITRO_ENCLAVE
    if pcrs.keys() & _TPM and pcrs.keys() <= _TPM:
        return NITRO_TPM
    names = ", ".join(map(pcr.name, pcrs))
    raise CannotAnswer(
        f"{where}: {names}: neither an enclave's PCR0, PCR1 and PCR2, nor what nitro-tpm-pcr-compute computes",
        "records.platform",
        ["say what platform it is: --platform nitro-enclave, nitro-tpm, or another name"],
    )


# -- the forms


def _registers(value: object, where: str, place: str = "") -> dict[int, bytes]:
    """Return the registers of an object of them, at the JSON Pointer ``place``: ``PCR0`` or ``0``, in hexadecimal."""
    if not isinstance(value, dict) or not value:
        raise _refused(f"{where}: {place or '/'}: no object of registers")
    found: dict[int, bytes] = {}
    for name, text in value.items():
        if name == "HashAlgorithm":
            continue
        at = f"{where}: {place}{strict_json.pointer([name])}"
        if not isinstance(text, str):
            raise _refused(f"{at}: not a string")
        try:
            index, register = pcr.parse_name(name), pcr.parse_value(text, where=at)
        except UsageError as error:
            raise _refused(
                error.message if error.code == "pcr.value" else f"{at}: not a register", *error.hints
            ) from error
        if index in found:
            raise _refused(f"{where}: {place or '/'}: {pcr.name(index)} is given twice")
        found[index] = register
    return dict(sorted(found.items()))


def _of_nitro_cli(document: dict[str, Any], where: str) -> Source:
    found = nitro_cli_json.of_document(document, where=where)
    tpm = found.keys() <= _TPM
    form = "the output of nitro-tpm-pcr-compute" if tpm else "the output of nitro-cli"
    label = document.get("ImageName", "")
    return Source(form=form, found=(Imported(label=label if isinstance(label, str) else "", pcrs=found),))


def _of_enclaves(document: list[dict[str, Any]], where: str) -> Source:
    found = []
    for number, enclave in enumerate(document):
        flags = enclave.get("Flags")
        if flags != "NONE":
            raise _refused(
                f"{where}: /{number}/Flags: {flags!r}: a debug-mode enclave attests zeros, whatever is printed here",
                "record from the image: --eif FILE",
            )
        name = enclave.get("EnclaveName") or enclave["EnclaveID"]
        registers = _registers(enclave.get("Measurements"), where, f"/{number}/Measurements")
        found.append(Imported(label=str(name), pcrs=registers))
    if not found:
        raise _refused(f"{where}: no enclave was running", "run it, or record from the image: --eif FILE")
    return Source(
        form="the output of nitro-cli describe-enclaves",
        found=tuple(found),
        caution="this is what nitro-cli on that host said; an attestation document would prove it",
    )


def _of_map(document: dict[str, Any], where: str) -> Source:
    return Source(form="an object of registers", found=(Imported(label="", pcrs=_registers(document, where)),))


def _of_member(document: dict[str, Any], where: str) -> Source:
    name = next(name for name in _MEMBERS if name in document)
    registers = _registers(document[name], where, f"/{name}")
    return Source(form=f"an object of registers under {name}", found=(Imported(label="", pcrs=registers),))


def _of_manifest(document: dict[str, Any], where: str) -> Source:
    measurements = document["measurements"]
    algorithm = measurements.get("algorithm", "sha384")
    if algorithm != "sha384":
        raise _refused(f"{where}: /measurements/algorithm: not sha384: {algorithm!r}")
    release = document.get("release")
    label = release.get("version", "") if isinstance(release, dict) else document.get("version", "")
    registers = _registers(measurements["pcrs"], where, "/measurements/pcrs")
    found = Imported(label=label if isinstance(label, str) else "", pcrs=registers)
    return Source(form="a release manifest with measurements", found=(found,))


def _of_history(document: list[dict[str, Any]], where: str) -> Source:
    found = []
    for number, item in enumerate(document):
        given = {name: value for name, value in item.items() if _is_register_name(name)}
        when = item.get("timestamp", item.get("version", ""))
        label = str(when) if isinstance(when, str | int) and not isinstance(when, bool) else ""
        found.append(Imported(label=label, pcrs=_registers(given, where, f"/{number}")))
    return Source(
        form="a list of measurements",
        found=tuple(found),
        caution="signatures in it were not verified" if any("signature" in item for item in document) else "",
    )


def _of_statement(document: dict[str, Any], where: str) -> Source:
    predicate = document.get("predicate")
    if isinstance(predicate, dict):
        for recognises, form in _FORMS:
            if form in (_of_manifest, _of_nitro_cli, _of_member, _of_map) and recognises(predicate):
                inner = form(predicate, f"{where}: /predicate")
                kind = document.get("predicateType")
                return Source(
                    form=f"an in-toto statement, predicate {kind}",
                    found=inner.found,
                    caution="its signature was not verified",
                )
    raise _refused(
        f"{where}: /predicate: no measurements in a form that is known: {document.get('predicateType')!r}",
        "take the measurements out of it, as an object of registers",
    )


def _of_ledger(document: dict[str, Any], where: str) -> Source:
    raise CannotAnswer(
        f"{where}: it is a file of recorded measurements itself: {document['schema']}",
        "records.form",
        ["nitroctl pcr merge takes its entries over, with their lives"],
    )


def _of_envelope(document: dict[str, Any], where: str) -> Source:
    raise CannotAnswer(
        f"{where}: a signed envelope (DSSE) around {document['payloadType']!r}",
        "records.form",
        ["verify it with its own tool, then import the statement in it"],
    )


def _is_register_name(name: str) -> bool:
    try:
        pcr.parse_name(name)
    except UsageError:
        return False
    return True


def _is_object(document: object, *names: str) -> bool:
    return isinstance(document, dict) and all(name in document for name in names)


def _is_list_with(document: object, *names: str) -> bool:
    return (
        isinstance(document, list)
        and 0 < len(document) <= _MOST
        and all(isinstance(item, dict) and all(name in item for name in names) for item in document)
    )


def _is_map(document: object) -> bool:
    return (
        isinstance(document, dict)
        and any(map(_is_register_name, document))
        and all(name == "HashAlgorithm" or _is_register_name(name) for name in document)
    )


def _is_manifest(document: object) -> bool:
    measurements = document.get("measurements") if isinstance(document, dict) else None
    return isinstance(measurements, dict) and "pcrs" in measurements


def _is_statement(document: object) -> bool:
    kind = document.get("_type") if isinstance(document, dict) else None
    return isinstance(kind, str) and kind.startswith(_STATEMENT)


def _is_ledger(document: object) -> bool:
    return _is_object(document, "schema", "entries")


_MEMBERS: Final = ("pcrs", "PCRs", "Pcrs")
_Form = Callable[[Any, str], Source]
#: How each form is told, and read, in this order.
_FORMS: Final[tuple[tuple[Callable[[object], bool], _Form], ...]] = (
    (_is_statement, _of_statement),
    (_is_ledger, _of_ledger),
    (lambda document: _is_object(document, "payloadType", "payload"), _of_envelope),
    (lambda document: _is_object(document, "Measurements"), _of_nitro_cli),
    (lambda document: document == [] or _is_list_with(document, "EnclaveID"), _of_enclaves),
    (_is_manifest, _of_manifest),
    (lambda document: any(_is_object(document, name) for name in _MEMBERS), _of_member),
    (_is_map, _of_map),
    (lambda document: _is_list_with(document, "PCR0"), _of_history),
)


def _refused(message: str, *hints: str) -> CannotAnswer:
    return CannotAnswer(message, "records.measurements", hints)
