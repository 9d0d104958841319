"""The grants that would let somebody by, and which requests to make a grant make one of them.

A grant works when its grantee may then do one of its operations though the statements do not allow it. Grantees that
:mod:`.classes_callers` has nobody for (a session, a federated user, an AWS service, one that is not named) may be
anybody. Who has a grant with CreateGrant can make grants of the same operations: such a chain is not followed, but that
it can begin is told. Source: KMS API reference, CreateGrant; KMS Developer Guide, "Grants in AWS KMS".
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nitroctl.errors import UsageError
from nitroctl.kms import actions
from nitroctl.kms import caller as callers
from nitroctl.kms.classes import Choice
from nitroctl.kms.classes_keys import CONTEXT, CONTEXT_KEYS, OPERATIONS
from nitroctl.kms.letters import folded
from nitroctl.kms.operators import Presence, present

if TYPE_CHECKING:
    from nitroctl.kms.grants import Grant
    from nitroctl.kms.prove import Property
    from nitroctl.kms.prove_scene import Scene
    from nitroctl.kms.prove_search import Found, Start

GRANTEE: Final = "kms:granteeprincipal"
_CREATE: Final = "CreateGrant"


@dataclass(slots=True)
class Working:
    """What a grant would open: by operation and ARN of the grantee.

    ``ways``: what it surely would. ``maybe``, ``perhaps``: what it may, and why that is not known. ``makers``: ARNs of
    grantees who can make a grant themselves.
    """

    ways: "dict[tuple[str, str], tuple[Property, Found]]" = field(default_factory=dict)
    maybe: set[tuple[str, str]] = field(default_factory=set)
    perhaps: dict[str, None] = field(default_factory=dict)
    makers: set[str] = field(default_factory=set)

    def only(self, scene: "Scene", box: dict[str, int], start: "Start", *, strict: bool) -> bool:
        """Cut a box of CreateGrant down to the grants that work; return whether there can be any."""
        return self._cut(scene, box, start, strict=strict)

    def further(self, scene: "Scene", box: dict[str, int], start: "Start", *, strict: bool) -> bool:
        """Cut a box of CreateGrant down to the grants whose grantee can make one; return whether there can be any."""
        return self._cut(scene, box, start, strict=strict, makers=self.makers)

    def _cut(
        self,
        scene: "Scene",
        box: dict[str, int],
        start: "Start",
        *,
        strict: bool,
        makers: AbstractSet[str] | None = None,
    ) -> bool:
        found = self.ways.keys() if strict else self.ways.keys() | self.maybe
        operations = frozenset(action.removeprefix("kms:") for action, _ in found)
        grantees = frozenset(arn for _, arn in found) if makers is None else makers
        # Who makes a grant by a grant has no operations to give but those that it has.
        own = frozenset(start.grant.operations) if start.grant is not None else None
        if own is not None:
            operations &= own

        def gives(one: Choice) -> bool:
            given = frozenset(one.actual.values)
            enough = makers is None or _CREATE in given
            return enough and not operations.isdisjoint(given) and (own is None or own >= given)

        def fits(one: Choice) -> bool:
            if not one.actual.values:
                return not strict
            return any(text in grantees or not (strict or _played(text)) for text in one.actual.values)

        for variable, holds in ((OPERATIONS, gives), (GRANTEE, fits)):
            if variable in box and (strict or not scene.domain(variable).incomplete):
                box[variable] &= scene.domain(variable).where(holds)
        return bool(operations)


def _played(text: str) -> bool:
    """Whether a grantee is one of those for whom there are callers: a role, a user or an account's root user."""
    try:
        return callers.parse(text).session is None
    except UsageError:
        return False


def constrain(box: dict[str, int], grant: "Grant", scene: "Scene", *, strict: bool) -> None:
    """Cut a box down to the encryption contexts that a grant's constraints allow, if the action has one at all."""
    if scene.action not in actions.WITH_CONTEXT:
        return
    wanted = {folded(f"{CONTEXT}{name}"): value for name, value in grant.context.items()}
    names = {folded(name) for name in grant.context}
    for variable in [each for each in box if each.startswith(CONTEXT)] if wanted or grant.equals is not None else ():
        values = scene.domain(variable)
        if variable in wanted:
            value = present(wanted[variable])
            box[variable] &= sum(1 << at for at, one in enumerate(values.choices) if one.actual == value) | (
                # Two names that differ in case only may both be the constraint's: then nothing is sure.
                0 if strict else values.where(lambda one: len(one.actual.values) > 1)
            )
        elif grant.equals is not None and (strict or variable.isascii()):  # of others it is open what is their name
            box[variable] &= values.where(lambda one: one.actual.presence is Presence.ABSENT)
    if CONTEXT_KEYS in box and wanted and (strict or not scene.domain(CONTEXT_KEYS).incomplete):
        exact = grant.equals is not None

        def fits(said: set[str]) -> bool:
            return said == names if exact else said >= names

        box[CONTEXT_KEYS] &= scene.domain(CONTEXT_KEYS).where(
            lambda one: fits({folded(name) for name in one.actual.values})
        )
