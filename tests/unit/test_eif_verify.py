"""Whether an image is sound and the one expected; each fault is one change of a sound image."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nitroctl import pcr
from nitroctl.checks import Outcome, Report
from nitroctl.eif import builders
from nitroctl.eif.measure import measure
from nitroctl.eif.signature import sign
from nitroctl.eif.verify import REGISTERS, Expected, verify
from nitroctl.errors import UsageError
from tests import images
from tests.archives import directory, file, newc
from tests.conftest import vectors
from tests.images import CMDLINE, DOCUMENT, KERNEL, METADATA, RAMDISK, SIGNATURE, Part

#: With a kernel that says what it is, and ramdisks that Linux unpacks.
GOOD: Sequence[Part] = (
    (
        KERNEL,
        b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x3e\0" + bytes(64) + b"Linux version 4.14.256 (root@host) #1 SMP\n\0",
    ),
    *images.GOOD[1:3],
    (RAMDISK, newc([file("init", b"boot", mode=0o100755)])),
    (RAMDISK, newc([directory("rootfs"), file("cmd", b"/bin/app\n")])),
)
AT = datetime(2026, 11, 20, tzinfo=UTC)
Verified = Callable[..., Report]


@pytest.fixture
def verified(tmp_path: Path) -> Verified:
    def run(image: bytes, *, at: datetime = AT, expected: Expected | None = None) -> Report:
        path = tmp_path / "image.eif"
        path.write_bytes(image)
        report = verify(str(path), at=at, expected=expected or Expected()).report
        for check in report:  # whoever is told that something is wrong is told what, and what to do
            wrong = check.outcome in (Outcome.FAIL, Outcome.WARN)
            assert bool(check.remedy) == wrong, check
            assert check.detail or not wrong, check
        return report

    return run


def forge(parts: Sequence[Part] = GOOD, **changes: Any) -> bytes:
    return images.forge(parts, **changes)


def with_metadata(**members: object) -> bytes:
    """Return an image whose metadata has other members; BuildMetadata's are merged."""
    document = {**DOCUMENT, **members}
    return forge([GOOD[0], GOOD[1], (METADATA, json.dumps(document).encode()), *GOOD[3:]])


def with_cmdline(text: bytes) -> bytes:
    return forge([GOOD[0], (CMDLINE, text), *GOOD[2:]])


def signed(parts: Sequence[Part] = GOOD, register: bytes | None = None) -> bytes:
    key, certificate = images.pair()
    pcr0 = images.registers(forge(parts))[0] if register is None else register
    return forge([*parts, (SIGNATURE, sign(pcr0, private_key_pem=key, certificate_pem=certificate))])


def built_by(tool: str, version: str) -> Mapping[str, object]:
    build = DOCUMENT["BuildMetadata"]
    assert isinstance(build, dict)
    return {**build, "BuildTool": tool, "BuildToolVersion": version}


def found(report: Report, outcome: Outcome) -> dict[str, str]:
    return {check.id: check.detail for check in report if check.outcome is outcome}


def test_a_sound_image_passes_every_check_that_was_asked_for(verified: Verified) -> None:
    report = verified(forge())
    assert report.passed
    assert found(report, Outcome.FAIL) == found(report, Outcome.WARN) == {}
    assert found(report, Outcome.SKIP) == {
        "eif.signature": "not checked: the image has no such section",
        "eif.certificate-dates": "not checked: the image has no signature that can be read",
        "builder.signed-hash": "not checked: the image has no signature that can be read",
        "eif.signed-by": "not checked: not requested (--signed-by)",
    }


def test_a_sound_signed_image_passes_every_check_but_what_was_not_asked(verified: Verified) -> None:
    report = verified(signed())
    assert report.passed
    assert list(found(report, Outcome.SKIP)) == ["eif.signed-by"]


def test_the_checks_are_the_same_ones_whatever_the_image_is(verified: Verified) -> None:
    """So that a consumer can tell a check that was not made from one that does not exist."""
    own = [check.id for check in verified(forge())][-len(builders.TITLES) - 4 :]
    for image in (b"", b"\x7fELF" * 400, forge(trailing=b"12345"), forge(count=3), signed()):
        assert [check.id for check in verified(image)][-len(own) :] == own


@pytest.mark.parametrize(
    ("at", "outcome", "word"),
    [
        (datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC), Outcome.FAIL, " it did not hold yet"),
        (images.NOT_BEFORE, Outcome.PASS, ""),
        (images.NOT_AFTER, Outcome.PASS, ""),
        (datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC), Outcome.FAIL, " it had expired"),
    ],
)
def test_an_image_that_run_enclave_refuses_for_its_certificates_dates_is_refused(
    verified: Verified, at: datetime, outcome: Outcome, word: str
) -> None:
    report = verified(signed(), at=at)
    check = report["eif.certificate-dates"]
    assert (check.outcome, check.required) == (outcome, True)
    instant = at.isoformat().replace("+00:00", "Z")
    assert check.detail == f"2026-01-01T00:00:00Z to 2027-01-01T00:00:00Z; as of {instant}{word}"
    assert report.passed == (outcome is Outcome.PASS)


