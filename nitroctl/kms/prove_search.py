"""The search behind :func:`nitroctl.kms.prove.prove`: every caller, action and way, with the values that matter.

Why it is exhaustive. A request is allowed when an Allow (or a grant) matches and no Deny does. Take any request that
the property forbids and the policies allow. Its caller is in one class of :mod:`.classes_callers`, its mode is one of
:class:`.prove_scene.Mode`, and for each key that a statement looks at there is a value in its :class:`.classes.Domain`
on which every condition answers the same. With these in place of its own the same Allow matches and no Deny does, so
that the walk of :mod:`.prove_boxes` for that caller, action, mode and Allow finds a box. A walk that finds none is a
proof for all requests it stands for. Where answers are open the walk is made a second time, with everything that is
open as the attacker would have it: if nothing is found then either, it is a proof still; otherwise it is not decided.

Those for whom there is no class are strangers (:mod:`.prove_strangers`): federated users, AWS services that call for
themselves. Every key about who calls has any value for them; every Allow and grant counts that may be about one,
but a Deny only when it is about all. The walk is made with everything open, and where it finds a box nothing is proved.

Every request that is found is put to :func:`nitroctl.kms.authorize.decide`, and only what that allows is a bypass.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Final, Protocol

from nitroctl.kms import actions, classes_callers, operators
from nitroctl.kms import caller as callers
from nitroctl.kms.authorize import NO_KEY, Decision, Policies, Verdict, about_action, decide, home_of, writers
from nitroctl.kms.classes_budget import Budget
from nitroctl.kms.classes_callers import FROM_CALLER, CallerClass
from nitroctl.kms.classes_keys import CONTEXT
from nitroctl.kms.document import Principal
from nitroctl.kms.everything import everything
from nitroctl.kms.grants import Grant
from nitroctl.kms.letters import folded
from nitroctl.kms.prove_boxes import Clause, Walk
from nitroctl.kms.prove_forbidden import Forbidden
from nitroctl.kms.prove_grants import constrain
from nitroctl.kms.prove_rules import About, Rule, about, allows, denies, rules
from nitroctl.kms.prove_scene import Mode, Scene, Values
from nitroctl.kms.prove_strangers import UNNAMED, Strangers, strangers
from nitroctl.kms.request import Platform, Request
from nitroctl.kms.truth import Truth

#: Requests that are put to ``decide`` for one way, when the first turn out not to be allowed.
_TRIED: Final = 16
#: How it ends why a stranger leaves a property open.
PLAYED: Final = " and whom nobody here can play"
DIRECT, SERVICE = Mode(), Mode(via=True)
DEBUG, IMAGE = Mode(Platform.ENCLAVE, debug=True), Mode(Platform.ENCLAVE)
TPM = Mode(Platform.TPM)
#: Whose request it is when nobody here can say who calls.
NOBODY: Final = CallerClass(
    caller=callers.Caller(kind=callers.Is.ROLE, partition="aws", account="0" * 12, name="nobody"),
    what="nobody here can play that caller",
)


class Only(Protocol):
    """Cuts a box further, and says whether anything is left at all."""

    def __call__(self, scene: Scene, box: dict[str, int], start: "Start", *, strict: bool) -> bool:
        """Cut ``box``. ``strict``: to what is surely so; otherwise to what may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A request that is allowed, and by which policies. ``iam``: it takes an IAM policy that allows it."""

    who: CallerClass
    request: Request
    decision: Decision
    policies: Policies
    iam: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Callers between whom the policies make no difference. ``first`` stands for all."""

    first: CallerClass
    members: tuple[CallerClass, ...]
    about: Mapping[str, tuple[About, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What may allow a request: a statement, or a grant; and the policies to ask of it."""

    label: str
    policies: Policies
    rule: Rule | None = None
    grant: Grant | None = None


@dataclass(slots=True, kw_only=True)
class Told:
    """What one way came to. ``stopped``: what closes it. ``open``: why it is not decided."""

    found: Found | None = None
    stopped: dict[str, None] = field(default_factory=dict)
    open: dict[str, None] = field(default_factory=dict)


class Search:
    """The policies with everything that is worked out once."""

    def __init__(
        self,
        policies: Policies,
        *,
        at: datetime,
        key: str,
        budget: Budget,
        asked: Sequence[str],
    ) -> None:
        self.policies, self.key, self.budget = policies, key, budget
        self.iam = everything()
        self.rules = rules(policies.key)
        self.grants = tuple(policies.grants or ())
        atoms = [each for rule in self.rules for each in rule.atoms]
        grantees = [each.grantee for each in self.grants]
        self.callers = classes_callers.of(policies.key, atoms, budget, grantees=grantees, key=key)
        arns = list(dict.fromkeys(each.caller.arn for each in self.callers.classes))
        contexts: dict[str, list[str]] = {}
        names = list(dict.fromkeys(name for grant in self.grants for name in grant.context))
        for grant in self.grants:
            for name, value in grant.context.items():
                contexts.setdefault(folded(f"{CONTEXT}{name}"), []).append(value)
        self.values = Values(at=at, budget=budget, arns=arns, contexts=contexts, names=names)
        self.at = at
        self.asked = asked
        self._writers = writers(policies.key)
        self._matching = {action: self._rules_about(action) for action in asked}
        self.groups = tuple(self._grouped())
        nobody = Request(caller=NOBODY.caller, action=self.asked[0], at=at, key=key)
        self.unplayed = tuple(strangers(self._matching, self.grants, self.callers.places, nobody, budget))

    def _rules_about(self, action: str) -> tuple[Rule, ...]:
        self.budget.spend(len(self.rules))
        return tuple(rule for rule in self.rules if about_action(rule.statement, action) is Truth.YES)

    def _grouped(self) -> Iterator[Group]:
        """Yield the callers, those together of whom every statement, and every condition on them, says the same."""
        atoms = [each for rule in self.rules for each in rule.atoms]
        about_caller = [each for each in atoms if each.variable in FROM_CALLER]
        variables = any(each.names & set(FROM_CALLER) for each in atoms)
        groups: dict[object, list[CallerClass]] = {}
        told: dict[object, Mapping[str, tuple[About, ...]]] = {}
        for who in self.callers.classes:
            own = {action: tuple(self._about(who, action)) for action in self.asked}
            request = Request(caller=who.caller, action=self.asked[0], at=self.at, key=self.key, given=who.given)
            self.budget.spend(4 * len(about_caller))
            said = tuple(operators.judge(each.condition, request.actual(each.condition.key)) for each in about_caller)
            grants = tuple(self._grantee(each, who) for each in self.grants)
            signature = (
                tuple(
                    (action, tuple((each.rule, each.surely, each.direct) for each in found))
                    for action, found in own.items()
                ),
                self._home(who),
                said,
                grants,
                who.caller if variables else None,
            )
            groups.setdefault(signature, []).append(who)
            told.setdefault(signature, own)
        for told_by, members in groups.items():
            yield Group(first=members[0], members=tuple(members), about=told[told_by])

    def _home(self, who: CallerClass) -> Truth:
        """Return whether the key is of the caller's account: an Allow that names the caller is enough there."""
        return home_of(who.caller.account, self.key, lambda: self._writers)

    def _about(self, who: CallerClass, action: str) -> Iterator[About]:
        request = Request(caller=who.caller, action=action, at=self.at, key=self.key, given=who.given)
        for rule in self._matching[action]:
            self.budget.spend(8)
            yield from about([rule], who, action, request)

    def _grantee(self, grant: Grant, who: CallerClass) -> Truth:
        self.budget.spend(4)
        return callers.named(Principal(aws=(grant.grantee,)), who.caller).direct

    # One way ----------------------------------------------------------------------------------------------------------

    def modes(self, group: Group, action: str) -> Iterator[Mode]:
        """Yield how a request may come about, less those that the statements cannot tell from the first."""
        scene = self.scene(group.first, action, DIRECT, group.about[action])
        yield DIRECT
        if scene.indirect:
            yield SERVICE
        if action in actions.ATTESTED:
            if scene.attests(Platform.ENCLAVE):
                yield from (DEBUG, IMAGE)
            if scene.attests(Platform.TPM):
                yield TPM

    def scene(self, who: CallerClass, action: str, mode: Mode, found: Sequence[About], **more: bool) -> Scene:
        """Return one caller, action and mode."""
        return Scene(who, action, mode, found, self.values, key=self.key, **more)

    def way(  # noqa: PLR0913  (what is asked)
        self,
        group: Group,
        action: str,
        mode: Mode,
        forbidden: Forbidden | None = None,
        *,
        hypothetical: bool = False,
        only: "Only | None" = None,
    ) -> Told:
        """Return whether a caller of the group gets by so.

        ``forbidden``: the requests that the property forbids; None for all. ``hypothetical``: there is a grant for it,
        and statements are not asked. ``only``: cuts the box further.
        """
        scene = self.scene(group.first, action, mode, group.about[action])
        told = Told()
        starts = list(self._starts(scene, group, hypothetical=hypothetical))
        sets = forbidden(scene) if forbidden else ((),)
        for strict in (True, False):
            for start in starts:
                walk = Walk(self.budget)
                for clauses in sets:
                    for box in self._boxes(scene, start, clauses, only, walk, strict=strict):
                        if not strict:
                            told.open |= dict.fromkeys(self._reasons(scene, start.label))
                            break
                        told.found = self._replayed(scene, box, start)
                        if told.found is not None:
                            return told
                told.stopped |= {why.replace("{}", start.label): None for why in walk.stopped}
        return told

    def _starts(self, scene: Scene, group: Group, *, hypothetical: bool) -> Iterator["Start"]:
        """Yield what may allow it: the statements, and the grants."""
        plain = replace(self.policies, identity=())
        operation = scene.action.removeprefix("kms:")
        if hypothetical:
            grant = Grant(id="hypothetical", grantee=group.first.caller.arn, operations=(operation,))
            yield Start(label="a grant", grant=grant, policies=replace(plain, grants=(grant,)))
            return
        if scene.action in actions.AT_HOME and self._home(group.first) is Truth.NO:
            return
        for each in allows(scene.about):
            yield Start(label=each.rule.label, rule=each.rule, policies=plain)
        for grant in self.grants:
            if operation in grant.operations and self._grantee(grant, group.first) is not Truth.NO:
                yield Start(label=f"grant {grant.id}", grant=grant, policies=plain)

    def _boxes(  # noqa: PLR0913  (what is asked)
        self,
        scene: Scene,
        start: "Start",
        forbidden: Sequence[Clause],
        only: "Only | None",
        walk: Walk,
        *,
        strict: bool,
    ) -> Iterator[Mapping[str, int]]:
        box = scene.start()
        if only and not only(scene, box, start, strict=strict):
            walk.stopped.setdefault("the operations of {}")
            return
        if start.grant:
            constrain(box, start.grant, scene, strict=strict)
        for each in start.rule.atoms if start.rule else ():
            box[each.variable] &= scene.answers(each, strict=strict)[0]
        if not all(box.values()):
            walk.stopped.setdefault("the conditions of {}")
            return
        clauses = [*forbidden]
        for deny in denies(scene.about):
            if not deny.surely and not strict:
                continue
            parts = dict[str, int]()
            for each in deny.rule.atoms:
                parts[each.variable] = parts.get(each.variable, 0) | scene.answers(each, strict=strict)[1]
            clauses.append(Clause(parts, deny.rule.label))
        for count, found in enumerate(walk.boxes(box, clauses, partial(scene.fits, strict=strict))):
            if count == _TRIED:
                return
            yield found

    def _replayed(self, scene: Scene, box: Mapping[str, int], start: "Start") -> Found | None:
        """Return the request of a box if the evaluator allows it, without IAM policies if it can be."""
        request = scene.request(box, start.grant.context if start.grant else {})
        for iam in (False, True):
            given = replace(start.policies, identity=(self.iam,) if iam else ())
            self.budget.spend(20 * len(self.rules))
            decision = decide(request, given)
            if decision.verdict is Verdict.ALLOWED:
                return Found(who=scene.who, request=request, decision=decision, policies=given, iam=iam)
        return None

    def _reasons(self, scene: Scene, label: str) -> Iterator[str]:
        """Yield why it is not decided whether a way is open."""
        reasons = [scene.domain(variable).incomplete for variable in scene.variables]
        reasons += [
            f"{each.condition.key}, which is compared with what the request itself may choose"
            for found in scene.about
            for each in found.rule.atoms
            if scene.chosen(each)
        ]
        reasons += [
            f"{each.condition.key}, which is compared with what a caller is called"
            for found in scene.about
            for each in found.rule.atoms
            if scene.opaque(each) and not scene.chosen(each)
        ]
        if scene.action in actions.AT_HOME and self._home(scene.who) is Truth.OPEN:
            reasons.append(NO_KEY)
        for found in scene.about:
            if not found.surely:
                reasons.append(f"whether {found.rule.label} is about it")
            for each in found.rule.atoms:
                values = scene.domain(each.variable)
                yes, no = scene.answers(each, strict=True)
                if values.all & ~(yes | no):
                    first = values.choices[((rest := values.all & ~(yes | no)) & -rest).bit_length() - 1]
                    reason = operators.judge(each.condition, first.seen(each), scene.lookup).reason
                    reasons.append(f"{found.rule.label}: {reason}" if reason else "")
        told = [reason for reason in dict.fromkeys(reasons) if reason]
        yield from told or [f"{label}, which allows it only as far as is not known"]

    # Those whom nobody can play ---------------------------------------------------------------------------------------

    def strangers(
        self,
        action: str,
        mode: Mode = DIRECT,
        forbidden: Forbidden | None = None,
        *,
        hypothetical: bool = False,
        only: "Only | None" = None,
    ) -> Iterator["Stranger"]:
        """Yield what may allow a stranger the action, with a request that the property forbids; else as :meth:`way`."""
        for who in self.unplayed:
            scene = self.scene(NOBODY, action, mode, who.about[action], stranger=True)
            sets = forbidden(scene) if forbidden else ((),)
            if mode.platform is not None and not scene.attests(mode.platform):
                continue
            for start, name in self._offered(who, action, hypothetical=hypothetical):
                boxes = (self._boxes(scene, start, each, only, Walk(self.budget), strict=False) for each in sets)
                if any(next(found, None) is not None for found in boxes):
                    yield Stranger(name, start.label, action)

    def _offered(self, who: Strangers, action: str, *, hypothetical: bool) -> Iterator[tuple[Start, str]]:
        operation = action.removeprefix("kms:")
        if hypothetical:
            grant = Grant(id="hypothetical", grantee=UNNAMED, operations=(operation,))
            yield Start(label="a grant, if there is one,", grant=grant, policies=self.policies), UNNAMED
            return
        for each in allows(who.about[action]):
            yield Start(label=each.rule.label, rule=each.rule, policies=self.policies), who.names[each.rule] or UNNAMED
        for grant in who.grants:
            if operation in grant.operations:
                start = Start(label=f"grant {grant.id}", grant=grant, policies=self.policies)
                yield start, who.names[grant.id] or UNNAMED


def unplayed(action: str) -> tuple[Mode, ...]:
    """Return how a stranger's request may come about; through which service, no key of his says for sure."""
    return (DIRECT, DEBUG, IMAGE, TPM) if action in actions.ATTESTED else (DIRECT,)


@dataclass(frozen=True, slots=True)
class Stranger:
    """One of whom it is not known whether he gets by, as he is named, and what may allow him which action."""

    name: str
    label: str
    action: str

    @property
    def why(self) -> str:
        """Why that is no proof."""
        return f"{self.name}, to whom {self.label} allows {self.action}{PLAYED}"
