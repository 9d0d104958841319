"""The answer of a proof: what can be asked, who gets by, what is open, and who may change the gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from nitroctl.kms.authorize import Decision, Policies
from nitroctl.kms.classes_callers import CallerClass
from nitroctl.kms.grants import Grant
from nitroctl.kms.request import Request
from nitroctl.kms.truth import Truth


class Property(StrEnum):
    """What can be proved of a policy."""

    NO_UNATTESTED_DECRYPT = "no-unattested-decrypt"
    ONLY_RECORDED = "only-recorded"
    ONLY_WRITERS = "only-writers"


class Kind(StrEnum):
    """What a request that walks around the gate attests, or which way it takes. The worst first."""

    NOTHING = "attests-nothing"
    SERVICE = "through-an-aws-service"
    REENCRYPT = "re-encryption"
    GRANT = "makes-a-grant"
    DEBUG = "debug-mode"
    IMAGE = "another-image"
    TPM = "another-nitrotpm"
    WRITER = "replaces-the-policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """The second step of a bypass by a grant: the grant that the caller makes, and the request that it allows.

    ``iam``: an IAM policy that allows it may be needed as well.
    """

    grant: Grant
    decision: Decision
    iam: bool


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
    """Somebody who may change the gate, with IAM policies that allow it where ``iam``.

    ``request``: one that is allowed; None when it depends on what is not known. ``name``: of somebody whom no caller
    here can play (an AWS service, a federated user), empty otherwise.
    """

    action: str
    who: CallerClass
    request: Request | None
    iam: bool
    name: str = ""


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
