"""The measurements that nitro-cli prints: the JSON of ``build-enclave``, ``sign-eif`` and ``describe-eif``.

A tolerant reader of hostile text: other members are passed over, the registers are not. ``HashAlgorithm`` is the debug
rendering of a Rust type and changed between nitro-cli 1.4 and 1.5, so that the length of the registers says what they
are. ``describe-eif`` exits 0 for an image whose checksum or signature it found wrong; such output is refused here.
"""

from collections.abc import Mapping
from typing import Final

from nitroctl import pcr, safefile, strict_json
from nitroctl.errors import CannotAnswer, UsageError

SIZE_LIMIT: Final = 16 * 1024 * 1024

_SHAPE_HINT: Final = 'nitro-cli build-enclave and describe-eif print {"Measurements": {"PCR0": …}}'


def read(path: str) -> Mapping[int, bytes]:
    """Return the registers in the file ``path``, or on standard input for ``-``.

    Raises CannotAnswer ``file.*``, ``json.*`` or ``records.measurements``, which names the place.
    """
    where = "standard input" if path == safefile.STDIN else path
    return parse(safefile.read_text(path, limit=SIZE_LIMIT), where=where)


def parse(text: str, *, where: str) -> Mapping[int, bytes]:
    """Return the registers that the JSON ``text`` gives, by index; ``where`` names it in errors."""
    document = strict_json.parse(text, where=where)
    if isinstance(document, list):
        raise _refused(
            f"{where}: a list, as describe-enclaves prints; it shows the image's registers even in debug mode",
            "record from the image: --eif FILE, or the output of nitro-cli describe-eif",
        )
    if not isinstance(document, dict):
        raise _refused(f"{where}: not an object", _SHAPE_HINT)
    return of_document(document, where=where)


def of_document(document: Mapping[str, object], *, where: str) -> Mapping[int, bytes]:
    """Return the registers that the parsed ``document`` gives, by index."""
    measurements = document.get("Measurements")
    if not isinstance(measurements, dict):
        raise _refused(f"{where}: no object /Measurements", _SHAPE_HINT)
    for name, meaning in (("CheckCRC", "checksum"), ("SignatureCheck", "signature")):
        if document.get(name, True) is not True:
            raise _refused(f"{where}: /{name} is not true: nitro-cli found the image's {meaning} wrong")
    found = dict[int, bytes]()
    for name, value in measurements.items():
        if name == "HashAlgorithm":
            continue
        index, register = _register(name, value, f"{where}: {strict_json.pointer(['Measurements', name])}")
        if index in found:
            raise _refused(f"{where}: /Measurements gives {pcr.name(index)} twice")
        found[index] = register
    if not found:
        raise _refused(f"{where}: /Measurements has no register", _SHAPE_HINT)
    return dict(sorted(found.items()))


def _register(name: str, value: object, place: str) -> tuple[int, bytes]:
    if not isinstance(value, str):
        raise _refused(f"{place}: not a string")
    try:
        index = pcr.parse_name(name)
    except UsageError as error:
        raise _refused(f"{place}: not a register", *error.hints) from error
    try:
        return index, pcr.parse_value(value, where=place)
    except UsageError as error:
        raise _refused(error.message, *error.hints) from error


def _refused(message: str, *hints: str) -> CannotAnswer:
    return CannotAnswer(message, "records.measurements", hints)
