"""Why a register is not what a policy asks for: another image, debug mode, another role, instance or signer.

What a value is of is looked up among the recorded versions and computed where it can be: PCR3 from the ARN of a role,
PCR4 from the id of an instance. Source: AWS Nitro Enclaves user guide, "Cryptographic attestation"; EC2 user guide,
"NitroTPM PCR measurements"; KMS Developer Guide, "AWS KMS condition keys for attested platforms".
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from typing import Final

from nitroctl import pcr
from nitroctl.errors import UsageError
from nitroctl.kms.authorize import Traced
from nitroctl.kms.caller import Caller, Is
from nitroctl.kms.explain_reason import Bearing, Difference, Reason
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.request import Attested, Platform, register
from nitroctl.kms.trace import label
from nitroctl.kms.truth import Truth
from nitroctl.records import Entry, Ledger, Status
from nitroctl.records.entry import time_text

#: The registers that say which image it is, by platform.
IMAGE: Final[Mapping[Platform, tuple[int, ...]]] = {Platform.ENCLAVE: (0, 1, 2), Platform.TPM: (4, 7)}
#: Which standing of an image says most: a revoked one is revoked under every name.
_GRAVITY: Final = (Status.REVOKED, Status.ACTIVE, Status.CANDIDATE, Status.RETIRED)
_ROLE, _INSTANCE, _SIGNER = 3, 4, 8
#: Of a NitroTPM: what systemd-boot adds to an image from outside it.
_COMMAND_LINE: Final = 12
#: Registers that an enclave extends and locks itself begin here.
_OWN: Final = 16
_MODULE: Final = re.compile(r"(i-(?:[0-9a-f]{17}|[0-9a-f]{8}))-(?:enc|tpm)[0-9a-f]+")
#: Principals of a policy whose PCR3 is computed, and names in a sentence.
_MOST_ROLES: Final = 200
_MOST_NAMES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a call came from. ``module_id``: of its document. ``roles``: ARNs of roles that its policies name."""

    caller: Caller
    module_id: str
    roles: tuple[str, ...]
    ledger: Ledger

    @property
    def instance(self) -> str:
        """The parent's instance id, empty when the module id does not tell."""
        match = _MODULE.fullmatch(self.module_id)
        return match[1] if match else ""


def difference(place: tuple[Platform, int], expected: Sequence[str], attested: Attested, ledger: Ledger) -> Difference:
    """Return what is asked of a register beside what is attested, with the recorded versions of either."""
    platform, index = place
    value = attested.pcrs.get(index) if attested.platform is platform else None
    listed = ledger.on(platform)
    values = {bytes.fromhex(text) for text in expected}
    return Difference(
        platform=platform,
        index=index,
        expected=tuple(expected),
        actual=value.hex() if value is not None else "absent",
        value=value,
        expected_of=tuple(entry for entry in listed if entry.pcrs.get(index) in values),
        actual_of=tuple(entry for entry in listed if value is not None and entry.pcrs.get(index) == value),
    )


def standing(attested: Attested, ledger: Ledger) -> tuple[Entry, ...]:
    """Return the recorded versions of the image that is attested, the one that says most first."""
    found = ledger.on(attested.platform).of_image(attested.pcrs)
    return tuple(sorted(found, key=lambda entry: _GRAVITY.index(entry.status)))


def reasons(
    differences: Sequence[Difference], statements: tuple[Traced, ...], attested: Attested, origin: Origin
) -> Iterator[Reason]:
    """Yield why registers differ from what ``statements`` ask for: the image as one reason, each other one by itself.

    Deciding ones; none for no difference.
    """
    image = [each for each in differences if each.index in IMAGE[each.platform]]
    if debug(attested):  # what else is zero may be so for the same reason
        image += [each for each in differences if each not in image and each.value == pcr.ZERO]
    if image:
        yield _image(image, statements, attested, origin)
    for each in differences:
        if each in image:
            continue
        reason_id, said, do = _one(each, origin)
        yield Reason(
            id=reason_id,
            bearing=Bearing.DECIDES,
            said=f"{said}{_since(each)}",
            do=do,
            statements=statements,
            registers=(each,),
        )


# The image --------------------------------------------------------------------------------------------------------


def _image(
    differences: Sequence[Difference], statements: tuple[Traced, ...], attested: Attested, origin: Origin
) -> Reason:
    recorded = standing(attested, origin.ledger)
    names = listed(each.name for each in differences)
    asked = f"{label(statements[0])} asks for"
    if statements[0].statement.effect is Effect.DENY:
        asked = f"{label(statements[0])} denies all but"
    if debug(attested):
        reason_id = "explain.debug"
        said = f"the enclave ran in debug mode: its {names} {_is(differences)} zero, whatever the image is"
        if not any(each.index in IMAGE[Platform.ENCLAVE] for each in differences):
            said = f"the enclave ran in debug mode, for which its {names} may be zero"
        do = "run it without --debug-mode; no policy should name zeros"
    elif recorded:
        reason_id, said, do = _recorded(recorded, differences, asked, origin.ledger)
        if reason_id == "explain.image" and _names_some(statements[0]):
            wanted = _wanted(differences, f"the {names} ") or f"another {names}"
            said = f"the image is {recorded[0].id}, and the policy names it only in part: {asked} {wanted}"
    else:
        reason_id, said, do = _unknown(differences, asked, attested, origin.ledger)
    return Reason(
        id=reason_id,
        bearing=Bearing.DECIDES,
        said=said,
        do=do,
        statements=statements,
        registers=tuple(differences),
    )


