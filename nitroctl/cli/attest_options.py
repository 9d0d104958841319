"""What the options of ``nitroctl attest verify`` come to: an instant, the roots to accept, a policy, and a judge.

A policy file says what is required and each flag replaces one of its fields. Without a file the flags are the policy.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from nitroctl.errors import UsageError

if TYPE_CHECKING:
    from nitroctl.appraisal.judge import Judge
    from nitroctl.appraisal.policy import Policy, ReferenceValues
    from nitroctl.appraisal.policy_file import PolicyFile
    from nitroctl.evidence.roots import Root
    from nitroctl.records import Ledger

_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-5][0-9])"
)
_HEX_BYTES: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
_PEM_LIMIT: Final = 64 * 1024
#: A repeated --pcr makes one set under this name.
_INLINE: Final = "--pcr"
_REGION: Final = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}")
_PARTITION: Final = re.compile(r"aws[a-z-]{0,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options as given; None or nothing where they were not."""

    policy: str | None = None
    records: str | None = None
    pcr: Sequence[str] = ()
    nonce: str | None = None
    max_age: str | None = None
    region: Sequence[str] = ()
    partition: Sequence[str] = ()
    at: str = "now"
    root: Sequence[str] = ()
    crl: Sequence[str] = ()
    allow_debug: bool = False
    strict: bool = False
    authenticity_only: bool = False


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


def judge(asked: Asked) -> "Judge":
    """Return the judge that the options come to. Raises UsageError, or CannotAnswer for a file among them."""
    from nitroctl.appraisal.judge import Judge

    _refuse_contradictions(asked)
    at = instant(asked.at)
    written = None
    if asked.policy is not None:
        from nitroctl.appraisal import policy_file

        written = policy_file.read(asked.policy)
    return Judge(
        at=at,
        chosen=asked.at if asked.at in {"now", "document"} else "given",
        policy=None if asked.authenticity_only else _policy(asked, written),
        roots=roots(asked.root, written.roots if written else None, where=asked.policy or ""),
        strict=asked.strict or (written is not None and written.strict),
        crls=_crls(asked.crl),
    )


def _refuse_contradictions(asked: Asked) -> None:
    """Refuse options that would silently be ignored."""
    appraising = {
        "--policy": asked.policy is not None,
        "--records": asked.records is not None,
        "--pcr": bool(asked.pcr),
        "--nonce": asked.nonce is not None,
        "--max-age": asked.max_age is not None,
        "--region": bool(asked.region),
        "--partition": bool(asked.partition),
        "--allow-debug": asked.allow_debug,
    }
    given = [option for option, is_given in appraising.items() if is_given]
    if asked.authenticity_only and given:
        raise UsageError(
            f"--authenticity-only appraises nothing, so {given[0]} would be ignored",
            "usage.invalid",
            ["leave one of the two out"],
        )
    if "--records" in given and "--pcr" in given:
        raise UsageError("--records and --pcr exclude each other", "usage.invalid", ["leave one of the two out"])
    if "--max-age" in given and asked.at == "document":
        raise _no_age("--max-age")


def _no_age(what: str) -> UsageError:
    return UsageError(
        f"{what} says nothing with --at document: at its own time a document has no age",
        "usage.invalid",
        ["name the instant at which you received it: --at 2026-11-20T10:00:00Z"],
    )


def _policy(asked: Asked, written: "PolicyFile | None") -> "Policy":
    """Return the policy file's policy with what the flags replace in it, or the flags' own."""
    from nitroctl.appraisal.policy import Policy

    changed = _flags(asked)
    if asked.pcr:
        changed["references"] = {"accepted": (_inline(asked.pcr),), "known": ()}
    elif asked.records is not None:
        changed["references"] = _references(asked.records, written)
    members: dict[str, Any] = {}
    for each in changed.values():
        members |= each
    if written is None:
        return Policy(**({} if "references" in changed else _references(None, None)) | members)
    if "references" not in changed:
        members |= _written_references(written)
    if written.policy.source is not None:
        members["source"] = replace(written.policy.source, overridden=tuple(sorted(changed)))
    policy = replace(written.policy, **members)
    if policy.max_age is not None and asked.at == "document":
        raise _no_age(f"{written.file}: max_age")
    if policy.nonce_required and policy.nonce is None:
        raise UsageError(
            f"{written.file}: the policy requires a nonce to compare with, and none was given",
            "attest.nonce-required",
            ["give the one that was asked for: --nonce HEX"],
        )
    return policy


def _flags(asked: Asked) -> dict[str, dict[str, Any]]:
    """Return what the flags say, by the policy's field: the members of a Policy that they set."""
    changed: dict[str, dict[str, Any]] = {}
    if asked.nonce is not None:
        changed["nonce"] = {"nonce": _nonce(asked.nonce)}
    if asked.max_age is not None:
        changed["max_age"] = {"max_age": _max_age(asked.max_age)}
    if asked.allow_debug:
        changed["debug"] = {"allow_debug": True}
    if asked.region:
        changed["regions"] = {"regions": _names("--region", asked.region, _REGION, "eu-west-1")}
    if asked.partition:
        changed["partitions"] = {"partitions": _names("--partition", asked.partition, _PARTITION, "aws or aws-us-gov")}
    return changed


