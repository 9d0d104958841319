"""Whatever the bytes are, the image reader gives a report; whatever is written is measured as described."""

import base64
import hashlib
import io
import json
import struct
import zlib
from pathlib import Path

import cbor2
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nitroctl.checks import Outcome
from nitroctl.eif import metadata, signature
from nitroctl.eif.format import read_layout
from nitroctl.eif.measure import measure
from nitroctl.eif.signature import sign
from nitroctl.eif.write import write_image
from tests import images
from tests.images import GOOD, forge

bounded = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

KEY, CERTIFICATE = images.pair()
SECTION = sign(images.registers(forge())[0], private_key_pem=KEY, certificate_pem=CERTIFICATE)
SIGNED = forge([*GOOD, (images.SIGNATURE, SECTION)])

numbers = st.one_of(
    st.integers(0, 2**16), st.sampled_from([0, 547, 548, 2**31, 2**32, 2**40, 2**63 - 1, 2**63, 2**64 - 1])
)
slots = st.dictionaries(st.integers(0, 31), numbers, max_size=4)
parts = st.lists(st.tuples(st.integers(0, 7), st.binary(max_size=60)), max_size=40)


def answered(path: Path, image: bytes) -> None:
    """Hold what is true of every answer."""
    path.write_bytes(image)
    found = measure(str(path))
    assert bool(found.pcrs) == found.report.passed
    assert len({check.id for check in found.report}) == len(found.report)
    if found.pcrs:
        assert found.layout.agreed
        assert found.layout.end == len(image)
        assert {index: found.pcrs[index] for index in (0, 1, 2)} == images.registers(image)
        assert found.views[0].pcrs == found.views[1].pcrs
    for check in found.report.having(Outcome.FAIL):
        assert check.detail
    json.dumps(found.report.as_json(), allow_nan=False)


@bounded
@given(image=st.binary(max_size=2000))
def test_arbitrary_bytes_get_an_answer(tmp_path: Path, image: bytes) -> None:
    answered(tmp_path / "image.eif", image)


@bounded
@given(body=st.binary(max_size=1000), count=st.integers(0, 40), offsets=slots, sizes=slots)
def test_arbitrary_bytes_behind_a_header_get_an_answer(
    tmp_path: Path, body: bytes, count: int, offsets: dict[int, int], sizes: dict[int, int]
) -> None:
    answered(tmp_path / "image.eif", forge([], count=count, offsets=offsets, sizes=sizes, trailing=body))


@bounded
@given(
    sections=parts,
    offsets=slots,
    sizes=slots,
    stated=slots,
    version=st.integers(0, 6),
    trailing=st.binary(max_size=20),
)
def test_arbitrary_sections_get_an_answer(
    *,
    tmp_path: Path,
    sections: list[images.Part],
    offsets: dict[int, int],
    sizes: dict[int, int],
    stated: dict[int, int],
    version: int,
    trailing: bytes,
) -> None:
    image = forge(sections, offsets=offsets, sizes=sizes, stated=stated, version=version, trailing=trailing)
    answered(tmp_path / "image.eif", image)


@bounded
@given(at=st.integers(0, len(SIGNED) - 1), value=st.integers(0, 255), length=st.integers(0, 8))
def test_mutations_of_a_signed_image_get_an_answer_and_never_other_registers(
    tmp_path: Path, at: int, value: int, length: int
) -> None:
    image = SIGNED[:at] + bytes([value]) * length + SIGNED[at + length :]
    answered(tmp_path / "image.eif", image)
    if image != SIGNED:
        assert not measure(str(tmp_path / "image.eif")).pcrs
    answered(tmp_path / "image.eif", with_fitting_checksum(image))


def with_fitting_checksum(image: bytes) -> bytes:
    """Return what somebody who can compute a CRC makes of ``image``."""
    checksum = zlib.crc32(image[548:], zlib.crc32(image[:544]))
    return image[:544] + struct.pack(">I", checksum) + image[548:]


@bounded
@given(length=st.integers(0, len(SIGNED) - 1))
def test_a_truncated_image_has_no_registers(tmp_path: Path, length: int) -> None:
    answered(tmp_path / "image.eif", SIGNED[:length])
    assert not measure(str(tmp_path / "image.eif")).pcrs


@bounded
@given(data=st.binary(max_size=600))
def test_an_arbitrary_signature_section_is_refused(data: bytes) -> None:
    checks, _ = signature.examine(data, bytes(48))
    assert {check.outcome for check in checks} & {Outcome.FAIL}


@bounded
@given(
    at=st.integers(0, len(images.der(CERTIFICATE)) - 1),
    value=st.binary(min_size=0, max_size=4),
)
@example(at=14, value=b"\x80")  # a negative serial number, at which the library warns
def test_a_certificate_with_changed_bytes_is_refused_or_does_not_verify(at: int, value: bytes) -> None:
    der = images.der(CERTIFICATE)
    changed = der[:at] + value + der[at + len(value) :]
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(changed) + b"-----END CERTIFICATE-----\n"
    entry = cbor2.loads(SECTION)[0]
    data = cbor2.dumps([{"signing_certificate": list(pem), "signature": entry["signature"]}])
    checks, found = signature.examine(data, images.registers(forge())[0])
    if found and all(check.outcome is Outcome.PASS for check in checks):
        assert found.certificate.pcr8 == images.extended(
            hashlib.sha384(changed).digest()
        )  # PCR8 names the certificate as it stands


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
members = st.dictionaries(
    st.sampled_from([*images.DOCUMENT, "Other"]), json_values | st.just(images.DOCUMENT["BuildMetadata"])
)


@bounded
@given(data=st.binary(max_size=300) | members.map(lambda value: json.dumps(value).encode()))
def test_arbitrary_metadata_gets_an_answer(data: bytes) -> None:
    check, found = metadata.examine(data)
    assert (found is None) == (check.outcome is Outcome.FAIL)
    if found:
        json.dumps([found.docker_info, found.custom], allow_nan=False).encode("ascii")


@bounded
@given(
    kernel=st.binary(max_size=200),
    cmdline=st.binary(max_size=100),
    ramdisks=st.lists(st.binary(max_size=200), min_size=1, max_size=6),
    with_metadata=st.booleans(),
    signed=st.booleans(),
)
def test_what_is_written_is_read_back_and_measured_as_described(
    *, tmp_path: Path, kernel: bytes, cmdline: bytes, ramdisks: list[bytes], with_metadata: bool, signed: bool
) -> None:
    def image(section: bytes | None) -> bytes:
        stream = io.BytesIO()
        write_image(
            stream,
            architecture="x86_64",
            kernel=kernel,
            cmdline=cmdline,
            ramdisks=ramdisks,
            metadata=images.METADATA_JSON if with_metadata else None,
            signature=section,
        )
        return stream.getvalue()

    unsigned = image(None)
    expected = images.registers(unsigned)
    written = image(sign(expected[0], private_key_pem=KEY, certificate_pem=CERTIFICATE)) if signed else unsigned
    path = tmp_path / "image.eif"
    path.write_bytes(written)
    found = measure(str(path))
    assert found.report.passed
    assert {index: found.pcrs[index] for index in (0, 1, 2)} == expected
    assert (8 in found.pcrs) == signed
    layout = read_layout(io.BytesIO(written), len(written))
    kept = [written[section.data : section.end] for section in layout.sections if section.kind == "ramdisk"]
    assert kept == ramdisks
