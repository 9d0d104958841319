"""Cross-checks between the fields of a document that AWS signed. They warn and never fail.

A mismatch in an authentic document would mean that AWS has changed a habit, or something worth a closer look.
"""

from datetime import timedelta
from typing import Final

from nitroctl import pcr
from nitroctl.checks import Check
from nitroctl.evidence import rules
from nitroctl.evidence.certificate import Certificate
from nitroctl.evidence.chain import Chain, instant
from nitroctl.evidence.derived import Derived, derive
from nitroctl.evidence.document import Document, Kind
from nitroctl.evidence.remembered import remembered

_INSTANCE_REGISTER: Final = 4
_REMEMBERED: Final = 128
#: The leaf's period begins at its issue (2021) or three seconds before it (since 2022).
_EARLY: Final = (timedelta(0), timedelta(seconds=3))


def compare(document: Document, chain: Chain) -> list[Check]:
    """Return the checks of :data:`nitroctl.evidence.rules.HABIT_RULES`, in their order."""
    found = derive(document, chain.certificates)
    register = document.pcrs.get(_INSTANCE_REGISTER)
    lasting = _lasting(document.kind, document.module_id, register, chain.certificates, found)
    return [*lasting, _times(document, found)]


@remembered(_REMEMBERED)
def _lasting(
    kind: Kind, module_id: str, register: bytes | None, links: tuple[Certificate, ...], found: Derived
) -> tuple[Check, ...]:
    """Compare what all documents of an enclave have in common while its certificates last."""
    return (
        rules.HABIT_MODULE_ID.passed()
        if found.instance_id
        else rules.HABIT_MODULE_ID.warned("the module id has an unknown form", actual=module_id),
        _same(rules.HABIT_LEAF_NAME, "the leaf's name", module_id, found.leaf_name),
        _same(rules.HABIT_INSTANCE_NAME, "the instance CA's name", found.instance_id, found.instance_name),
        _region(found),
        _pcr4(kind, register, found),
        _serial(links, found),
    )


def _same(rule: rules.Rule, what: str, expected: str | None, actual: str | None) -> Check:
    if expected is None:
        return rule.unknown("the module id has an unknown form")
    if actual is None:
        return rule.warned(f"{what} has an unknown form")
    return (
        rule.passed() if expected == actual else rule.warned(f"{what} is another's", expected=expected, actual=actual)
    )


def _region(found: Derived) -> Check:
    if not found.regions or None in found.regions:
        return rules.HABIT_REGION.warned("a certificate's name does not say its region")
    if found.region is None:
        return rules.HABIT_REGION.warned(f"the certificates name {', '.join(str(name) for name in found.regions)}")
    return rules.HABIT_REGION.passed(found.region)


def _pcr4(kind: Kind, actual: bytes | None, found: Derived) -> Check:
    rule = rules.HABIT_PCR4
    if kind is not Kind.ENCLAVE:
        return rule.unknown("PCR4 means something else in a NitroTPM document")
    if found.instance_id is None:
        return rule.unknown("the module id has an unknown form")
    expected = pcr.for_instance(found.instance_id)
    if actual is None:
        return rule.warned("the document has no PCR4", expected=expected.hex())
    if actual != expected:
        return rule.warned(f"PCR4 is not made from {found.instance_id}", expected=expected.hex(), actual=actual.hex())
    return rule.passed(found.instance_id)


def _serial(links: tuple[Certificate, ...], found: Derived) -> Check:
    rule = rules.HABIT_SERIAL
    if not links:
        return rule.unknown("the certificates could not be read")
    if found.issued is None:
        return rule.warned("the serial number has an unknown layout", actual=f"{links[-1].serial:x}")
    if found.serial_enclave_id != found.enclave_id:  # both None in a NitroTPM's
        return rule.warned(
            "the serial number holds another enclave's id", expected=found.enclave_id, actual=found.serial_enclave_id
        )
    early = found.issued - links[-1].not_before
    if early not in _EARLY:
        return rule.warned(f"the serial number says {instant(found.issued)}, the period begins otherwise")
    return rule.passed()


def _times(document: Document, found: Derived) -> Check:
    rule = rules.HABIT_TIMES
    if found.issued is None:
        return rule.unknown("the time of issue is not known")
    if document.time < found.issued:
        return rule.warned(
            f"the document says {instant(document.time)}, before its certificate was issued at {instant(found.issued)}"
        )
    if found.launched and found.launched > found.issued + timedelta(seconds=1):
        return rule.warned(
            f"the enclave id says launched at {instant(found.launched)}, after the issue at {instant(found.issued)}"
        )
    return rule.passed()
