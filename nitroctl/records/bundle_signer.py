"""Whose certificate it is: the policy that the library asks about a certificate it has found authentic."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, ObjectIdentifier


@dataclass(slots=True)
class Signer:
    """What the library asks about an authentic certificate: whether it is the one that is expected.

    ``identities``, ``issuers``: what the certificate says, None until it was asked about.
    """

    identity: str
    issuer: str
    identities: tuple[str, ...] | None = None
    issuers: tuple[str, ...] = ()
    identity_holds: bool = False
    issuer_holds: bool = False

    def verify(self, cert: "Certificate") -> None:
        """Raise the library's VerificationError unless the certificate is of the identity, by the issuer."""
        from sigstore.errors import VerificationError  # noqa: PLC0415
        from sigstore.verify import policy  # noqa: PLC0415

        def met(asked: policy.VerificationPolicy) -> bool:
            try:
                asked.verify(cert)
            except VerificationError:
                return False
            return True

        # Fulcio writes the issuer twice, as it did at first and in DER; each that is there has to be the one.
        kinds = [kind for kind in (policy.OIDCIssuer, policy.OIDCIssuerV2) if _extension(cert, kind.oid) is not None]
        self.identities = _names(cert)
        self.issuers = tuple(dict.fromkeys(_issuer(cert, kind.oid) for kind in kinds))
        self.identity_holds = met(policy.Identity(identity=self.identity))
        self.issuer_holds = bool(kinds) and all(met(kind(self.issuer)) for kind in kinds)
        if not (self.identity_holds and self.issuer_holds):
            raise VerificationError("another signer")


def _extension(cert: "Certificate", oid: "ObjectIdentifier") -> bytes | None:
    found = [extension.value for extension in cert.extensions if extension.oid == oid]
    return getattr(found[0], "value", None) if found else None


def _issuer(cert: "Certificate", oid: "ObjectIdentifier") -> str:
    """Return an issuer as the certificate has it, for people: the DER of a short string begins with two octets."""
    octets = _extension(cert, oid) or b""
    if octets[:1] == b"\x0c":
        octets = octets[2 if len(octets) < 130 else 3 :]  # noqa: PLR2004  (X.690, 8.1.3: a length of up to 127 is one)
    return octets.decode("utf-8", "replace")


def _names(cert: "Certificate") -> tuple[str, ...]:
    """Return the certificate's subject alternative names, for people."""
    from cryptography import x509  # noqa: PLC0415  (the library loads it)

    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return tuple(str(name.value) for name in names)
