"""Rules about conditions on attestation: operators that let the absent by, keys and values that mean nothing.

Source: IAM "Condition operators", "Single-valued vs. multivalued context keys"; KMS Developer Guide, "Condition keys
for attestation".
"""

import difflib
from collections.abc import Iterator
from typing import Final

from nitroctl import pcr
from nitroctl.errors import UsageError
from nitroctl.kms.key_policy import Effect
from nitroctl.kms.letters import folded
from nitroctl.kms.lint_gates import IMAGE, Gate, Stranger
from nitroctl.kms.lint_reading import (
    DATA4,
    DATA5,
    Reading,
    View,
    matching,
    wild,
)
from nitroctl.kms.lint_rules import Finding, Severity, found
from nitroctl.kms.request import Platform

_KEYS: Final = tuple(
    f"kms:RecipientAttestation:{name}"
    for name in (
        "ImageSha384",
        *(f"PCR{index}" for index in range(32)),
        *(f"NitroTPMPCR{index}" for index in range(24)),
    )
)
_GUESSES: Final = 20
_SENSITIVE: Final = {"stringequals", "stringnotequals", "stringlike", "stringnotlike"}
_TEXT: Final = {*_SENSITIVE, "stringequalsignorecase", "stringnotequalsignorecase"}


def loose(view: View) -> Iterator[tuple[str, Gate, str, str]]:
    """Yield rule, condition, what and fix for every condition of an Allow that lets by whom it seems to keep out."""
    if view.denies:
        return
    present = {gate.register for gate in view.gates if gate.needs_presence}
    for gate in view.gates:
        operator, key = gate.condition.operator, gate.condition.key
        if gate.negated:
            what = f"{operator.text} on {key} lets in every image but those listed, and whoever attests nothing"
            yield "KP009", gate, what, "name the images that are meant: StringEqualsIgnoreCase"
        elif gate.positive and operator.if_exists and gate.register not in present:
            yield "KP007", gate, f"{operator.text} on {key} holds when the request attests nothing", "drop IfExists"
        elif gate.positive and operator.set_operator == "ForAllValues" and gate.register not in present:
            yield "KP008", gate, f"{operator.text} on {key} holds when the request attests nothing", "drop ForAllValues"
        if gate.wildcards and gate.positive:
            what = f"{operator.text} on {key} accepts every register like {gate.wildcards[0]}"
            yield "KP011", gate, what, "write the whole register: 96 hexadecimal digits"
    if view.gates and not view.bound and all(gate.needs_presence for gate in view.gates):
        gate = view.gates[0]
        what = f"Null on {gate.condition.key} is met by whatever attests, in debug mode too"
        yield "KP010", gate, what, "bind the image: StringEqualsIgnoreCase on kms:RecipientAttestation:PCR0"


def loose_conditions(reading: Reading) -> Iterator[Finding]:
    """KP007 to KP011: conditions of an Allow that hold for whom they should keep out; less bad behind a Deny."""
    for view in reading.allows:
        closed = not reading.ways(view, DATA4)
        for number, gate, what, fix in loose(view):
            told = f"{what}; it protects nothing, a Deny of this policy does" if closed else what
            severity = Severity.MEDIUM if closed else None
            yield found(number, told, fix, view.statement, line=gate.condition.line, severity=severity)
    for view in reading.denies:
        for gate in view.gates:
            if gate.wildcards:
                yield found(
                    "KP011",
                    f"{gate.condition.operator.text} on {gate.condition.key} denies by a part of the register",
                    "write the whole register: 96 hexadecimal digits",
                    view.statement,
                    line=gate.condition.line,
                    severity=Severity.HIGH,
                )


def register_form(reading: Reading) -> Iterator[Finding]:
    """KP018: a value that no register can have, so that the condition never matches, or a Deny always does."""
    for view, gate in _gates(reading):
        for value in gate.condition.values:
            if gate.name not in _TEXT or value in gate.wildcards:
                continue
            problem = _problem(value)
            if problem:
                yield found(
                    "KP018",
                    f"{gate.condition.key}: {problem}: {value[:100]}",
                    _as_hex(value),
                    view.statement,
                    line=gate.condition.line,
                )


def _problem(value: str) -> str:
    """Return what a value is in place of a register; empty when it is one."""
    if value != value.strip():
        return "white space around the value is a part of it"
    try:
        pcr.parse_value(value)
    except UsageError as error:
        return error.message.partition("not a SHA-384 register: ")[2]
    return ""


def _as_hex(value: str) -> str:
    try:
        pcr.parse_value(value.strip().removeprefix("0x").removeprefix("0X"))
    except UsageError:
        pass
    else:
        return f"write {value.strip().lower().removeprefix('0x')}"
    try:
        return f"if that is base64, write {pcr.from_base64(value).hex()}"
    except UsageError:
        return "write the 96 hexadecimal digits that nitro-cli and nitroctl eif measure print"


def register_case(reading: Reading) -> Iterator[Finding]:
    """KP019: in which case KMS writes a register is not documented; a comparison must not depend on it."""
    for view, gate in _gates(reading):
        if not any(not _problem(value) for value in gate.condition.values):
            continue
        upper = any(value != value.lower() for value in gate.condition.values)
        if gate.name in _SENSITIVE and not gate.wildcards:
            negated = "Not" if gate.negated else ""
            yield found(
                "KP019",
                f"{gate.condition.operator.text} on {gate.condition.key} depends on the case in which KMS has it",
                f"String{negated}EqualsIgnoreCase" + (", and lower case" if upper else ""),
                view.statement,
                line=gate.condition.line,
            )
        elif gate.name in _TEXT and upper:
            yield found(
                "KP019",
                f"{gate.condition.key} is in upper case, other than nitro-cli prints it",
                "write it in lower case",
                view.statement,
                line=gate.condition.line,
                severity=Severity.LOW,
            )


