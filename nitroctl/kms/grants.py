"""Grants of a key, as ``aws kms list-grants`` prints them: they allow, never deny, and know nothing of attestation.

In a constraint the names of an encryption context are compared without case, and its values with it. Source: KMS
Developer Guide, "Grants in AWS KMS", "Grant constraints"; API reference, ListGrants, GrantConstraints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nitroctl import safefile, strict_json
from nitroctl.errors import CannotAnswer
from nitroctl.kms.actions import WITH_CONTEXT
from nitroctl.kms.caller import named
from nitroctl.kms.document import Principal
from nitroctl.kms.letters import alike, folded
from nitroctl.kms.request import Request
from nitroctl.kms.truth import Truth, all_of, any_of, of

#: A key has at most 50,000 grants; each is printed in some 700 bytes.
SIZE_LIMIT: Final = 64 * 1024 * 1024
_CONSTRAINTS: Final = ("EncryptionContextEquals", "EncryptionContextSubset")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One grant. ``grantee``: ARN, or the name of an AWS service. ``unknown``: constraints nobody here can judge."""

    id: str
    grantee: str
    operations: tuple[str, ...]
    equals: Mapping[str, str] | None = None
    subset: Mapping[str, str] | None = None
    unknown: tuple[str, ...] = ()

    @property
    def context(self) -> Mapping[str, str]:
        """The encryption context that the constraints ask for."""
        return {**(self.subset or {}), **(self.equals or {})}

    def allows(self, request: Request) -> tuple[Truth, str]:
        """Return whether the grant allows ``request``, and why that is open."""
        action = request.action.removeprefix("kms:")
        found = named(Principal(aws=(self.grantee,)), request.caller)
        answers = [of(action in self.operations), found.direct]
        context = dict(request.encryption_context)
        carries = request.action in WITH_CONTEXT  # DescribeKey and its like are not constrained
        if self.equals is not None and carries:
            answers.append(_equals(context, dict(self.equals)))
        if self.subset is not None and carries:
            answers.append(all_of(_has(context, name, value) for name, value in self.subset.items()))
        if self.unknown:
            answers.append(Truth.OPEN)
        truth = all_of(answers)
        if truth is not Truth.OPEN:
            return truth, ""
        if self.unknown:
            return truth, f"grant {self.id}, whose constraint {', '.join(self.unknown)} cannot be judged here"
        if found.direct is Truth.OPEN:
            return truth, f"grant {self.id}: {found.reason}"
        return truth, f"grant {self.id}, whose encryption context has a name that several of the call's may be"


def _equals(context: Mapping[str, str], wanted: Mapping[str, str]) -> Truth:
    """Return whether two encryption contexts are the same but for the case of names."""
    if context == wanted:
        return Truth.YES
    there = [_has(context, name, value) for name, value in wanted.items()]
    return all_of([*there, *(_has(wanted, name, value) for name, value in context.items())])


def _has(context: Mapping[str, str], wanted: str, value: str) -> Truth:
    """Return whether an encryption context has a value under a name; open where several names may be that one."""
    named = {name: truth for name in context if (truth := alike(name, wanted)) is not Truth.NO}
    if not any(context[name] == value for name in named):
        return Truth.NO
    return any_of(named.values()) if len(named) == 1 else Truth.OPEN


def constrained(context: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Return ``context`` with the values that a constraint asks for, under its own spelling of their names."""
    names = {folded(name): name for name in context}
    return {**context, **{names.get(folded(name), name): value for name, value in wanted.items()}}


def read(path: str) -> tuple[Grant, ...]:
    """Return the grants in the file ``path``, or on standard input for ``-``.

    Raises CannotAnswer ``file.*``, ``json.*`` or ``kms.grants``.
    """
    where = "standard input" if path == safefile.STDIN else path
    return parse(safefile.read_text(path, limit=SIZE_LIMIT), where=where)


def parse(text: str, *, where: str) -> tuple[Grant, ...]:
    """Return the grants that the JSON ``text`` holds: ``{"Grants": […]}``. Raises CannotAnswer as :func:`read` does."""
    document = strict_json.parse(text, where=where)
    listed = document.get("Grants") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not isinstance(document, dict):
        raise _refused(f"{where}: no list of grants: no member Grants")
    if document.get("Truncated") or document.get("NextToken"):
        raise _refused(f"{where}: only the first page of the grants")
    return tuple(_grant(each, f"{where}: /Grants/{number}") for number, each in enumerate(listed))


def _grant(value: object, place: str) -> Grant:
    if not isinstance(value, dict):
        raise _refused(f"{place}: not an object")
    grantee = value.get("GranteePrincipal") or value.get("GranteeServicePrincipal")
    operations, constraints = value.get("Operations"), value.get("Constraints") or {}
    if not isinstance(grantee, str) or not isinstance(operations, list) or not isinstance(constraints, dict):
        raise _refused(f"{place}: no GranteePrincipal, no list of Operations, or Constraints that are no object")
    return Grant(
        id=str(value.get("GrantId") or place),
        grantee=grantee,
        operations=tuple(str(operation) for operation in operations),
        equals=_context(constraints, _CONSTRAINTS[0], place),
        subset=_context(constraints, _CONSTRAINTS[1], place),
        unknown=tuple(name for name in constraints if name not in _CONSTRAINTS),
    )


def _context(constraints: Mapping[str, object], name: str, place: str) -> Mapping[str, str] | None:
    value = constraints.get(name)
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise _refused(f"{place}/Constraints/{name}: not an object of strings")
    return value


def _refused(message: str) -> CannotAnswer:
    hints: Sequence[str] = ["give what aws kms list-grants --key-id KEY --output json prints, all pages of it"]
    return CannotAnswer(message, "kms.grants", hints)
