"""Heaps of documents for the survey's tests: under one test root, alike but for what a test changes."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import hashes

from nitroctl import pcr
from nitroctl.appraisal.judge import Judge
from nitroctl.evidence.roots import Root
from nitroctl.evidence.survey import Facts, facts
from nitroctl.standin import nsm, pki
from nitroctl.standin.pki import Identity

AT = datetime(2026, 11, 20, 10, 0, 0, 250000, tzinfo=UTC)
ISSUED = AT.replace(microsecond=0)
ONE, OTHER = "i-0123456789abcdef0", "i-0fedcba9876543210"
IMAGE = {0: b"\x10" * 48, 1: b"\x11" * 48, 2: b"\x12" * 48}
#: The order n of the P-384 group (SEC 2, 2.5.1).
ORDER = 2**384 - 0x389CB27E0BC8D220A7E5F24DB74F58851313E695333AD68D


@functools.cache
def root() -> Identity:
    return pki.issue(pki.root_profile(at=AT - timedelta(days=30)), None)


def accepted() -> Root:
    certificate = root().certificate
    return Root(certificate.subject.rfc4514_string(), certificate.fingerprint(hashes.SHA256()).hex())


@functools.cache
def _authorities(instance: str, region: str) -> tuple[Identity, ...]:
    regional = pki.issue(pki.regional_profile(region, at=AT), root())
    zonal = pki.issue(pki.zonal_profile(region, at=AT), regional)
    return root(), regional, zonal, pki.issue(pki.instance_profile(instance, region, at=AT), zonal)


@functools.cache
def leaf(module_id: str, region: str, issued: datetime) -> tuple[Identity, ...]:
    """Return a chain whose leaf is issued to ``module_id`` at ``issued``: the same one for the same arguments."""
    above = _authorities(module_id.rpartition("-")[0], region)
    return (*above, pki.issue(pki.leaf_profile(module_id, region, at=issued), above[-1]))


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One document. ``issued``: of its leaf. ``leaf_of``: the module id the leaf is issued to, if another's."""

    instance: str = ONE
    enclave: int = 1
    region: str = "eu-west-1"
    at: datetime = AT
    issued: datetime = ISSUED
    leaf_of: str | None = None
    pcrs: Mapping[int, bytes] = field(default_factory=dict)
    nonce: bytes | None = None
    user_data: bytes | None = None
    kind: str = "enc"

    @property
    def module_id(self) -> str:
        launched = nsm.milliseconds(AT - timedelta(minutes=10))
        number = "0" * 16 if self.kind == "tpm" else f"{launched:012x}{self.enclave:04x}"
        return f"{self.instance}-{self.kind}{number}"

    @property
    def payload(self) -> bytes:
        registers = {**IMAGE, 4: pcr.for_instance(self.instance), **self.pcrs}
        pairs = nsm.fields(
            self._chain,
            module_id=self.module_id,
            pcrs=registers,
            at=self.at,
            nonce=self.nonce,
            user_data=self.user_data,
        )
        if self.kind == "tpm":
            pairs = [("nitrotpm_pcrs" if name == "pcrs" else name, value) for name, value in pairs]
        return nsm.payload(pairs)

    @property
    def _chain(self) -> tuple[Identity, ...]:
        return leaf(self.leaf_of or self.module_id, self.region, self.issued)

    def document(self) -> bytes:
        """Return the document, signed anew each time."""
        return nsm.sign1(self._chain[-1].key, self.payload)


def doubled(document: bytes) -> bytes:
    """Return the document with s of its signature replaced by n - s: other bytes, and it still holds."""
    s = int.from_bytes(document[-48:])
    return document[:-48] + (ORDER - s).to_bytes(48)


def taken(name: str, document: bytes) -> Facts:
    """Return what a survey takes from the document, which must be authentic at its own time."""
    judgement = Judge(roots=(accepted(),)).judge(document)
    assert judgement.verified.report.passed, judgement.sentence
    return facts(name, judgement.parsed, judgement.verified.chain)