def debug(attested: Attested) -> bool:
    """Whether the registers of an enclave's image are zero, all of them."""
    return attested.platform is Platform.ENCLAVE and all(
        pcr.is_zero(attested.pcrs.get(index, pcr.ZERO)) for index in IMAGE[Platform.ENCLAVE]
    )


def _recorded(
    recorded: Sequence[Entry], differences: Sequence[Difference], asked: str, ledger: Ledger
) -> tuple[str, str, str]:
    """Return id, finding and remedy for an image that is recorded and that the policy does not name."""
    homes = {(each.component, each.environment) for each in _having_all(differences)}
    entry, names = _of_homes(recorded, homes), listed(each.name for each in differences)
    wanted = _wanted(differences) or f"another {names}"
    said = f"the image is {entry.id}, {_status(entry)}, and the policy does not name it: {asked} {wanted}"
    again = "write the policy again from the records (nitroctl kms generate) and put it on the key"
    home = (entry.component, entry.environment)
    running = [each.id for which in sorted(homes or {home}) for each in ledger.active(*which)]
    run = f"run {listed(running, 'or')}" if running else "run a version that is active"
    match entry.status:
        case Status.REVOKED:
            why = f": {entry.revoked_because}" if entry.revoked_because else ""
            return "explain.revoked", f"the image is {entry.id}, {_status(entry)}{why}; it is meant to be refused", run
        case Status.RETIRED:
            return "explain.image", said, f"{run}; a retired version is not let in again"
        case Status.ACTIVE | Status.CANDIDATE if homes and home not in homes:
            return "explain.image", said, f"{run}{_promoted(entry, homes)}"
        case Status.CANDIDATE:
            return "explain.image", said, f"make it active (nitroctl pcr rollout {entry.id}), then {again}"
        case _:
            return "explain.image", said, again


def _of_homes(recorded: Sequence[Entry], homes: AbstractSet[tuple[str, str]]) -> Entry:
    """Return which of an image's records a policy would go by that is for these components and environments."""
    if recorded[0].status is Status.REVOKED:
        return recorded[0]
    return next((each for each in recorded if (each.component, each.environment) in homes), recorded[0])


def _promoted(entry: Entry, homes: AbstractSet[tuple[str, str]]) -> str:
    """Return how an image of another environment or component gets into the policy, as the end of a sentence."""
    environments = sorted(environment for component, environment in homes if component == entry.component)
    if not environments:
        return f"; the key is not for {entry.component}"
    return f"; or, if it is meant for {environments[0]} too: nitroctl pcr promote {entry.id} --to {environments[0]}"


def _unknown(differences: Sequence[Difference], asked: str, attested: Attested, ledger: Ledger) -> tuple[str, str, str]:
    names = listed(each.name for each in differences)
    wanted = _wanted(differences)
    if not len(ledger):
        said = f"the policy does not name the image: {asked} another {names}"
        do = "run the image that the policy is for, or name this one; --records FILE tells which version either is"
        return "explain.image", said, do
    nearest = ledger.on(attested.platform).nearest(attested.pcrs)
    near = f"; nearest: {nearest.text}" if nearest else ""
    said = f"the image is not recorded, and the policy does not name it: {asked} {wanted or f'another {names}'}{near}"
    do = "run a recorded image; or, if you built this one, record it (nitroctl pcr record) and write the policy again"
    return "explain.image", said, do


def _wanted(differences: Sequence[Difference], what: str = "that ") -> str:
    """Return the versions that have every expected value, as ``that of signer-1.4.2@prod``; empty for none."""
    common = sorted(entry.id for entry in _having_all(differences))
    return f"{what}of {listed(common)}" if common else ""


def _names_some(statement: Traced) -> bool:
    """Whether an Allow asks for a register of the image that it has."""
    places = (register(met.condition.key) for met in statement.conditions if met.truth is Truth.YES)
    equal = any(place is not None and place[1] in IMAGE[place[0]] for place in places)
    return equal and statement.statement.effect is Effect.ALLOW


def _having_all(differences: Sequence[Difference]) -> list[Entry]:
    """Return the recorded versions that have an expected value in every register."""
    first, *others = (each.expected_of for each in differences)
    return [entry for entry in first if all(entry in each for each in others)]


def _status(entry: Entry) -> str:
    times = {
        Status.ACTIVE: entry.activated_at,
        Status.RETIRED: entry.retired_at,
        Status.REVOKED: entry.revoked_at,
        Status.CANDIDATE: entry.recorded_at,
    }
    at = times[entry.status]
    return f"{entry.status.value} since {time_text(at)}" if at else entry.status.value


# One register -----------------------------------------------------------------------------------------------------


