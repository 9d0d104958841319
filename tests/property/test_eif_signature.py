"""The signature section's reader under hostile bytes: nothing is raised but its no, and a yes means one form only.

The oracles are others' code: cbor2 says what the bytes are as CBOR, OpenSSL (nitro-cli) and GnuTLS (QEMU) which
certificate a PEM text holds.
"""

import base64
import ctypes
import ctypes.util
import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

import cbor2
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from nitroctl.checks import Outcome
from nitroctl.eif.sign import sign
from nitroctl.eif.signature import examine
from nitroctl.eif.signature_section import Malformed, read, read_certificate, read_payload
from tests import images

PCR0 = bytes(range(48))
CURVES = ("secp256r1", "secp384r1", "secp521r1")


@cache
def signed(curve: str) -> bytes:
    key, certificate = images.pair(curve)
    return sign(PCR0, private_key_pem=key, certificate_pem=certificate)


def accepted(data: bytes) -> bool:
    """Whether the reader takes the section; anything but its own refusal would fail the test."""
    try:
        read(data)
    except Malformed as error:
        said = str(error)
    else:
        return True
    assert said
    assert "\n" not in said
    return False


def is_in_the_one_form(data: bytes) -> bool:
    """Whether ``data`` is the section's shape in the encoding that a writer of CBOR gives it."""
    decoded: Any = cbor2.loads(data)
    assert isinstance(decoded, list)
    (entry,) = decoded
    assert list(entry) == ["signing_certificate", "signature"]
    for octets in entry.values():
        assert type(octets) is list
        assert all(type(octet) is int and octet in range(256) for octet in octets)
    cose = bytes(entry["signature"]).removeprefix(b"\xd2")
    parts = cbor2.loads(cose)
    assert [type(part) for part in parts] == [bytes, dict, bytes, bytes]
    assert parts[1] == {}
    return cbor2.dumps(decoded) == data and cbor2.dumps(parts) == cose


@settings(deadline=None)
@given(st.binary(max_size=400))
@example(b"\x9f" * 32768)
@example(b"\x81" * 32768)
@example(b"\xa1" * 32768)
@example(b"\xd8\x1c" * 16384)
@example(b"\xc5\x82\x1b" + b"\x7f" * 8 + b"\x01")
@example(b"\x5f" + b"\x41a" * 16000)
@example(b"\x81\xa2\x73signing_certificate\x9b" + b"\xff" * 8)
@example(b"\x81\xa2\x7b" + b"\xff" * 8)
@example(b"\xbb" + b"\xff" * 8)
def test_no_bytes_are_a_section_by_accident(data: bytes) -> None:
    assert not accepted(data)
    checks, signature = examine(data, PCR0)
    assert signature is None
    assert checks[0].outcome is Outcome.FAIL


@given(
    curve=st.sampled_from(CURVES),
    edits=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 3), st.binary(max_size=10), st.sampled_from("rix")),
        min_size=1,
        max_size=4,
    ),
)
@settings(max_examples=200, deadline=None)
def test_an_edited_section_is_refused_or_in_the_one_form_and_never_passes(
    curve: str, edits: list[tuple[float, int, bytes, str]]
) -> None:
    data = bytearray(signed(curve))
    for place, length, new, how in edits:
        at = int(place * len(data))
        if how == "x":  # one bit
            data[at] ^= 1 << len(new) % 8
        else:
            data[at : at + (length if how == "r" else 0)] = new
    changed = bytes(data)
    assume(changed != signed(curve))
    if accepted(changed):
        assert is_in_the_one_form(changed)
    checks, signature = examine(changed, PCR0)
    if all(check.outcome is Outcome.PASS for check in checks):
        # nothing covers the certificate but PCR8, which is of its bytes as they are now
        assert signature is not None
        original, _ = read(signed(curve))
        same = ("protected", "payload", "value")
        assert [getattr(signature, part) for part in same] == [getattr(original, part) for part in same]
        assert signature.certificate.pcr8 == images.extended(hashlib.sha384(signature.certificate.der).digest())


def entry_and_parts(curve: str) -> tuple[dict[str, Any], list[Any]]:
    entry: dict[str, Any] = cbor2.loads(signed(curve))[0]
    parts: list[Any] = cbor2.loads(bytes(entry["signature"]))
    return entry, parts