# -- what AWS's reader asks of metadata


def test_metadata_without_custom_metadata_is_measured_and_refused_for_describe_eif(verified: Verified) -> None:
    document = {key: value for key, value in DOCUMENT.items() if key != "CustomMetadata"}
    report = verified(forge([*GOOD[:2], (METADATA, json.dumps(document).encode()), *GOOD[3:]]))
    assert found(report, Outcome.FAIL) == {
        "eif.described": "CustomMetadata is absent; the published schema allows that, and describe-eif stops at it"
    }
    assert list(found(report, Outcome.WARN)) == ["eif.metadata"]


@pytest.mark.parametrize(
    ("value", "kind"), [([], "list"), ("text", "string"), (True, "boolean"), (7, "number"), (1.5, "number")]
)
def test_custom_metadata_that_describe_eif_cannot_flatten_is_refused(
    verified: Verified, value: object, kind: str
) -> None:
    report = verified(with_metadata(CustomMetadata=value))
    assert found(report, Outcome.FAIL) == {
        "eif.described": f"CustomMetadata is a {kind}; describe-eif cannot print what is neither an object nor null"
    }


@pytest.mark.parametrize("value", [None, {}, {"team": "payments"}])
def test_custom_metadata_that_is_an_object_or_null_is_fine(verified: Verified, value: object) -> None:
    assert verified(with_metadata(CustomMetadata=value)).passed


@pytest.mark.parametrize(
    ("image", "by"),
    [
        (forge([*GOOD[:2], (METADATA, b"{}"), *GOOD[3:]]), "eif.metadata"),
        (forge([*GOOD[:2], *GOOD[3:]]), "eif.metadata-section"),
        (forge([*GOOD, GOOD[2]]), "eif.metadata-section"),
        (forge(count=3), "eif.views"),
    ],
    ids=["of another shape", "none", "two", "two views"],
)
def test_metadata_that_cannot_be_read_blocks_what_is_asked_of_it(verified: Verified, image: bytes, by: str) -> None:
    check = verified(image)["eif.described"]
    assert (check.outcome, check.detail) == (Outcome.SKIP, f"not checked: blocked by {by}")


def test_an_image_of_before_metadata_is_not_asked_for_it(verified: Verified) -> None:
    report = verified(forge([*GOOD[:2], *GOOD[3:]], version=3))
    assert report.passed
    assert report["eif.described"].detail == "not checked: the image has no metadata section"


# -- known faults of builders

KNOWN: dict[str, tuple[bytes, str]] = {
    "builder.image-version": (
        with_metadata(ImageName="two", ImageVersion="two", BuildMetadata=built_by("eif_build", "0.3.1")),
        "both are 'two': eif_build 0.3.1 writes its --name as the version too",
    ),
    "builder.image-name": (
        with_metadata(ImageName="registry.example", DockerInfo={"RepoTags": ["registry.example:5000/app:1.0"]}),
        (
            "it is 'registry.example', and the image is 'registry.example:5000/app:1.0': nitro-cli cuts the name at the"
            " first colon"
        ),
    ),
    "builder.custom-metadata": (
        with_metadata(CustomMetadata={"BuildTime": "yesterday", "DockerInfo": {}, "team": 1}),
        "custom metadata has BuildTime, DockerInfo, which describe-eif prints beside the builder's own",
    ),
    "builder.cmdline-end": (
        with_cmdline(b"console=ttyS0\n"),
        "its last byte is a line feed, which nitro-cli would not write; it is measured, so PCR0 and PCR1 differ",
    ),
    "builder.cmdline-length": (
        with_cmdline(b"x" * 2048),
        "it has 2048 bytes and all are measured, and the kernel sees the first 2047",
    ),
    "builder.architecture": (
        forge(flags=1),
        "the header says aarch64, the kernel says x86_64",
    ),
    "builder.kernel-version": (
        with_metadata(BuildMetadata={**built_by("nitro-cli", "1.4.2"), "KernelVersion": "6.6.79"}),
        "the metadata says '6.6.79', the kernel '4.14.256'",
    ),
    "eif.ramdisk-contents": (
        forge([*GOOD, (RAMDISK, b"no archives."), (RAMDISK, GOOD[3][1][:50])]),
        (
            "ramdisk 3: neither an archive in the newc form nor a compression that Linux knows: it begins"
            " 6e 6f 20 61 72 63; ramdisk 4: the ramdisk ends inside the header of an entry"
        ),
    ),
}


