"""The files behind an answer about a key, each with its digest, so that it is clear of what the answer is."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nitroctl.kms.authorize import Policies


@dataclass(frozen=True, slots=True)
class Source:
    """One file. ``what``: policy, ram-policy, grants or records. ``sha256``: of its bytes, in hex."""

    what: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Sources:
    """The policies that the files hold. ``files``: in the order policy, AWS_RAM, grants, records."""

    policies: "Policies"
    files: tuple[Source, ...]


def read(policy: str, *, ram_policy: str | None, grants: str | None) -> Sources:
    """Return the policies in the files.

    Raises CannotAnswer ``file.*``, ``json.*``, ``kms.document`` or ``kms.grants``.
    """
    from nitroctl import safefile
    from nitroctl.kms import document
    from nitroctl.kms import grants as granted
    from nitroctl.kms.authorize import Policies

    files, key = list[Source](), list[document.PolicyDocument]()
    for what, path in (("policy", policy), ("ram-policy", ram_policy)):
        if path is not None:
            text = safefile.read_text(path, limit=document.SIZE_LIMIT)
            files.append(_source(what, path, text))
            key.append(document.parse(text, where=where(path)))
    known = None
    if grants is not None:
        text = safefile.read_text(grants, limit=granted.SIZE_LIMIT)
        files.append(_source("grants", grants, text))
        known = granted.parse(text, where=where(grants))
    return Sources(Policies(key=tuple(key), grants=known), tuple(files))


def records(option: str | None) -> Source:
    """Return the ledger's file, which was read before. Raises CannotAnswer ``file.*``."""
    from nitroctl import safefile
    from nitroctl.cli.pcr_options import ledger_path
    from nitroctl.records.store import SIZE_LIMIT

    path = ledger_path(option)
    return _source("records", path, safefile.read_text(path, limit=SIZE_LIMIT))


def where(path: str) -> str:
    """Return how a file is called."""
    return "standard input" if path == "-" else path


def _source(what: str, path: str, text: str) -> Source:
    return Source(what, where(path), hashlib.sha256(text.encode()).hexdigest())