def _names(option: str, texts: Sequence[str], form: re.Pattern[str], example: str) -> frozenset[str]:
    for text in texts:
        if not form.fullmatch(text):
            raise UsageError(f"{option}: not a name of one: {text!r}", "usage.invalid", [f"write {example}"])
    return frozenset(texts)


def _written_references(written: "PolicyFile") -> dict[str, Any]:
    """Return a policy file's reference values, with those of the ledger it names. Raises UsageError for none."""
    accepted = written.policy.accepted
    if written.records_path is None:
        if not accepted:
            raise _no_references(written.file)
        return {}
    found = _references(written.records_path, written, ready=accepted)
    return {**found, "accepted": (*accepted, *found["accepted"])}


def _references(
    records: str | None, written: "PolicyFile | None", ready: "Collection[ReferenceValues]" = ()
) -> dict[str, Any]:
    """Return a ledger's active entries as reference values, and the others with their status.

    ``ready``: reference values from elsewhere, with which the ledger may have none. Raises UsageError for none.
    """
    from nitroctl import settings
    from nitroctl.records import load

    setting = settings.load({"records": records}).values["records"]
    accepted, known = reference_values(load(setting.value, missing_ok=setting.origin == "default"), written)
    if not (accepted or known or ready):
        raise _no_references(setting.value)
    return {"accepted": accepted, "known": known}


def reference_values(
    ledger: "Ledger", written: "PolicyFile | None"
) -> "tuple[tuple[ReferenceValues, ...], tuple[tuple[ReferenceValues, str], ...]]":
    """Return the entries of a policy's kind, component and environment: those that accept, the others with why not."""
    from nitroctl.appraisal.policy import ReferenceValues
    from nitroctl.records import NITRO_ENCLAVE, NITRO_TPM, Status

    filters = written.records if written else None
    platform = NITRO_TPM if written and written.policy.kind == "nitrotpm" else NITRO_ENCLAVE
    accepted, known = [], []
    for entry in ledger.concerning(filters.component, filters.environment) if filters else ledger:
        if entry.platform != platform:
            continue
        artifact = entry.artifact.sha256 if entry.artifact else None
        # An image that was revoked is revoked wherever it runs and whoever signed it.
        compared = entry.image if entry.status is Status.REVOKED else entry.pinned
        reference = ReferenceValues(entry.id, dict(compared), artifact)
        if entry.status is Status.ACTIVE:
            accepted.append(reference)
        else:
            known.append((reference, entry.status.value))
    return tuple(accepted), tuple(known)


def _no_references(where: str) -> UsageError:
    return UsageError(
        f"{where}: no reference values, and without them nothing is acceptable",
        "attest.no-reference-values",
        [
            "record the image: nitroctl pcr record --help",
            "or give its registers: --pcr PCR0=<96 hexadecimal digits>",
            "or ask only who signed it: --authenticity-only",
        ],
    )


def _inline(assignments: Sequence[str]) -> "ReferenceValues":
    from nitroctl.appraisal.policy import ReferenceValues
    from nitroctl.pcr import name, parse_assignment

    pcrs: dict[int, bytes] = {}
    for text in assignments:
        index, value = parse_assignment(text)
        if pcrs.setdefault(index, value) != value:
            raise UsageError(f"--pcr: {name(index)} is given two values", "usage.invalid")
    return ReferenceValues(_INLINE, pcrs)


def _nonce(text: str) -> bytes:
    if not _HEX_BYTES.fullmatch(text):
        raise UsageError(
            "--nonce: not bytes in hexadecimal" if text else "--nonce: empty, which proves nothing",
            "attest.nonce",
            ["write two hexadecimal digits a byte: printf %s TEXT | xxd -p"],
        )
    return bytes.fromhex(text)


def _max_age(text: str) -> timedelta:
    from nitroctl.appraisal.policy import parse_duration

    span = parse_duration(text)
    if not span:
        raise UsageError(f"--max-age: not a duration: {text!r}", "attest.max-age", ["write 30s, 5m, 3h or 2d"])
    return span


def _crls(files: Sequence[str]) -> tuple[bytes, ...]:
    """Return the revocation lists in ``files`` as DER. Raises CannotAnswer."""
    if not files:
        return ()
    from nitroctl.evidence import crl

    return crl.load_all(files)


def roots(
    files: "Sequence[str] | None", narrowed: Sequence[str] | None = None, *, where: str = ""
) -> "tuple[Root, ...]":
    """Return the roots in ``files``, or AWS's when there are none, less those not among ``narrowed``.

    ``narrowed``: the fingerprints of the policy ``where``: a policy that could add a root could accept anything.
    Raises CannotAnswer; UsageError ``attest.policy-roots`` when none is left.
    """
    from nitroctl import safefile
    from nitroctl.evidence.roots import AWS_ROOTS, from_pem

    found: tuple[Root, ...] = AWS_ROOTS
    if files:
        found = tuple(from_pem(safefile.read_bytes(file, limit=_PEM_LIMIT), where=file) for file in files)
    if narrowed is None:
        return found
    kept = tuple(root for root in found if root.fingerprint in narrowed)
    if not kept:
        which = "the roots that --root names" if files else "AWS's roots"
        raise UsageError(
            f"{where}: the policy accepts none of {which}",
            "attest.policy-roots",
            ["a policy narrows the roots and cannot add one: name the certificate with --root as well"],
        )
    return kept