@pytest.mark.parametrize("check_id", KNOWN)
def test_a_known_fault_is_named_and_never_refused(verified: Verified, check_id: str) -> None:
    image, detail = KNOWN[check_id]
    report = verified(image)
    assert found(report, Outcome.WARN) == {check_id: detail}
    assert report.passed


def test_the_docker_image_is_held_against_the_kernel_too(verified: Verified) -> None:
    report = verified(with_metadata(DockerInfo={"Architecture": "arm64"}))
    assert found(report, Outcome.WARN) == {
        "builder.architecture": "the header says x86_64, the kernel says x86_64, the Docker image says aarch64"
    }


def test_many_faults_of_ramdisks_are_told_in_part(verified: Verified) -> None:
    report = verified(forge([*GOOD[:3], *((RAMDISK, b"no archive") for _ in range(7))]))
    assert report["eif.ramdisk-contents"].detail.endswith("; and 4 more")
    assert report.passed


@pytest.mark.parametrize("check_id", ["builder.architecture", "builder.kernel-version"])
def test_a_kernel_that_says_nothing_is_not_compared(verified: Verified, check_id: str) -> None:
    assert verified(forge([(KERNEL, b"kernel"), *GOOD[1:]]))[check_id].outcome is Outcome.SKIP
    assert verified(forge([*GOOD, GOOD[0]]))[check_id].outcome is Outcome.SKIP


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_signature_over_another_hash_is_named(verified: Verified, algorithm: str) -> None:
    """The signing function takes any register, as eif_build --algo does."""
    register = hashlib.new(algorithm, b"").digest()
    report = verified(signed(register=register))
    assert list(found(report, Outcome.FAIL)) == ["eif.signed-measurement"]
    assert found(report, Outcome.WARN) == {
        "builder.signed-hash": f"it is about a register of {len(register)} bytes: eif_build was run with --algo"
        f" {algorithm}"
    }


@pytest.mark.parametrize("payload", [b"", b"\x20" * 64, b"\xa2\x6eregister_index\x00\x6eregister_value\x98"])
def test_a_signature_about_something_else_names_no_hash(tmp_path: Path, payload: bytes) -> None:
    path = tmp_path / "image.eif"
    path.write_bytes(signed())
    measured = measure(str(path))
    assert measured.signature
    other = dataclasses.replace(measured, signature=dataclasses.replace(measured.signature, payload=payload))
    [check] = [check for check in builders.examine(other, None) if check.id == "builder.signed-hash"]
    assert check.outcome is Outcome.PASS


@pytest.mark.parametrize(
    "image",
    [
        with_metadata(ImageName="two", ImageVersion="two"),  # by nitro-cli: somebody wanted it so
        with_metadata(ImageName="two", ImageVersion="2", BuildMetadata=built_by("eif_build", "0.3.1")),
        with_metadata(ImageName="app", DockerInfo={"RepoTags": ["app:1.0"]}),
        with_metadata(ImageName="registry", DockerInfo={"RepoTags": ["registry/app:1.0"]}),
        with_metadata(ImageName="app", DockerInfo={"RepoTags": "app:5000/x", "RepoDigests": [7, None]}),
        with_metadata(ImageName="app", DockerInfo=["app:5000/x"]),
        with_cmdline(b"x" * 2047),
        with_cmdline(b""),
        signed(),
    ],
)
def test_what_only_looks_like_a_known_fault_is_not_named(verified: Verified, image: bytes) -> None:
    assert found(verified(image), Outcome.WARN) == {}


@pytest.mark.parametrize(("end", "name"), [(b"\0", "a NUL"), (b" ", "a space")])
def test_other_ends_of_a_command_line_are_named(verified: Verified, end: bytes, name: str) -> None:
    warned = found(verified(with_cmdline(b"console=ttyS0" + end)), Outcome.WARN)
    assert warned["builder.cmdline-end"].startswith(f"its last byte is {name}, ")


def test_how_a_command_line_ends_that_is_too_long_to_keep_is_not_said(verified: Verified) -> None:
    check = verified(with_cmdline(b"x" * 70_000 + b"\n"))["builder.cmdline-end"]
    assert (check.outcome, check.detail) == (
        Outcome.SKIP,
        "not checked: it is longer than the 65536 bytes that are kept of it",
    )


@pytest.mark.parametrize("check_id", ["builder.cmdline-end", "builder.cmdline-length"])
def test_of_two_command_lines_none_is_judged(verified: Verified, check_id: str) -> None:
    check = verified(forge([*GOOD, (CMDLINE, b"\n")]))[check_id]
    assert check.detail == "not checked: the image has no one command line"


