"""Cases of the lab in which the certificate chain is at fault; the document itself is signed with its leaf's key."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from cryptography import x509

from nitroctl import pcr
from nitroctl.evidence import roots
from nitroctl.standin import pki
from nitroctl.standin.lab_change import (
    AT,
    INSTANCE_CA,
    LEAF,
    REGIONAL,
    ROOT,
    ZONAL,
    Case,
    Chain,
    Change,
    bundle,
    case,
    certificate,
    edited,
    extension,
    flip,
    issue_chain,
    other_chain,
    profile,
    profiles,
    root,
)
from nitroctl.standin.pki import Identity

_SECOND: Final = timedelta(seconds=1)
_BOOLEAN: Final = "30060101ff020100"
_CONSTRAINTS: Final = "0603551d13"
_USAGE: Final = "0603551d0f"


def _ders(change: Callable[[list[bytes]], list[bytes]]) -> Change:
    return Change(fields=bundle(change))


def _leaf(change: Callable[[bytes], bytes]) -> Change:
    return Change(fields=certificate(change))


def _edited(number: int, old: str, new: str) -> Change:
    return Change(fields=edited(number, old, new))


def _usage(number: int, *usages: str) -> Change:
    return profile(number, key_usage=frozenset(usages))


def _aws_root() -> bytes:
    return pcr.certificate_der(roots.pem(roots.AWS_ROOTS[0]), where="AWS root")


def _named_as_aws() -> Identity:
    real = x509.load_der_x509_certificate(_aws_root())
    return pki.issue(replace(profiles()[ROOT], subject=real.subject), None)


def _leaf_of_a_leaf(chain: Chain) -> Chain:
    """Use a good leaf as if it were an authority."""
    return (*chain, pki.issue(profiles()[LEAF], chain[LEAF]))


def _self_signed(chain: Chain) -> Chain:
    return (*chain[:LEAF], pki.issue(profiles()[LEAF], None))


def _two_leaves(chain: Chain) -> Chain:
    """Present the good leaf, but with the key of another that the same authority issued."""
    other = pki.issue(profiles()[LEAF], chain[INSTANCE_CA])
    return (*chain[:LEAF], replace(other, certificate=chain[LEAF].certificate))


CASES: Final[tuple[Case, ...]] = (
    case(
        "root-same-name",
        "The whole chain stands under another root that has the accepted one's name.",
        "chain.root-pinned",
        Change(chain=lambda _: other_chain(same_name=True)),
    ),
    case(
        "root-other-name",
        "The whole chain stands under another root of another name.",
        "chain.root-pinned",
        Change(chain=lambda _: other_chain(same_name=False)),
    ),
    case(
        "root-named-as-aws",
        "The whole chain stands under a root that has the name of AWS's.",
        "chain.root-pinned",
        Change(chain=lambda _: issue_chain(profiles(), _named_as_aws())),
    ),
    case(
        "root-then-same-name",
        "The accepted root begins the bundle, and the rest stands under another root of its name.",
        "chain.signatures",
        Change(chain=lambda _: (root(), *other_chain(same_name=True)[1:])),
    ),
    case(
        "root-then-other-name",
        "The accepted root begins the bundle, and the rest stands under another root that is left out.",
        "chain.names chain.signatures",
        Change(chain=lambda _: (root(), *other_chain(same_name=False)[1:])),
    ),
    case(
        "root-then-other-root",
        "The accepted root begins the bundle, and another root follows it with its chain.",
        "chain.names chain.signatures",
        Change(chain=lambda _: (root(), *other_chain(same_name=False))),
    ),
    case(
        "root-left-out",
        "The bundle begins with the regional authority.",
        "chain.root-pinned",
        _ders(lambda ders: ders[1:]),
    ),
    case(
        "root-last",
        "The bundle has the accepted root at its end in place of its beginning.",
        "chain.root-pinned chain.names chain.signatures chain.path-length",
        _ders(lambda ders: [*ders[1:], ders[0]]),
    ),
    case(
        "root-of-aws",
        "The bundle begins with AWS's own root, and the rest stands under the accepted one.",
        "chain.root-pinned chain.names chain.signatures",
        _ders(lambda ders: [_aws_root(), *ders[1:]]),
    ),
    case(
        "root-of-aws-authority-damaged",
        "The bundle begins with AWS's own root, and a byte follows the last authority.",
        "chain.root-pinned chain.der",
        _ders(lambda ders: [_aws_root(), *ders[1:-1], ders[-1] + b"\x00"]),
    ),
    case(
        "root-damaged",
        "A byte follows the accepted root.",
        "chain.root-pinned chain.der",
        _ders(lambda ders: [ders[0] + b"\x00", *ders[1:]]),
    ),
    case(
        "authorities-exchanged",
        "The regional and the zonal authority are exchanged.",
        "chain.names chain.signatures chain.path-length",
        Change(chain=lambda chain: (chain[ROOT], chain[ZONAL], chain[REGIONAL], *chain[INSTANCE_CA:])),
    ),
    case(
        "bundle-backwards",
        "The bundle is in the reverse order.",
        "chain.root-pinned chain.names chain.signatures chain.path-length",
        _ders(lambda ders: ders[::-1]),
    ),
    case(
        "authority-left-out",
        "The regional authority is left out.",
        "chain.names chain.signatures",
        _ders(lambda ders: [ders[0], *ders[2:]]),
    ),
    case(
        "authority-twice",
        "The instance authority is in the bundle twice.",
        "chain.names chain.signatures chain.path-length",
        _ders(lambda ders: [*ders, ders[-1]]),
    ),
    case(
        "bundle-root-only",
        "The bundle has only the root in it.",
        "chain.names chain.signatures",
        _ders(lambda ders: ders[:1]),
    ),
    case(
        "leaf-in-bundle",
        "The leaf is in the bundle as well, as its own issuer.",
        "chain.names chain.signatures chain.ca chain.ca-key-usage chain.path-length",
        Change(fields=lambda fields: bundle(lambda ders: [*ders, dict(fields)["certificate"]])(fields)),
    ),
    case(
        "leaf-issued-by-leaf",
        "A leaf that is no authority issued the certificate that signs the document.",
        "chain.ca chain.ca-key-usage chain.path-length",
        Change(chain=_leaf_of_a_leaf),
    ),
    case(
        "leaf-self-signed",
        "The leaf is signed with its own key and names itself as issuer.",
        "chain.names chain.signatures",
        Change(chain=_self_signed),
    ),
    case(
        "leaf-of-another-key",
        "The leaf is good, but the document is signed with the key of another leaf.",
        "cose.signature",
        Change(chain=_two_leaves),
    ),
    case(
        "leaf-over",
        "The leaf's period was over a second before the document's time.",
        "chain.document-time chain.unexpired",
        profile(LEAF, not_after=AT.replace(microsecond=0) - _SECOND),
    ),
    case(
        "leaf-not-begun",
        "The leaf's period begins a second after the document's time.",
        "chain.document-time chain.begun",
        profile(LEAF, not_before=AT.replace(microsecond=0) + _SECOND),
    ),
    case(
        "authority-over",
        "The zonal authority's period was over a second before the document's time.",
        "chain.document-time chain.unexpired",
        profile(ZONAL, not_after=AT.replace(microsecond=0) - _SECOND),
    ),
    case(
        "authority-not-begun",
        "The instance authority's period begins a second after the document's time.",
        "chain.document-time chain.begun",
        profile(INSTANCE_CA, not_before=AT.replace(microsecond=0) + _SECOND),
    ),
    case(
        "judged-after-leaf",
        "The document is judged a second after its leaf's period; at its own time it was in order.",
        "chain.unexpired",
        at=AT.replace(microsecond=0) + timedelta(hours=3) + _SECOND,
    ),
    case(
        "judged-before-leaf",
        "The document is judged a second before its leaf's period.",
        "chain.begun",
        at=AT.replace(microsecond=0) - timedelta(seconds=4),
    ),
    case("leaf-authority", "The leaf is a certificate authority.", "chain.leaf", profile(LEAF, ca=True)),
    case(
        "leaf-signs-certificates",
        "The leaf may sign certificates.",
        "chain.leaf-key-usage",
        _usage(LEAF, "digital_signature", "key_cert_sign"),
    ),
    case(
        "leaf-signs-revocation-lists",
        "The leaf may sign revocation lists.",
        "chain.leaf-key-usage",
        _usage(LEAF, "digital_signature", "crl_sign"),
    ),
    case(
        "leaf-may-not-sign", "The leaf may not sign data.", "chain.leaf-key-usage", _usage(LEAF, "content_commitment")
    ),
    case("leaf-without-key-usage", "The leaf has no key usage.", "chain.leaf-key-usage", _usage(LEAF)),
    case(
        "authority-is-none", "The instance authority says that it is none.", "chain.ca", profile(INSTANCE_CA, ca=False)
    ),
    case(
        "authority-without-constraints",
        "The zonal authority has no basic constraints.",
        "chain.ca",
        profile(ZONAL, ca=None),
    ),
    case(
        "authority-may-not-certify",
        "The zonal authority may not sign certificates.",
        "chain.ca-key-usage",
        _usage(ZONAL, "digital_signature", "crl_sign"),
    ),
    case(
        "authority-without-key-usage",
        "The regional authority has no key usage.",
        "chain.ca-key-usage",
        _usage(REGIONAL),
    ),
    case(
        "path-length-0",
        "The zonal authority allows no authority below it.",
        "chain.path-length",
        profile(ZONAL, path_length=0),
    ),
    case(
        "path-length-1",
        "The regional authority allows one authority below it and has two.",
        "chain.path-length",
        profile(REGIONAL, path_length=1),
    ),
    case(
        "critical-unknown",
        "The leaf has a critical extension that nobody knows.",
        "chain.critical-extensions",
        profile(LEAF, extra=((extension("1.3.6.1.4.1.99999.1"), True),)),
    ),
    case(
        "critical-name-constraints",
        "The zonal authority has critical name constraints.",
        "chain.critical-extensions",
        profile(ZONAL, extra=((x509.NameConstraints([x509.DNSName("aws")], None), True),)),
    ),
    case(
        "critical-extended-usage",
        "The leaf has a critical extended key usage, for servers.",
        "chain.critical-extensions",
        profile(LEAF, extra=((x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")]), True),)),
    ),
    case(
        "extension-twice", "The leaf has the key usage twice.", "chain.extensions", _edited(LEAF, _CONSTRAINTS, _USAGE)
    ),
    case(
        "extension-boolean",
        "The instance authority's true is the byte 01, which DER does not allow.",
        "chain.extensions",
        _edited(INSTANCE_CA, _BOOLEAN, "3006010101020100"),
    ),
    case(
        "extension-path-length-negative",
        "The instance authority's path length is -1.",
        "chain.extensions",
        _edited(INSTANCE_CA, _BOOLEAN, "30060101ff0201ff"),
    ),
    case(
        "extension-constraints-damaged",
        "The instance authority's basic constraints cannot be decoded.",
        "chain.extensions",
        _edited(INSTANCE_CA, _BOOLEAN, "30060101ff040100"),
    ),
    case(
        "issuer-other-name",
        "The leaf names another issuer than the authority that signed it.",
        "chain.names",
        profile(LEAF, issuer=pki.name(CN="x", order=("CN",))),
    ),
    case(
        "issuer-other-order",
        "The leaf names its issuer with the same attributes in another order.",
        "chain.names",
        Change(
            profiles=lambda wanted: [
                *wanted[:LEAF],
                replace(wanted[LEAF], issuer=_backwards(wanted[INSTANCE_CA].subject)),
            ]
        ),
    ),
    case(
        "certificate-signature-bit",
        "One bit of the leaf's own signature is changed.",
        "chain.signatures",
        _leaf(lambda der: flip(der, -2)),
    ),
    case(
        "certificate-name-bit",
        "One bit of the zonal authority's name is changed.",
        "chain.names chain.signatures",
        _ders(lambda ders: [*ders[:2], ders[2].replace(b".zonal.eu", b".zonal.et"), ders[3]]),
    ),
    case("der-byte-after", "A byte follows the leaf.", "chain.der", _leaf(lambda der: der + b"\x00")),
    case("der-cut", "The leaf lacks its last byte.", "chain.der", _leaf(lambda der: der[:-1])),
    case("der-zeros", "The leaf is all zeros.", "chain.der", _leaf(lambda der: bytes(len(der)))),
    case(
        "der-byte-after-authority",
        "A byte follows the instance authority.",
        "chain.der",
        _ders(lambda ders: [*ders[:-1], ders[-1] + b"\x00"]),
    ),
    case(
        "der-pem",
        "The leaf is in PEM.",
        "chain.der",
        Change(fields=certificate(lambda der: b"-----BEGIN CERTIFICATE-----\n" + der[:600])),
    ),
    case(
        "der-negative-serial",
        "The leaf's serial number is negative.",
        "chain.der",
        _edited(LEAF, "0210019aa0b0", "0210819aa0b0"),
    ),
    case(
        "der-version-1",
        "The leaf says version 1 and has extensions.",
        "chain.der",
        _edited(LEAF, "a003020102", "a003020100"),
    ),
    case("der-version-2", "The leaf says version 2.", "chain.der", _edited(LEAF, "a003020102", "a003020101")),
)


def _backwards(name: x509.Name) -> x509.Name:
    return x509.Name(list(name)[::-1])
