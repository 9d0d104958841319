"""What a key policy names beside what is recorded: entries of a NitroTPM, and statements that no request matches."""

import pytest

from nitroctl import nitrotpm, pcr
from nitroctl.checks import Outcome
from nitroctl.kms.named import Named
from nitroctl.records import Entry, Ledger
from nitroctl.records.threeway import View
from tests.records import active, pcrs, register

#: What nitro-tpm-pcr-compute prints, and an older one printed.
TPM = {**pcrs("x", 4, 7), 12: pcr.ZERO}
RECORDED = active(platform="nitro-tpm", pcrs=TPM)
ANYBODYS = active(platform="nitro-tpm", pcrs={**TPM, 7: nitrotpm.NO_SECURE_BOOT})
SHORT = active(platform="nitro-tpm", pcrs=pcrs("x", 4, 7))
ENCLAVE = active()


def asks(tpm: dict[int, bytes] | None = None, enclave: dict[int, bytes] | None = None) -> Named:
    registers, of_tpm = (
        {index: frozenset({value}) for index, value in (values or {}).items()} for values in (enclave, tpm)
    )
    return Named(label="One", registers=registers, open=False, tpm=of_tpm)


def outcomes(named: Named, *entries: Entry) -> list[Outcome]:
    return [check.outcome for check in View(Ledger.of(entries), (), (named,)).report]


GOOD = [Outcome.PASS, Outcome.PASS, Outcome.PASS]


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        (RECORDED, asks(TPM)),
        (RECORDED, asks({4: TPM[4], 12: TPM[12]})),
        (RECORDED, asks({7: TPM[7]})),
        (SHORT, asks(TPM)),
    ],
    ids=["everything", "standard boot", "Secure Boot", "no command line from outside, which the entry leaves open"],
)
def test_the_registers_of_a_nitrotpm_image_name_its_entry(entry: Entry, named: Named) -> None:
    assert outcomes(named, entry) == GOOD


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        (RECORDED, asks({**TPM, 4: register("other")})),
        (RECORDED, asks({**TPM, 12: register("other")})),
        (RECORDED, asks({**TPM, 9: register("other")})),
        (SHORT, asks({**TPM, 12: register("other")})),
        (RECORDED, asks({12: TPM[12]})),
        (ANYBODYS, asks({7: nitrotpm.NO_SECURE_BOOT})),
        (RECORDED, asks(TPM, dict(ENCLAVE.pcrs))),
        (RECORDED, asks(enclave=TPM)),
        (ENCLAVE, asks(dict(ENCLAVE.pcrs))),
        (ENCLAVE, asks(TPM, dict(ENCLAVE.pcrs))),
        (active(platform="other", pcrs=TPM), asks(TPM)),
    ],
    ids=[
        "another loader",
        "a command line",
        "a register that is not recorded",
        "a command line that the entry leaves open",
        "the command line alone",
        "what every instance without Secure Boot has",
        "an enclave's registers too",
        "the same values as an enclave's",
        "an enclave's values as a NitroTPM's",
        "an enclave's, and a NitroTPM's too",
        "another platform",
    ],
)
def test_an_entry_that_no_statement_names_is_told_of(entry: Entry, named: Named) -> None:
    found = View(Ledger.of([entry]), (), (named,)).report["drift.key-complete"]
    assert (found.outcome, found.detail) == (
        Outcome.FAIL,
        "no statement names signer-1.4.2@prod: it cannot use the key by an attested request",
    )


def test_a_nitrotpm_value_that_is_not_recorded_is_told_of() -> None:
    other = register("other")
    found = View(Ledger.of([RECORDED]), (), (asks({**TPM, 4: other}),)).report["drift.key-recorded"]
    assert found.detail == (
        f"One names NitroTPMPCR4 {other.hex()}, which is not recorded; "
        f"One names NitroTPMPCR7 {TPM[7].hex()}, which is recorded with other values than it asks for beside it"
    )


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (asks({12: TPM[12]}), "One: asks for NitroTPMPCR12 only, which more than one image can have"),
        (asks({4: TPM[4]}, {0: ENCLAVE.pcrs[0]}), "One: asks for PCR0, NitroTPMPCR4, which no request has together"),
    ],
)
def test_a_statement_that_binds_no_image_is_told_of(named: Named, said: str) -> None:
    found = View(Ledger.of([RECORDED]), (), (named,)).report["drift.key-bound"]
    assert (found.outcome, found.detail) == (Outcome.WARN, f"{said}; whether a Deny stops them was not looked at")