def unknown_key(reading: Reading) -> Iterator[Finding]:
    """KP020: a key that is never in a request: an Allow on it is dead, a Deny on it denies all or nothing."""
    guesses = _GUESSES
    for view, gate in _gates(reading):
        if gate.register is None:
            guesses -= 1  # guessing takes time, and nobody reads a thousand guesses
            near = difflib.get_close_matches(gate.condition.key[:100], _KEYS, n=1, cutoff=0.8) if guesses >= 0 else []
            effect = "the Allow cannot match" if view.allows else "the Deny is not what it seems"
            yield found(
                "KP020",
                f"{gate.condition.key} is no condition key of KMS: no request has it, so {effect}",
                f"did you mean {near[0]}?" if near else "kms:RecipientAttestation:PCR0 to PCR31, NitroTPMPCR0 to 23",
                view.statement,
                line=gate.condition.line,
            )


def unattested_action(reading: Reading) -> Iterator[Finding]:
    """KP021: an Allow that asks for attestation where KMS takes none, and so never allows it."""
    for view in reading.allows:
        if not view.attested:
            continue
        never = view.actions - DATA5
        plain = {action for text in view.statement.actions if not wild(text) for action in matching(text)}
        named = sorted(never & plain)
        if named or (never and not view.actions & DATA5):
            told = ", ".join(named or sorted(never))
            yield found("KP021", f"never allowed here: {told}", _SPLIT, view.statement)
        elif never:
            told = f"by their wildcards, but never allowed here: {', '.join(sorted(never))}"
            yield found("KP021", told, _SPLIT, view.statement, severity=Severity.LOW)


_SPLIT: Final = "leave the attested actions here and allow the others in a statement of their own, if they are meant"


def generate_random(reading: Reading) -> Iterator[Finding]:
    """KP022: GenerateRandom uses no key, so that no key policy is asked."""
    for view in reading.views:
        if "kms:generaterandom" in (folded(action) for action in view.statement.actions):
            yield found(
                "KP022",
                "kms:GenerateRandom is authorised by IAM policies alone",
                "take it out here, and allow it to the role in an IAM policy",
                view.statement,
            )


def deny_all_differ(reading: Reading) -> Iterator[Finding]:
    """KP025: of several negated keys in one statement all must differ before it denies."""
    for view in reading.denies:
        for platform in Platform:
            gates = {
                gate.register: gate
                for gate in view.gates
                if gate.negated and gate.register is not None and gate.register.platform is platform
            }
            if len(gates) > 1:
                names = " and ".join(str(register) for register in sorted(gates))
                yield found(
                    "KP025",
                    f"denies only when {names} all differ: an image that has one of them right gets by",
                    "write a Deny of its own for each register",
                    view.statement,
                    line=max(gate.condition.line for gate in gates.values()),
                )


def deny_absent(reading: Reading) -> Iterator[Finding]:
    """KP026: a Deny that needs an attestation to match, while nothing denies the use without one."""
    for view in reading.denies:
        if not view.gates or view.open_to(Stranger.UNATTESTED):
            continue
        left = sorted(
            action for action in view.actions & DATA4 if not reading.closed(view, action, Stranger.UNATTESTED)
        )
        if left:
            yield found(
                "KP026",
                f"a request that attests nothing is not denied {', '.join(left)}",
                'add a Deny with "Null": {"kms:RecipientAttestation:PCR0": "true"} for everybody',
                view.statement,
            )


def deny_scope(reading: Reading) -> Iterator[Finding]:
    """KP027: use without attestation is denied, but to some, or in part: IAM policies and grants reach the rest."""
    missing = DATA4 - reading.denied_to_all(Stranger.UNATTESTED)
    if not missing:
        return
    for view in reading.denies:
        if not view.gates or not view.actions & DATA4 or not view.open_to(Stranger.UNATTESTED):
            continue
        why = []
        if not view.everybody:
            why.append("it is not about everybody")
        if view.others:
            why.append(f"it has further conditions ({', '.join(sorted({each.key for each in view.others}))})")
        if not view.applies:
            why.append("its resource may not be this key")
        told = f" ({'; '.join(why)})" if why else ""
        yield found(
            "KP027",
            f"not denied to everybody without attestation: {', '.join(sorted(missing))}{told}",
            'deny all four attested actions to the principal "*", without further conditions',
            view.statement,
        )


def image_conflict(reading: Reading) -> Iterator[Finding]:
    """KP023: PCR0 and ImageSha384 are one register; with two values no image has both."""
    for view in reading.allows:
        gates = [gate for gate in view.gates if gate.register == IMAGE and gate.binding]
        if len({folded(gate.condition.key) for gate in gates}) > 1 and not view.bound[IMAGE]:
            yield found(
                "KP023",
                "PCR0 and ImageSha384 have no value in common, and they are the same register",
                "keep one of the two keys",
                view.statement,
                line=gates[-1].condition.line,
            )


def _gates(reading: Reading) -> Iterator[tuple[View, Gate]]:
    """Yield every condition on attestation, of statements that may be about the key."""
    for view in reading.views:
        if view.allows or view.statement.effect is Effect.DENY:
            for gate in view.gates:
                yield view, gate


RULES: Final = (
    loose_conditions,
    register_form,
    register_case,
    unknown_key,
    unattested_action,
    generate_random,
    image_conflict,
    deny_all_differ,
    deny_absent,
    deny_scope,
)