def _one(each: Difference, origin: Origin) -> tuple[str, str, str]:
    """Return id, finding and remedy for a register that is not one of the image's."""
    if each.value is None:
        return _absent(each)
    if each.platform is Platform.ENCLAVE:
        if each.index == _ROLE:
            return _role(each, origin)
        if each.index == _INSTANCE:
            return _instance(each, origin)
        if each.index == _SIGNER:
            return _signer(each)
    elif each.index == _COMMAND_LINE:
        return _command_line(each)
    what = pcr.meaning(each.index) if each.platform is Platform.ENCLAVE else "of the instance's boot"
    return (
        "explain.register",
        f"{each.name} ({what}) is not what the policy asks for",
        "see what extends it, or ask for the value that it has now",
    )


def _command_line(each: Difference) -> tuple[str, str, str]:
    """Return what PCR12 says: an image that is recorded does not change it (GHSA-xrv8-2pf5-f3q7)."""
    said = "PCR12 is not what the policy asks for: kernel command line, credentials or extensions are others"
    if {*each.expected} == {pcr.ZERO.hex()}:
        said = "PCR12 is not zero: a command line, credentials or extensions from outside the image were measured"
    return "explain.register", said, "find out who adds them; what the image needs belongs into it, and is in PCR4 then"


def _absent(each: Difference) -> tuple[str, str, str]:
    said = f"{each.name} is not in the document"
    if each.platform is Platform.ENCLAVE and each.index >= _OWN:
        do = "let the enclave extend and lock it before it asks for the document: only locked registers are attested"
        return "explain.absent", f"{said}: the enclave did not lock it", do
    return "explain.absent", said, "ask for a register that such documents have"


def _role(each: Difference, origin: Origin) -> tuple[str, str, str]:
    roles = _by_register(_roles(origin))
    asked_for = [roles[value] for value in map(bytes.fromhex, each.expected) if value in roles]
    wanted = listed(asked_for)
    if each.value is not None and pcr.is_zero(each.value):
        said = "PCR3 is zero: the parent instance had no role when the enclave was started"
        do = f"attach {wanted or 'the role that the policy asks for'} to the instance, then start the enclave again"
        return "explain.role", said, do
    actual = roles.get(each.value or b"", "")
    has = f"that of {actual}" if actual else "of another role"
    asked = f"that of {wanted}" if wanted else "another value"
    said = f"PCR3, the parent instance's role, is {has}, and the policy asks for {asked}"
    if not actual and origin.caller.arn in asked_for:
        said += (
            ", whose credentials made the call: they came from elsewhere, or the instance had another role when the"
            " enclave was started"
        )
    do = "run the enclave on an instance with that role, or ask for the PCR3 of this one (nitroctl pcr role ARN)"
    return "explain.role", said, do


def _roles(origin: Origin) -> Iterator[str]:
    if origin.caller.kind is Is.ROLE:
        yield origin.caller.arn
    yield from islice(origin.roles, _MOST_ROLES)


def _by_register(roles: Iterable[str]) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for role in roles:
        try:
            found.setdefault(pcr.for_role(role), role)
        except UsageError:  # a user, a session, an account
            continue
    return found


def _instance(each: Difference, origin: Origin) -> tuple[str, str, str]:
    here = origin.instance
    known = bool(here) and each.value == pcr.for_instance(here)
    has = f"that of {here}, where the document was made" if known else "not that of the instance in the module id"
    if not here:  # the module id does not say whose it is
        has = "of another instance"
    said = f"PCR4, the parent's instance id, is {has}, and the policy asks for another value"
    do = "bind the policy to the role (PCR3) in place of the instance, which every replacement changes"
    return "explain.instance", said, do


def _signer(each: Difference) -> tuple[str, str, str]:
    if each.value is not None and pcr.is_zero(each.value):
        return "explain.signer", "PCR8 is zero: the image is not signed", "sign it: nitroctl eif sign"
    said = "PCR8 is of another signing certificate than the policy asks for"
    do = (
        "sign with the certificate that the policy names, or write the policy for the new one: PCR8 covers the whole"
        " certificate, and a new one for the same key has another"
    )
    return "explain.signer", said, do


def _since(each: Difference) -> str:
    """Return since which recorded version the register is so, as the end of a sentence."""
    first = each.since
    if first is None:
        return ""
    last = f", and {each.until.id} was the last with a value that the policy asks for" if each.until else ""
    return f"; it is so since {first.id}, recorded at {time_text(first.recorded_at)}{last}"


# Words ------------------------------------------------------------------------------------------------------------


def listed(names: Iterable[str], last: str = "and") -> str:
    """Return names as ``a``, ``a and b``, ``a, b and c``, or the first of them and how many more there are.

    ``last``: the word before the last.
    """
    found = list(dict.fromkeys(names))
    if len(found) > _MOST_NAMES:
        return f"{', '.join(found[:_MOST_NAMES])} {last} {len(found) - _MOST_NAMES} more"
    return f"{', '.join(found[:-1])} {last} {found[-1]}" if len(found) > 1 else "".join(found)


def _is(differences: Sequence[Difference]) -> str:
    return "is" if len(differences) == 1 else "are"
