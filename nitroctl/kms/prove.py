"""Whether a key policy lets anybody have data without attesting an image that it names: a proof, or a request.

Two properties can be asked for:

NO_UNATTESTED_DECRYPT
    Nobody is allowed an action that gives data (READS) with a request that attests nothing, an enclave in debug mode,
    or an image that the policy does not name. An image is named where its PCR0, or its PCR1 and PCR2, of a NitroTPM
    its PCR7, or its PCR4 and PCR12, have a value that an Allow asks for or a Deny makes an exception of. Nobody can
    make a grant (CreateGrant) that would allow it either.

ONLY_RECORDED
    The same of images that are not active in the ledger: the document matches no active entry in all that the entry
    pins, or is of an image that is revoked.

Who may replace the gate itself (PutKeyPolicy) or make a second key of the same material (ReplicateKey) is told, and is
no violation: somebody has to. IAM policies are taken at their worst: every caller has one that allows everything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from nitroctl.kms.authorize import Decision, Policies
from nitroctl.kms.request import Request
from nitroctl.kms.truth import Truth

if TYPE_CHECKING:
    from nitroctl.kms.grants import Grant
    from nitroctl.records import Ledger

#: Actions that give data, or open it to another key: the four for which KMS evaluates attestation, and a way past it.
READS: Final = (
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:DeriveSharedSecret",
    "kms:ReEncryptFrom",
)
#: Steps of the search, after which the answer is that it is not decided.
WORK: Final = 3_000_000


class Property(StrEnum):
    """What can be proved of a policy."""

    NO_UNATTESTED_DECRYPT = "no-unattested-decrypt"
    ONLY_RECORDED = "only-recorded"


class Kind(StrEnum):
    """What a request that walks around the gate attests, or which way it takes. The worst first."""

    NOTHING = "attests-nothing"
    SERVICE = "through-an-aws-service"
    REENCRYPT = "re-encryption"
    GRANT = "makes-a-grant"
    DEBUG = "debug-mode"
    IMAGE = "another-image"
    TPM = "another-nitrotpm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """The second step of a bypass by a grant: the grant that the caller makes, and the request that it allows."""

    grant: "Grant"
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Bypass:
    """A request that the property forbids and the policies allow.

    ``who``: the caller in words. ``decision``: that of :func:`nitroctl.kms.authorize.decide` under ``policies``, whose
    IAM policies are none, or one that allows everything where it takes one (``iam``).
    """

    kind: Kind
    property: Property
    who: str
    request: Request
    decision: Decision
    policies: Policies
    iam: bool
    then: Then | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Somebody who may change the gate: the first request found of an action that does."""

    action: str
    who: str
    request: Request
    iam: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The answer. ``holds``: YES is proved, NO comes with bypasses, OPEN with what it depends on.

    ``reasons``: for each action and each kind of request why none is allowed, in words. ``openings``: who may change
    the gate. ``grants_closed``: whether a grant that exists already, and was not given, would be shut out as well.
    """

    properties: tuple[Property, ...]
    at: datetime
    holds: Truth
    bypasses: tuple[Bypass, ...] = ()
    open: tuple[str, ...] = ()
    reasons: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    openings: tuple[Opening, ...] = ()
    grants_closed: Truth = Truth.OPEN
    steps: int = 0

    @property
    def bypass(self) -> Bypass | None:
        """The worst bypass that was found; None when there is none."""
        return self.bypasses[0] if self.bypasses else None


def prove(  # noqa: PLR0913  (what is asked, and of what)
    policies: Policies,
    *,
    at: datetime,
    key: str = "",
    properties: Sequence[Property] = (Property.NO_UNATTESTED_DECRYPT,),
    recorded: "Ledger | None" = None,
    work: int = WORK,
) -> Proof:
    """Return whether the ``properties`` hold under ``policies``, whose IAM policies are taken at their worst.

    ``at``: requests are made then or later. ``key``: ARN of the key; empty when it is not known. ``recorded``: the
    ledger, for ONLY_RECORDED. ``work``: steps after which the answer is OPEN.
    """
    del key, recorded, work, policies
    return Proof(properties=tuple(properties), at=at, holds=Truth.OPEN, open=("the search, which is not written yet",))
