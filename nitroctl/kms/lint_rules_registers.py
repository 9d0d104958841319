"""Rules about registers: which of them say something of the image, and which values no release has.

Source: Nitro Enclaves user guide, "Cryptographic attestation"; EC2 user guide, "Prepare for the attestation service";
GHSA-xrv8-2pf5-f3q7 (the command line of a NitroTPM instance).
"""

from collections.abc import Iterator
from typing import Final

from nitroctl import nitrotpm, pcr
from nitroctl.kms.lint_gates import IMAGE, Register, Stranger
from nitroctl.kms.lint_reading import CALLER_KEYS, DATA4, Reading, View
from nitroctl.kms.lint_rules import Finding, Severity, found
from nitroctl.kms.request import Platform
from nitroctl.records import NITRO_ENCLAVE, Entry, Status

_ZERO: Final = pcr.ZERO.hex()
#: Registers that a release is recorded by; the others say where it runs, or are the enclave's own.
_RECORDED: Final = {Platform.ENCLAVE: {0, 1, 2, 8}, Platform.TPM: {4, 7}}


def _enclave(index: int) -> Register:
    return Register(Platform.ENCLAVE, index)


def _tpm(index: int) -> Register:
    return Register(Platform.TPM, index)


def _line(view: View, register: Register) -> int:
    return next((gate.condition.line for gate in view.gates if gate.register == register), view.statement.line)


def _bound_to(view: View, platform: Platform) -> set[int]:
    return {register.index for register in view.bound if register.platform is platform}


def zero_register(reading: Reading) -> Iterator[Finding]:
    """KP012: PCR0, PCR1 and PCR2 are zero in debug mode, where the parent reads the console."""
    for view in reading.allows:
        for register, values in view.bound.items():
            if register.platform is Platform.ENCLAVE and register.index in (0, 1, 2) and _ZERO in values:
                yield found(
                    "KP012",
                    f"{register} may be zero, as every enclave in debug mode attests it",
                    "name the release's own register; --allow-debug says that this key is for tests",
                    view.statement,
                    line=_line(view, register),
                    severity=Severity.INFO if reading.wanted.debug else None,
                )


def no_image_register(reading: Reading) -> Iterator[Finding]:
    """KP013 and KP014: registers that say where something runs, or who signed it, and not what it is."""
    for view in reading.allows:
        bound = _bound_to(view, Platform.ENCLAVE)
        if not bound or 0 in bound or {1, 2} <= bound or not view.actions & DATA4:
            continue
        if _image_denied(reading, view):
            continue
        if 8 in bound:  # noqa: PLR2004
            placed = 3 in bound  # noqa: PLR2004
            yield found(
                "KP014",
                "every image that was ever signed with the certificate may use the key, old ones with known faults too",
                "bind PCR0 as well" + ("" if placed else ", or at least the parent's role: PCR3"),
                view.statement,
                severity=Severity.MEDIUM if placed else None,
            )
        else:
            names = ", ".join(pcr.name(index) for index in sorted(bound))
            yield found(
                "KP013",
                f"only {names} must match, which any image can have, and perhaps one in debug mode",
                "bind PCR0, or PCR1 and PCR2",
                view.statement,
            )


def no_boot_register(reading: Reading) -> Iterator[Finding]:
    """KP013, of a NitroTPM: registers that any instance's can equal, PCR7 without Secure Boot among them."""
    for view in reading.allows:
        bound = _bound_to(view, Platform.TPM)
        if not bound or view.binds(_tpm(4)) or view.binds(_tpm(7)) or not view.actions & DATA4:
            continue
        if _image_denied(reading, view, Stranger.TPM):
            continue
        names = ", ".join(f"NitroTPM{pcr.name(index)}" for index in sorted(bound))
        yield found(
            "KP013",
            f"only {names} must match, as any instance's can",
            "bind PCR4 and PCR12, or with Secure Boot PCR7",
            view.statement,
        )


def _image_denied(reading: Reading, view: View, who: Stranger = Stranger.ENCLAVE) -> bool:
    """Whether Denies leave an image that is not named nothing, although the Allow does not ask for one."""
    return all(reading.closed(view, action, who) for action in view.actions & DATA4)


def zero_binding(reading: Reading) -> Iterator[Finding]:
    """KP015: PCR8 is zero when nobody signed, PCR3 when the parent has no role."""
    meaning = {8: "an image that nobody signed", 3: "a parent that has no role"}
    for view in reading.allows:
        for index, what in meaning.items():
            if _ZERO in view.bound.get(_enclave(index), ()):
                yield found(
                    "KP015",
                    f"{pcr.name(index)} may be zero: {what}",
                    "sign the image and bind its certificate" if index == 8 else "give the parent a role and bind that",  # noqa: PLR2004
                    view.statement,
                    line=_line(view, _enclave(index)),
                )


def no_placement(reading: Reading) -> Iterator[Finding]:
    """KP016: the same image runs for anybody who has it, in whatever account."""
    for view in reading.allows:
        named = view.names and not view.everybody and not view.accounts
        if view.attested and not named and not {3, 4} & _bound_to(view, Platform.ENCLAVE) and not view.has(CALLER_KEYS):
            yield found(
                "KP016",
                "whoever is let in by IAM may run the image anywhere and feed it",
                "name the parent's role as principal, or bind PCR3 (nitroctl pcr role ARN)",
                view.statement,
            )


