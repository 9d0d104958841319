"""The roots a chain may begin with: AWS's, pinned by fingerprint, or ones that were named for this call.

A root is compared by the SHA-256 of its exact bytes, never by its name. The PEM files beside this module are AWS's
published certificates, for people and other programs; the verdict rests on the fingerprints here.
"""

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import Final

from nitroctl import pcr
from nitroctl.errors import CannotAnswer
from nitroctl.evidence import certificate


@dataclass(frozen=True, slots=True)
class Root:
    """An accepted root. ``partition``: AWS's name for the part of its cloud; None for a root that is not AWS's."""

    name: str
    fingerprint: str
    partition: str | None = None
    file: str | None = None

    @property
    def aws(self) -> bool:
        """Whether it is one of AWS's published roots."""
        return self.partition is not None


#: Published at aws-nitro-enclaves.amazonaws.com/AWS_NitroEnclaves_Root-G1.zip, and in the GovCloud user guide.
AWS_ROOTS: Final = (
    Root(
        "AWS Nitro Enclaves Root G1",
        "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b",
        "aws",
        "aws_root_g1.pem",
    ),
    Root(
        "AWS GovCloud (US) Nitro Enclaves root",
        "20bcd30a3e168ea03789e1c45912bc123c4de3c977b8a6e1c125c7929d668b3b",
        "aws-us-gov",
        "aws_us_gov_root.pem",
    ),
)


def find(der: bytes, roots: tuple[Root, ...]) -> Root | None:
    """Return the root among ``roots`` whose certificate is exactly ``der``, or None."""
    fingerprint = hashlib.sha256(der).hexdigest()
    return next((root for root in roots if root.fingerprint == fingerprint), None)


def from_pem(pem: bytes, *, where: str) -> Root:
    """Return the one certificate in ``pem`` as a root; an AWS root keeps its name and partition.

    Raises CannotAnswer ``evidence.root``.
    """
    if pem.count(b"-----BEGIN CERTIFICATE-----") > 1:
        raise CannotAnswer(
            f"{where}: more than one certificate in it", "evidence.root", ["pass one file for each root"]
        )
    der = pcr.certificate_der(pem, where=where)
    try:
        found = certificate.load(der)
    except certificate.CertificateFault as error:
        raise CannotAnswer(f"{where}: the certificate {error}", "evidence.root") from error
    known = find(der, AWS_ROOTS)
    return known or Root(found.subject_text, found.fingerprint)


def pem(root: Root) -> bytes:
    """Return an AWS root's published PEM. Raises CannotAnswer ``evidence.root`` when the installed file is not it."""
    if root.file is None:
        raise CannotAnswer(f"{root.name} is not one of the roots in this package", "evidence.root")
    content = resources.files("nitroctl.evidence").joinpath(root.file).read_bytes()
    if hashlib.sha256(pcr.certificate_der(content, where=root.file)).hexdigest() != root.fingerprint:
        raise CannotAnswer(
            f"{root.file}: not the certificate that is pinned", "evidence.root", ["install nitroctl anew"]
        )
    return content
