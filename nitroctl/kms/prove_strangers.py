"""Those whose requests nobody here can write: federated users, AWS services that call for themselves, and the like.

Of a federated user the policy can know more than its ARN, a service has no ARN at all, and what their requests carry is
not all documented. So one stranger stands for all of an account, and one for all who are of none. Every condition key
about who calls may have any value for him (:mod:`.prove_scene`), but that his ARN is none of IAM's: roles, users and
root users are callers of their own. He is named, for an Allow, wherever one of them may be; a Deny is about him only
where it is about each of them. What he is not denied then is no bypass, for it cannot be replayed, and no proof either.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nitroctl.kms import caller as callers
from nitroctl.kms.actions import AT_HOME
from nitroctl.kms.classes_budget import Budget
from nitroctl.kms.classes_callers import stranger
from nitroctl.kms.document import Principal
from nitroctl.kms.grants import Grant
from nitroctl.kms.prove_rules import About, Rule, about_key
from nitroctl.kms.request import Request, account_of_key
from nitroctl.kms.truth import Truth

#: What people call a stranger whom no principal names.
UNNAMED: Final = "a federated user or an AWS service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strangers:
    """Those of whom the policies say the same. ``names``: by statement or grant, as far as they are named."""

    about: Mapping[str, tuple[About, ...]]
    grants: tuple[Grant, ...]
    names: Mapping[Rule | str, str]


class _Index:
    """The principals of a statement by account. ``everybody``: it is about all; ``wild``: perhaps."""

    def __init__(self, principal: Principal) -> None:
        self.negated = principal.negated
        self.everybody = "*" in principal.aws
        self.wild = next((text for text in principal.aws if text != "*" and ("*" in text or "?" in text)), "")
        self.nobodies = [*principal.services, *principal.federated, *principal.canonical_users]
        self.accounts: dict[str, list[str]] = {}
        for text in principal.aws:
            account = callers.account_of(text)
            if account and not _role(text):
                self.accounts.setdefault(account, []).append(text)
            elif not account and stranger(text):
                self.nobodies.append(text)

    def named(self, partition: str, account: str) -> tuple[Truth, str]:
        """Return whether the statement is about the stranger, and the name that it has for him."""
        found, name = self._found(partition, account)
        if self.negated:
            return (Truth.NO if self.everybody else Truth.YES if found is Truth.NO else Truth.OPEN), ""
        return found, name

    def _found(self, partition: str, account: str) -> tuple[Truth, str]:
        if self.everybody:
            return Truth.YES, ""
        own = [text for text in self.accounts.get(account, ()) if not text.startswith("arn:") or _of(text) == partition]
        name = next((text for text in own if stranger(text)), "") if account else next(iter(self.nobodies), "")
        if any(text in (account, f"arn:{partition}:iam::{account}:root") for text in own):
            return Truth.YES, name
        return (Truth.OPEN if own or name or self.wild else Truth.NO), name or self.wild


def _role(text: str) -> bool:
    """Whether a principal is a role or one of its sessions: callers of their own, whatever else they are called."""
    return text.split(":")[5].startswith(("role/", "assumed-role/")) if text.count(":") > 4 else False  # noqa: PLR2004  (before the name in an ARN)


def _of(arn: str) -> str:
    return arn.split(":")[1]


def strangers(
    rules: Mapping[str, Sequence[Rule]],
    grants: Sequence[Grant],
    places: Sequence[tuple[str, str]],
    request: Request,
    budget: Budget,
) -> Iterator[Strangers]:
    """Yield the strangers of each place, those together of whom all statements and grants say the same.

    ``rules``: statements that may be about an action; ``places``: partitions and accounts; ``request``: of nobody.
    """
    unlike = dict.fromkeys(rule for found in rules.values() for rule in found)
    budget.spend(4 * sum(len(rule.statement.principal.aws) for rule in unlike))
    indexes = {rule: (_Index(rule.statement.principal), about_key(rule, request)) for rule in unlike}
    granted = [(grant, _Index(Principal(aws=(grant.grantee,)))) for grant in grants]
    home = account_of_key(request.key)
    groups: dict[object, Strangers] = {}
    for partition, account in (("", ""), *places):
        budget.spend(4 * (1 + len(unlike) + len(granted)))
        names: dict[Rule | str, str] = {}
        about: dict[Rule, About] = {}
        for rule, (index, resource) in indexes.items():
            named, name = index.named(partition, account)
            if Truth.NO not in (named, resource):
                about[rule] = About(rule, surely=named is Truth.YES and resource is Truth.YES)
                names[rule] = name
        own = []
        for grant, index in granted:
            named, name = index.named(partition, account)
            if named is not Truth.NO:
                own.append(grant)
                names[grant.id] = name
        said = tuple((rule, each.surely, names[rule]) for rule, each in about.items())
        abroad = bool(home and account) and account != home
        signature = (said, tuple(map(id, own)), abroad)
        told = {
            action: () if abroad and action in AT_HOME else tuple(about[rule] for rule in found if rule in about)
            for action, found in rules.items()
        }
        groups.setdefault(signature, Strangers(about=told, grants=tuple(own), names=names))
    yield from groups.values()
