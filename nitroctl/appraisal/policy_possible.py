"""Contradictions in a policy: requirements that no document can meet together.

What is looked for: values of a register that exclude each other, with what roles, instances and module ids make of PCR3
and PCR4; module ids of another kind or instance; regions and partitions without a root; content that has to equal what
another requirement refuses; JSON members that exclude each other. That none is found does not say that there is none.
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from nitroctl import pcr
from nitroctl.appraisal.policy import Content, KeyContent, Policy, ReferenceValues
from nitroctl.appraisal.policy_canonical import range_name
from nitroctl.appraisal.policy_text import short
from nitroctl.appraisal.requirements import PUBLIC_KEY, UNSET, USER_DATA, held, member_path
from nitroctl.checks import Outcome
from nitroctl.evidence.document import Kind
from nitroctl.evidence.roots import AWS_ROOTS

#: The instance in a module id, as nitroctl.evidence.derived reads it.
_MODULE: Final = re.compile(r"(i-(?:[0-9a-f]{8}|[0-9a-f]{17}))-(?:enc|tpm)[0-9a-f]{16}")
#: A module id with this in it is of the other kind: nitroctl.evidence.document refuses such a document.
_OTHER_KIND: Final = {
    Kind.ENCLAVE: ("-tpm", "every module id is of a NitroTPM, and the policy is for enclaves"),
    Kind.NITROTPM: ("-enc", "every module id is of an enclave, and the policy is for NitroTPMs"),
}
_GOVCLOUD: Final = "aws-us-gov"
_ROLE_REGISTER: Final = 3
_INSTANCE_REGISTER: Final = 4
_NOTHING: Final = hashlib.sha256().digest()
_LARGEST_CURVE: Final = 571


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is required of a register. ``what``: in words. ``values``: those that meet it; when none, all but zero."""

    index: int
    what: str
    values: frozenset[bytes] = frozenset()

    def met_by(self, value: bytes) -> bool:
        """Whether ``value`` meets it."""
        return value in self.values if self.values else not pcr.is_zero(value)


def contradictions(policy: Policy, roots: Sequence[str] | None, sets: Sequence[ReferenceValues]) -> list[str]:
    """Return a sentence for each contradiction that is seen.

    ``roots``: the fingerprints that the policy narrows the roots to. ``sets``: every set of reference values that
    accepts, those of a ledger too.
    """
    return [*_modules(policy), *_places(policy, roots), *_registers(policy, sets), *_contents(policy)]


def _modules(policy: Policy) -> Iterator[str]:
    if policy.module_ids is None:
        return
    of_other, fault = _OTHER_KIND[policy.kind]
    if all(of_other in module for module in policy.module_ids):
        yield fault
    elif policy.instance_ids is not None and not _named(policy) & policy.instance_ids:
        yield "no module id is of a wanted instance"
    elif policy.parent_instance and not _named(policy):
        yield "no module id names an instance, from whose id PCR4 is to be made"


def _named(policy: Policy) -> frozenset[str]:
    """Return the instances that the module ids of the policy's kind name."""
    of_other, _ = _OTHER_KIND[policy.kind]
    matches = (_MODULE.fullmatch(module) for module in policy.module_ids or () if of_other not in module)
    return frozenset(match[1] for match in matches if match)


def _places(policy: Policy, roots: Sequence[str] | None) -> Iterator[str]:
    known = {root.fingerprint: root.partition for root in AWS_ROOTS}
    left = {known[root] for root in (known if roots is None else roots) if root in known}
    if policy.partitions is not None:
        left &= policy.partitions
        if not left:
            yield f"no accepted root is of the partition {' or '.join(sorted(policy.partitions))}"
            return
    elif roots is None or any(root not in known for root in roots):
        return  # the root of a test may stand for any region
    if policy.regions is not None and not any(_lies_in(region, left) for region in policy.regions):
        yield f"no accepted root is of the region {' or '.join(sorted(policy.regions))}"