ITEMS = st.recursive(
    st.one_of(
        st.integers(-(2**70), 2**70),
        st.binary(max_size=12),
        st.text(max_size=8),
        st.booleans(),
        st.none(),
        st.floats(allow_nan=False),
        st.builds(cbor2.CBORTag, st.sampled_from([2, 3, 18, 24, 55799]), st.integers(0, 5)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4) | st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(item=ITEMS, place=st.integers(0, 8), curve=st.sampled_from(CURVES))
@settings(max_examples=200, deadline=None)
def test_another_thing_in_any_place_is_refused_or_in_the_one_form(item: Any, place: int, curve: str) -> None:
    entry, parts = entry_and_parts(curve)
    places: list[Callable[[], Any]] = [
        lambda: item,
        lambda: [item],
        lambda: [entry, item],
        lambda: [{**entry, "signing_certificate": item}],
        lambda: [{**entry, "signature": item}],
        lambda: [{**entry, "extra": item}],
        lambda: [{**entry, "signature": [*entry["signature"], item]}],
        lambda: [{**entry, "signature": list(cbor2.dumps(item))}],
        lambda: [{**entry, "signature": list(cbor2.dumps([*parts[:3], item]))}],
    ]
    data = cbor2.dumps(places[place]())
    if accepted(data):
        assert is_in_the_one_form(data)


@settings(deadline=None)
@given(st.binary(max_size=120))
def test_a_payload_is_a_register_in_the_one_form_or_nothing(payload: bytes) -> None:
    try:
        index, value = read_payload(payload)
    except Malformed:
        return
    assert payload == cbor2.dumps({"register_index": index, "register_value": list(value)})


@settings(deadline=None)
@given(index=st.integers(0, 2**64 - 1), value=st.binary(max_size=64))
def test_every_register_in_the_one_form_is_read(index: int, value: bytes) -> None:
    assert read_payload(cbor2.dumps({"register_index": index, "register_value": list(value)})) == (index, value)


# -- the certificate's text


class OpenSsl:
    """The function by which nitro-cli finds the certificate: PEM_read_bio_X509."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL(_library("crypto"))
        pointer = ctypes.c_void_p
        for name, result, arguments in (
            ("BIO_new_mem_buf", pointer, [ctypes.c_char_p, ctypes.c_int]),
            ("PEM_read_bio_X509", pointer, [pointer] * 4),
            ("i2d_X509", ctypes.c_int, [pointer, pointer]),
            ("X509_free", None, [pointer]),
            ("BIO_free", ctypes.c_int, [pointer]),
            ("ERR_clear_error", None, []),
        ):
            function = getattr(self.library, name)
            function.restype, function.argtypes = result, arguments

    def __call__(self, pem: bytes) -> bytes | None:
        source = self.library.BIO_new_mem_buf(pem, len(pem))
        found = self.library.PEM_read_bio_X509(source, None, None, None)
        self.library.BIO_free(source)
        self.library.ERR_clear_error()
        if not found:
            return None
        buffer = ctypes.create_string_buffer(self.library.i2d_X509(found, None))
        end = ctypes.c_void_p(ctypes.addressof(buffer))
        self.library.i2d_X509(found, ctypes.byref(end))
        self.library.X509_free(found)
        return buffer.raw


class _Datum(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_uint))


class GnuTls:
    """The function by which QEMU finds the certificate: gnutls_x509_crt_import."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL(_library("gnutls"))

    def __call__(self, pem: bytes) -> bytes | None:
        certificate, out = ctypes.c_void_p(), _Datum()
        text = ctypes.create_string_buffer(pem, len(pem) + 1)
        data = _Datum(ctypes.addressof(text), len(pem))
        self.library.gnutls_x509_crt_init(ctypes.byref(certificate))
        try:
            if self.library.gnutls_x509_crt_import(certificate, ctypes.byref(data), 1):
                return None
            assert self.library.gnutls_x509_crt_export2(certificate, 0, ctypes.byref(out)) == 0
            return ctypes.string_at(out.data, out.size)
        finally:
            self.library.gnutls_x509_crt_deinit(certificate)


def _library(name: str) -> str:
    found = ctypes.util.find_library(name)
    if found is None:
        pytest.skip(f"no lib{name} on this machine")
    return found


A, B = (images.pair(name=name)[1] for name in ("a", "b"))
LABELS = (
    b"CERTIFICATE",
    b"X509 CERTIFICATE",
    b"TRUSTED CERTIFICATE",
    b"CERTIFICATE REQUEST",
    b"PKCS7",
    b"PRIVATE KEY",
    b"",
)


@st.composite
def pems(draw: st.DrawFn) -> bytes:
    """Return a text of certificates under various names, with things before, between and in them."""
    text = b""
    for _ in range(draw(st.integers(1, 3))):
        body = b"".join(draw(st.sampled_from([A, B])).splitlines()[1:-1])
        width = draw(st.sampled_from([1, 7, 64, 64, 64, 76, 200, 254, 255, 1000]))
        end = draw(st.sampled_from([b"\n", b"\n", b"\r\n", b" \n", b"\t\r\n", b"\r", b"\n\n"]))
        opening = draw(st.sampled_from(LABELS[:1] * 4 + LABELS))
        dashes = draw(st.sampled_from([b"-----"] * 7 + [b"", b"----"]))
        closing = draw(st.sampled_from([opening, opening, opening, b"CERTIFICATE", None]))
        before = draw(
            st.sampled_from([b"", b"", b"", b"text\n", b" ", b"x", b"\0", b"\x0c", b"h" * 254, b"h" * 255, b"h" * 300])
        )
        head = draw(st.sampled_from([b"", b"", b"", b"Name: value\n\n", b"\n", b"-", b"=\n"]))
        lines = [body[at : at + width] for at in range(0, len(body), width)]
        text += before + b"-----BEGIN " + opening + dashes + end + head + end.join(lines) + end
        text += (
            b"" if closing is None else b"-----END " + closing + b"-----" + draw(st.sampled_from([end, b"", b"x\n"]))
        )
    return text


@pytest.fixture(scope="module", params=[OpenSsl, GnuTls])
def oracle(request: pytest.FixtureRequest) -> Callable[[bytes], bytes | None]:
    found: Callable[[bytes], bytes | None] = request.param()
    return found


@given(pem=pems())
@settings(max_examples=200, deadline=None)
@example(pem=B.replace(b"CERTIFICATE-----", b"CERTIFICATE REQUEST-----") + A)
@example(pem=A + B.replace(b"CERTIFICATE-----", b"X509 CERTIFICATE-----"))
@example(pem=b" " + A + B)
def test_the_certificate_that_is_read_is_the_one_that_others_read(
    oracle: Callable[[bytes], bytes | None], pem: bytes
) -> None:
    try:
        certificate, _ = read_certificate(pem)
    except Malformed:
        return
    assert oracle(pem) == certificate.der


def test_certificates_as_tools_write_them_are_read(oracle: Callable[[bytes], bytes | None]) -> None:
    described = b"Bag Attributes\n    localKeyID: 01\nsubject=CN = a\n\n" + A
    for pem in (A, A + B, A.replace(b"\n", b"\r\n"), A.rstrip(), described, images.pair()[0] + A):
        assert read_certificate(pem)[0].der == images.der(A) == oracle(pem)


@settings(deadline=None)
@given(st.binary(max_size=300))
@example(b"-----BEGIN CERTIFICATE-----" * 1200)
@example(b"-----BEGIN CERTIFICATE-----\n" + b"A" * 32000)
@example(b"-----BEGIN CERTIFICATE-----\n" + b"A\n" * 16000 + b"-----END CERTIFICATE-----")
@example(b"-----BEGIN " + b"-" * 32000)
@example(b"-----BEGIN CERTIFICATE-----\n" + b" \t" * 16000)
def test_no_text_is_a_certificate_by_accident(pem: bytes) -> None:
    with pytest.raises(Malformed):
        read_certificate(pem)


@given(
    curve=st.sampled_from(CURVES),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 4), st.binary(max_size=4)), min_size=1),
)
@settings(max_examples=200, deadline=None)
def test_an_edited_certificate_is_read_or_refused(curve: str, edits: list[tuple[float, int, bytes]]) -> None:
    """Names, times, keys and points that are none; nothing but the refusal may come out."""
    der = bytearray(images.der(images.pair(curve)[1]))
    for place, length, new in edits:
        at = int(place * len(der))
        der[at : at + length] = new
        der = der or bytearray(b"0")
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"
    try:
        certificate, _ = read_certificate(pem)
    except Malformed as error:
        said = str(error)
    else:
        assert certificate.der == der
        return
    assert said
    assert "\n" not in said