def test_signing_again_in_place_is_named(verified: Verified) -> None:
    """nitro-cli sign-eif 0.5.0 leaves the old signature's size in the header's table."""
    report = verified(forge([*GOOD, (SIGNATURE, b"\x80")], sizes={5: 700}))
    fault = report["eif.table-sizes"]
    assert fault.detail == (
        "table entry 5 states 700 bytes, its section header 1; nitro-cli sign-eif leaves that behind when it signs a"
        " signed image again"
    )
    assert fault.remedy == "sign the unsigned image, in place of the signed one"


def test_two_signature_sections_are_named(verified: Verified) -> None:
    fault = verified(forge([*GOOD, (SIGNATURE, b"\x80"), (SIGNATURE, b"\x80")]))["eif.signature-section"]
    assert fault.outcome is Outcome.FAIL
    assert fault.detail == "there are 2 signature sections; nitro-cli puts all of them into PCR8, QEMU the last"


def test_the_aws_builders_own_fault_is_found_in_its_own_image() -> None:
    path = vectors("eif", "ref-2ramdisk-x86_64-signed-p384.eif")
    report = verify(str(path), at=datetime(2026, 12, 1, tzinfo=UTC), expected=Expected()).report
    assert report.passed
    assert list(found(report, Outcome.WARN)) == ["builder.image-version"]


# -- expectations


def test_expected_registers_that_are_equal_pass(verified: Verified) -> None:
    report = verified(forge(), expected=Expected(pcrs=images.registers(forge())))
    assert report.passed
    assert [report[f"measurement.pcr{index}"].outcome for index in (0, 1, 2)] == [Outcome.PASS] * 3


def test_one_expected_register_that_differs_refuses(verified: Verified) -> None:
    wanted = {**images.registers(forge()), 2: bytes([1]) * 48}
    report = verified(forge(), expected=Expected(pcrs=wanted))
    assert [check.id for check in report.refusals] == ["measurement.pcr2"]
    check = report["measurement.pcr2"]
    assert (check.expected, check.actual) == ("01" * 48, images.registers(forge())[2].hex())


def test_the_expected_signer_is_told_by_pcr8(verified: Verified) -> None:
    pcr8 = pcr.for_certificate(images.der(images.pair()[1]))
    other = pcr.for_certificate(images.der(images.pair(name="somebody else")[1]))
    assert verified(signed(), expected=Expected(signer=pcr8)).passed
    refused = verified(signed(), expected=Expected(signer=other))
    assert [check.id for check in refused.refusals] == ["eif.signed-by"]
    unsigned = verified(forge(), expected=Expected(signer=pcr8))["eif.signed-by"]
    assert (unsigned.outcome, unsigned.actual) == (Outcome.FAIL, None)
    assert unsigned.detail == "PCR8, certificate that signed the image: the image is not signed"


def test_an_image_without_registers_meets_no_expectation(verified: Verified) -> None:
    """Though what readers that do not check would compute is exactly what was expected."""
    image = forge(crc=0)
    expected = Expected(pcrs=images.registers(image), signer=bytes([1]) * 48)
    report = verified(image, expected=expected)
    for check_id in ("measurement.pcr0", "measurement.pcr1", "measurement.pcr2", "eif.signed-by"):
        assert (report[check_id].outcome, report[check_id].required) == (Outcome.SKIP, True)
        assert report[check_id].detail == "not checked: blocked by eif.crc"


@pytest.mark.parametrize("index", sorted({*range(32)} - {*REGISTERS}))
def test_a_register_that_no_file_decides_is_a_wrong_question(index: int) -> None:
    with pytest.raises(UsageError) as caught:
        Expected(pcrs={index: bytes([1]) * 48})
    assert caught.value.code == "eif.expected"
    assert caught.value.message == f"PCR{index} is not decided by an image file"


@pytest.mark.parametrize("index", REGISTERS)
def test_a_zero_register_is_a_wrong_question(index: int) -> None:
    with pytest.raises(UsageError) as caught:
        Expected(pcrs={index: bytes(48)})
    whose = "unsigned image" if index == 8 else "enclave in debug mode"
    assert caught.value.message == f"PCR{index} is expected to be zero, which it is of every {whose}"
    with pytest.raises(UsageError):
        Expected(signer=bytes(48))


def test_every_malformed_vector_is_refused_or_told() -> None:
    """What the reader of measurements refuses is refused here, and nothing else of the vectors is."""
    for path in sorted(vectors("eif", "malformed").glob("*.eif")):
        verified = verify(str(path), at=AT, expected=Expected())
        measured, report = measure(str(path)), verified.report
        assert report.passed == measured.measurable, path.name
        assert [dataclasses.asdict(check) for check in report][: len(measured.report)] == [
            dataclasses.asdict(check) for check in measured.report
        ]
