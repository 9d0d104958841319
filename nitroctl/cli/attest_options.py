"""What the options of ``nitroctl attest verify`` come to: an instant, a policy, and the roots to accept."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from nitroctl.errors import UsageError

if TYPE_CHECKING:
    from nitroctl.appraisal.policy import Policy, ReferenceValues
    from nitroctl.evidence.roots import Root

_RFC3339: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]{8,}(?:[Zz]|[+-][0-9]{2}:[0-9]{2})")
_DURATION: Final = re.compile(r"([1-9][0-9]{0,6})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_HEX_BYTES: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
_PEM_LIMIT: Final = 64 * 1024
#: A repeated --pcr makes one set under this name.
_INLINE: Final = "--pcr"


def now() -> datetime:
    """Return the clock's time, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def instant(text: str) -> datetime | None:
    """Return the instant ``--at`` names, None for the document's own. Raises UsageError ``attest.at``."""
    if text == "document":
        return None
    if text == "now":
        return now()
    try:
        if not _RFC3339.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"--at: neither now, document nor an RFC 3339 time: {text!r}",
            "attest.at",
            ["write 2026-11-20T10:00:00Z"],
        ) from error


def refuse_contradictions(at: str, appraising: Mapping[str, bool], *, authenticity_only: bool) -> None:
    """Refuse options that would silently be ignored. ``appraising``: the appraisal's options, and which are given."""
    given = [option for option, is_given in appraising.items() if is_given]
    if authenticity_only and given:
        raise UsageError(
            f"--authenticity-only appraises nothing, so {given[0]} would be ignored",
            "usage.invalid",
            ["leave one of the two out"],
        )
    if "--records" in given and "--pcr" in given:
        raise UsageError("--records and --pcr exclude each other", "usage.invalid", ["leave one of the two out"])
    if "--max-age" in given and at == "document":
        raise UsageError(
            "--max-age says nothing with --at document: at its own time a document has no age",
            "usage.invalid",
            ["name the instant at which you received it: --at 2026-11-20T10:00:00Z"],
        )


def policy(
    records: str | None, inline: list[str] | None, nonce: str | None, max_age: str | None, *, allow_debug: bool
) -> "Policy":
    """Return the policy that the options come to. Raises UsageError, or CannotAnswer for the records."""
    from nitroctl.appraisal.policy import Policy

    accepted, known = ((_inline(inline),), ()) if inline else _recorded(records)
    return Policy(
        accepted=accepted,
        known=known,
        allow_debug=allow_debug,
        nonce=_nonce(nonce) if nonce is not None else None,
        max_age=_duration(max_age) if max_age is not None else None,
    )


def _inline(assignments: list[str]) -> "ReferenceValues":
    from nitroctl.appraisal.policy import ReferenceValues
    from nitroctl.pcr import name, parse_assignment

    pcrs: dict[int, bytes] = {}
    for text in assignments:
        index, value = parse_assignment(text)
        if pcrs.setdefault(index, value) != value:
            raise UsageError(f"--pcr: {name(index)} is given two values", "usage.invalid")
    return ReferenceValues(_INLINE, pcrs)


def _recorded(
    records: str | None,
) -> "tuple[tuple[ReferenceValues, ...], tuple[tuple[ReferenceValues, str], ...]]":
    """Return the active enclave entries as reference values, and the others with their status."""
    from nitroctl import settings
    from nitroctl.appraisal.policy import ReferenceValues
    from nitroctl.records import NITRO_ENCLAVE, Status, load

    setting = settings.load({"records": records}).values["records"]
    ledger = load(setting.value, missing_ok=setting.origin == "default")
    entries = [entry for entry in ledger.entries if entry.platform == NITRO_ENCLAVE]
    if not entries:
        raise UsageError(
            f"{setting.value}: no reference values, and without them nothing is acceptable",
            "attest.no-reference-values",
            [
                "record the image: nitroctl pcr record --help",
                "or give its registers: --pcr PCR0=<96 hexadecimal digits>",
                "or ask only who signed it: --authenticity-only",
            ],
        )
    accepted, known = [], []
    for entry in entries:
        reference = ReferenceValues(entry.id, dict(entry.pinned), entry.artifact.sha256 if entry.artifact else None)
        if entry.status is Status.ACTIVE:
            accepted.append(reference)
        else:
            known.append((reference, entry.status.value))
    return tuple(accepted), tuple(known)


def _nonce(text: str) -> bytes:
    if not _HEX_BYTES.fullmatch(text):
        raise UsageError(
            "--nonce: not bytes in hexadecimal" if text else "--nonce: empty, which proves nothing",
            "attest.nonce",
            ["write two hexadecimal digits a byte: printf %s TEXT | xxd -p"],
        )
    return bytes.fromhex(text)


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if not match:
        raise UsageError(f"--max-age: not a duration: {text!r}", "attest.max-age", ["write 30s, 5m, 3h or 2d"])
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def roots(files: list[str] | None) -> "tuple[Root, ...]":
    """Return the roots in ``files``, or AWS's when there are none. Raises CannotAnswer."""
    from nitroctl import safefile
    from nitroctl.evidence.roots import AWS_ROOTS, from_pem

    if not files:
        return AWS_ROOTS
    return tuple(from_pem(safefile.read_bytes(file, limit=_PEM_LIMIT), where=file) for file in files)