def _lies_in(region: str, partitions: Collection[str | None]) -> bool:
    """Whether a region can belong to one of the partitions: those of GovCloud are known by their name."""
    return any(region.startswith("us-gov-") is (partition == _GOVCLOUD) for partition in partitions)


def _registers(policy: Policy, sets: Sequence[ReferenceValues]) -> list[str]:
    wanted = [*_derived(policy), *_written(policy)]
    faults = []
    for index in sorted({each.index for each in wanted}):
        same = [each for each in wanted if each.index == index]
        values = frozenset[bytes]().union(*(each.values for each in same))
        if values and not any(all(each.met_by(value) for each in same) for value in values):
            faults.append(f"{pcr.name(index)} cannot at once be {' and '.join(each.what for each in same)}")
    if not sets:
        return faults
    faults += [
        f"{pcr.name(each.index)} in the reference values is not {each.what}"
        for each in wanted
        if not any(_met(each, reference) for reference in sets)
    ]
    if not faults and not any(all(_met(each, reference) for each in wanted) for reference in sets):
        faults.append("no set of reference values has all its registers as they are asked for")
    return faults


def _met(wanted: _Wanted, reference: ReferenceValues) -> bool:
    """Whether a document with the reference values can meet it: they do, or leave the register open."""
    return wanted.index not in reference.pcrs or wanted.met_by(reference.pcrs[wanted.index])


def _derived(policy: Policy) -> Iterator[_Wanted]:
    """Yield what ids and ARNs ask of an enclave's registers."""
    if policy.kind is not Kind.ENCLAVE:
        return
    if policy.roles is not None:
        roles = frozenset(pcr.for_role(arn) for arn in policy.roles)
        yield _Wanted(_ROLE_REGISTER, "that of a wanted role", roles)
    if policy.parent_instance or policy.instance_ids is not None:
        instances = _named(policy) or policy.instance_ids or frozenset()
        if policy.instance_ids is not None:
            instances &= policy.instance_ids
        what = "that of a wanted instance" if instances else "made from an instance's id"
        yield _Wanted(_INSTANCE_REGISTER, what, frozenset(pcr.for_instance(instance) for instance in instances))


def _written(policy: Policy) -> Iterator[_Wanted]:
    for rule in policy.registers:
        values = frozenset(rule.any_of)
        for index in rule.indexes:
            if values:
                yield _Wanted(index, f"one of /registers/{range_name(rule.indexes)}", values)
            elif policy.kind is Kind.ENCLAVE and index in UNSET:
                yield _Wanted(index, "present and not zero")


def _contents(policy: Policy) -> Iterator[str]:
    if policy.user_data is not None:
        yield from _content("/user_data", policy.user_data)
    if policy.public_key is not None:
        yield from _content("/public_key", policy.public_key)


def _content(place: str, wanted: Content) -> Iterator[str]:
    if wanted.equals is not None:  # then there is one document to ask about
        rule, what = (PUBLIC_KEY, "public key") if isinstance(wanted, KeyContent) else (USER_DATA, "user data")
        check = held(rule, what, wanted, wanted.equals)
        if check.outcome is not Outcome.PASS:
            yield f"what {place}/equals asks for would be refused: {check.detail}"
        return
    if wanted.sha256 == _NOTHING:
        yield f"{place}/sha256 is that of nothing, and what is empty is refused"
    bits = wanted.minimum_bits if isinstance(wanted, KeyContent) and wanted.type == "ec" else None
    if bits is not None and bits > _LARGEST_CURVE:
        yield f"no elliptic curve has {bits} bits"
    members = sorted((member_path(name), name, value) for name, value in wanted.members)  # no name is there twice
    for (path, name, value), (longer, other, second) in pairwise(members):
        same = path == longer and type(value) is type(second) and value == second
        if longer[: len(path)] == path and not same:
            yield f"no JSON has both {short(name)} and {short(other)} as {place}/json asks for them"
            return