def instance_bound(reading: Reading) -> Iterator[Finding]:
    """KP017: PCR4 is the parent's instance id, which is another after every replacement."""
    for view in reading.allows:
        if _enclave(4) in view.bound:
            yield found(
                "KP017",
                "PCR4 is one EC2 instance's: its successor cannot use the key",
                "bind the parent's role: PCR3 (nitroctl pcr role ARN)",
                view.statement,
                line=_line(view, _enclave(4)),
            )


def cross_product(reading: Reading) -> Iterator[Finding]:
    """KP024: lists under two keys accept every pair, also of registers that no release has together."""
    for view in reading.allows:
        several = [register for register, values in sorted(view.bound.items()) if len(values) > 1]
        if len(several) > 1:
            yield found(
                "KP024",
                f"{' and '.join(map(str, several))} have several values each, and every combination is accepted",
                "write a statement for each release",
                view.statement,
                line=_line(view, several[0]),
            )


def tpm_command_line(reading: Reading) -> Iterator[Finding]:
    """KP048: without Secure Boot a command line from outside the boot file shows in PCR12 alone."""
    for view in reading.allows:
        bound = _bound_to(view, Platform.TPM)
        if 4 in bound and 12 not in bound and not view.binds(_tpm(7)):  # noqa: PLR2004
            yield found(
                "KP048",
                "NitroTPMPCR4 alone accepts a kernel command line from outside the image",
                f"bind kms:RecipientAttestation:NitroTPMPCR12 to {_ZERO}",
                view.statement,
                line=_line(view, _tpm(4)),
            )


def tpm_constant(reading: Reading) -> Iterator[Finding]:
    """KP049: NitroTPM's PCR0 and PCR1 are the firmware's, equal for every image, and PCR7 is without Secure Boot."""
    for view in reading.allows:
        same = {0: "for every image", 1: "for every image"}
        if nitrotpm.NO_SECURE_BOOT.hex() in view.bound.get(_tpm(7), ()):
            same[7] = "on every instance without Secure Boot"
        for index in sorted(_bound_to(view, Platform.TPM) & same.keys()):
            yield found(
                "KP049",
                f"NitroTPMPCR{index} is the same {same[index]}",
                "bind PCR4 and PCR12, or with Secure Boot PCR7",
                view.statement,
                line=_line(view, _tpm(index)),
            )


def platform_mix(reading: Reading) -> Iterator[Finding]:
    """KP050: one attestation is an enclave's or a NitroTPM's, so both sets of keys are never there together."""
    for view in reading.allows:
        if len({register.platform for register in view.bound}) > 1:
            yield found(
                "KP050",
                "no request has registers of an enclave and of a NitroTPM, so it never matches",
                "write a statement for each platform",
                view.statement,
            )


def unrecorded_register(reading: Reading) -> Iterator[Finding]:
    """KP046: a value that no active record has: drift, or somebody else's image."""
    ledger = reading.wanted.ledger
    if ledger is None:
        return
    for view in reading.allows:
        for register, values in sorted(view.bound.items()):
            if register.index not in _RECORDED[register.platform]:
                continue
            for value in sorted(values):
                problem = _unrecorded(ledger.entries, register, value)
                if problem:
                    yield found(
                        "KP046",
                        f"{register} {value} {problem}",
                        "record and activate the release, or take the value out (nitroctl kms generate)",
                        view.statement,
                        line=_line(view, register),
                    )


def _unrecorded(entries: tuple[Entry, ...], register: Register, value: str) -> str:
    enclave = register.platform is Platform.ENCLAVE
    having = [
        entry
        for entry in entries
        if (entry.platform == NITRO_ENCLAVE) is enclave and entry.pcrs.get(register.index, b"").hex() == value
    ]
    if any(entry.status is Status.ACTIVE for entry in having):
        return ""
    if not having:
        return "is in no record"
    worst = max(having, key=lambda entry: list(Status).index(entry.status))
    return f"is that of {worst.id}, which is {worst.status.value}"


def missing_release(reading: Reading) -> Iterator[Finding]:
    """KP047: an active record of a component and environment that the policy serves, and which it does not name."""
    ledger = reading.wanted.ledger
    if ledger is None:
        return
    active = [entry for entry in ledger.entries if entry.status is Status.ACTIVE]
    named = [entry for entry in ledger.entries if any(_names(view, entry) for view in reading.allows)]
    served = {(entry.component, entry.environment) for entry in named}
    for entry in active:
        if entry not in named and (not served or (entry.component, entry.environment) in served):
            yield found(
                "KP047",
                f"{entry.id} is active, and no statement names its registers: it is not let in",
                "write the policy again from the records (nitroctl kms generate)",
            )


def _names(view: View, entry: Entry) -> bool:
    """Whether an Allow asks for registers that identify the image of ``entry``."""
    platform = Platform.ENCLAVE if entry.platform == NITRO_ENCLAVE else Platform.TPM
    bound = {register.index: values for register, values in view.bound.items() if register.platform is platform}
    identifying = IMAGE.index in bound or {1, 2} <= bound.keys() if platform is Platform.ENCLAVE else bound
    return bool(identifying) and all(
        entry.pcrs[index].hex() in values for index, values in bound.items() if index in entry.pcrs
    )


RULES: Final = (
    zero_register,
    no_image_register,
    no_boot_register,
    zero_binding,
    no_placement,
    instance_bound,
    cross_product,
    unrecorded_register,
    missing_release,
    tpm_command_line,
    tpm_constant,
    platform_mix,
)
