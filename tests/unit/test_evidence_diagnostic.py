"""Diagnostic notation: RFC 8949's own examples, where it stops, and what it finds behind that."""

import cbor2
import pytest

from nitroctl.evidence.diagnostic import MAX_DEPTH, Fault, Rest, _rest, _shown, _token, diagnose
from tests.documents import document

#: RFC 8949, appendix A, and the encoding indicators of its section 8.1.
EXAMPLES = {
    "00": "0",
    "17": "23",
    "1818": "24",
    "1903e8": "1000",
    "1bffffffffffffffff": "18446744073709551615",
    "20": "-1",
    "3903e7": "-1000",
    "3bffffffffffffffff": "-18446744073709551616",
    "f93c00": "1.0_1",
    "fa47c35000": "100000.0_2",
    "fb7e37e43c8800759c": "1e+300_3",
    "f97c00": "Infinity_1",
    "f97e00": "NaN_1",
    "f9fc00": "-Infinity_1",
    "f4": "false",
    "f5": "true",
    "f6": "null",
    "f7": "undefined",
    "f0": "simple(16)",
    "f8ff": "simple(255)",
    "c11a514b67b0": "1(1363896240)",
    "d74401020304": "23(h'01020304')",
    "d818456449455446": "24(h'6449455446')",
    "40": "h''",
    "4401020304": "h'01020304'",
    "60": '""',
    "62225c": '"\\"\\\\"',
    "62c3bc": '"ü"',
    "64f0908591": '"\U00010151"',
    "80": "[]",
    "8301820203820405": "[1, [2, 3], [4, 5]]",
    "a0": "{}",
    "a26161016162820203": '{"a": 1, "b": [2, 3]}',
    "5f42010243030405ff": "(_ h'0102', h'030405')",
    "7f657374726561646d696e67ff": '(_ "strea", "ming")',
    "5fff": "''_",
    "7fff": '""_',
    "9fff": "[_ ]",
    "9f018202039f0405ffff": "[_ 1, [2, 3], [_ 4, 5]]",
    "bf61610161629f0203ffff": '{_ "a": 1, "b": [_ 2, 3]}',
    "1800": "0_0",
    "190001": "1_1",
    "1a00000001": "1_2",
    "1b0000000000000001": "1_3",
    "1817": "23_0",
    "1900ff": "255_1",
    "190100": "256",
    "1a0000ffff": "65535_2",
    "1a00010000": "65536",
    "1b00000000ffffffff": "4294967295_3",
    "1b0000000100000000": "4294967296",
    "3800": "-1_0",
    "580101": "h'01'_0",
    "9800": "[_0 ]",
    "b90000": "{_1 }",
    "d80001": "0_0(1)",
    "61 0a".replace(" ", ""): '"\\u000a"',
    "6158": '"X"',
    "64f3a08081": '"\\udb40\\udc01"',
    "f820": "simple(32)",
    "64e280ae41": '"\\u202eA"',
}
FAULTS = {
    "": Fault(0, "an item is missing: the bytes end here"),
    "1c": Fault(0, "a head with the reserved value 28"),
    "19ff": Fault(0, "a length is cut off: the bytes end inside it"),
    "6261": Fault(0, "a string of 2 bytes where 1 are left"),
    "5bffffffffffffffff00": Fault(0, "a string of 18446744073709551615 bytes where 1 are left"),
    "61ff": Fault(1, "text that is not UTF-8"),
    "6261ff": Fault(2, "text that is not UTF-8"),
    "8201ff": Fault(2, "a break outside a map, array or string"),
    "ff": Fault(0, "a break outside a map, array or string"),
    "8201": Fault(2, "an item is missing: the bytes end here"),
    "9f01": Fault(2, "an item is missing: the bytes end here"),
    "bf01ff": Fault(2, "a break outside a map, array or string"),
    "1f": Fault(0, "an integer or tag of indefinite length"),
    "df": Fault(0, "an integer or tag of indefinite length"),
    "3f": Fault(0, "an integer or tag of indefinite length"),
    "5f6161ff": Fault(1, "a chunk that is not a string of the same kind"),
    "5f5f4100ffff": Fault(1, "a chunk that is not a string of the same kind"),
    "f818": Fault(0, "the simple value 24 in two bytes"),
    "f81f": Fault(0, "the simple value 31 in two bytes"),
    "0000": Fault(1, "1 bytes follow the end"),
    "a100" * 40 + "00": Fault(64, "nesting deeper than 32, not followed"),
    "81" * 40 + "00": Fault(32, "nesting deeper than 32, not followed"),
}


@pytest.mark.parametrize(("encoded", "text"), EXAMPLES.items())
def test_the_examples_of_the_specification(encoded: str, text: str) -> None:
    found = diagnose(bytes.fromhex(encoded))
    assert (found.text, found.fault, found.rest) == (text, None, None)


@pytest.mark.parametrize(
    ("encoded", "fault"), FAULTS.items(), ids=lambda value: value[:20] if isinstance(value, str) else ""
)
def test_where_it_stops_and_why(encoded: str, fault: Fault) -> None:
    found = diagnose(bytes.fromhex(encoded))
    assert found.fault == fault
    assert found.text.endswith(f"/ byte {fault.offset}: {fault.message} /")


def test_what_was_read_before_the_fault_is_shown() -> None:
    assert (
        diagnose(bytes.fromhex("a201820203026161" + "61")).text
        == '{1: [2, 3], 2: "a"}\n/ byte 8: 1 bytes follow the end /'
    )
    assert (
        diagnose(bytes.fromhex("a20182020302")).text
        == "{\n  1: [2, 3],\n  2:\n/ byte 6: an item is missing: the bytes end here /"
    )
    assert diagnose(bytes.fromhex("8301820262")).text == (
        "[\n  1,\n  [\n    2,\n/ byte 4: a string of 2 bytes where 0 are left /"
    )


def test_an_envelope_shows_what_its_byte_strings_hold() -> None:
    inner = cbor2.dumps({"a": 1})
    encoded = cbor2.dumps([cbor2.dumps({1: -35}), {}, inner, b"\xa0"])
    assert diagnose(encoded, envelope=True).text == "[<<{1: -35}>>, {}, <<{\"a\": 1}>>, h'a0']"
    assert diagnose(encoded).text == "[h'a1013822', {}, h'a161" + "6101', h'a0']"
    assert diagnose(b"\xd2" + encoded, envelope=True).text == "18([<<{1: -35}>>, {}, <<{\"a\": 1}>>, h'a0'])"


def test_byte_strings_that_hold_no_cbor_stay_byte_strings() -> None:
    for protected, payload in ((b"", b""), (b"\xff", b"\x01"), (b"\x01\x02", b"text"), (b"\xa1", b"\x80")):
        text = diagnose(cbor2.dumps([protected, {}, payload, b""]), envelope=True).text
        assert text == f"[h'{protected.hex()}', {{}}, h'{payload.hex()}', h'']"


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        ("d241a0", "18(h'a0')"),
        ("a141a041a0", "{h'a0': h'a0'}"),
        ("8441d0a041d041a0", "[h'd0', {}, h'd0', h'a0']"),
        ("818441a0a041a041a0", "[[h'a0', {}, h'a0', h'a0']]"),
        ("8441a0a0d241a041a0", "[<<{}>>, {}, 18(h'a0'), h'a0']"),
        ("846101a0616141a0", '["\\u0001", {}, "a", h\'a0\']'),
        ("845f41a0ffa05f41a0ff41a0", "[(_ h'a0'), {}, (_ h'a0'), h'a0']"),
        ("d2d28441a0a041a041a0", "18(18([<<{}>>, {}, <<{}>>, h'a0']))"),
    ],
    ids=["tag", "map", "first byte", "array", "tagged payload", "text", "chunks", "tags"],
)
def test_what_is_no_envelopes_byte_string_stays_one(encoded: str, text: str) -> None:
    found = diagnose(bytes.fromhex(encoded), envelope=True)
    assert (found.text, found.fault) == (
        text.replace("h'a0', h'a0']", "<<{}>>, h'a0']") if "d0" in text else text,
        None,
    )


@pytest.mark.parametrize("inside", [MAX_DEPTH - 1, MAX_DEPTH])
def test_what_a_byte_string_holds_is_as_deep_as_the_rest(inside: int) -> None:
    deep = b"\xa1\x00" * inside + b"\x00"
    header = diagnose(cbor2.dumps([deep, {}, b"", b""]), envelope=True)
    assert ("<<" in header.text) is (inside < MAX_DEPTH)
    payload = diagnose(cbor2.dumps([b"", {}, deep, b""]), envelope=True)
    assert (payload.fault is None) is (inside < MAX_DEPTH)


CUT = bytes.fromhex("8443a10126a0")


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ("43a10102", "<<{1: 2}>>,\n/ byte 10: an item is missing: the bytes end here /"),
        ("44a10102", "<<{1: 2}>>\n/ byte 6: a string of 4 bytes where 3 are left /"),
        ("58ffa10102", "<<{1: 2}>>\n/ byte 6: a string of 255 bytes where 3 are left /"),
        ("44a101", "<<\n    {\n      1:\n/ byte 9: an item is missing: the bytes end here /"),
        ("44", "/ byte 6: a string of 4 bytes where 0 are left /"),
        ("4401", "/ byte 6: a string of 4 bytes where 1 are left /"),
        ("64a10102", "/ byte 6: a string of 4 bytes where 3 are left /"),
        ("63a10102", "/ byte 7: text that is not UTF-8 /"),
    ],
)
def test_a_payload_cut_short_is_shown_as_far_as_it_goes(payload: str, text: str) -> None:
    indent = "  " if text[0] == "<" else ""
    found = diagnose(CUT + bytes.fromhex(payload), envelope=True)
    assert found.text == f"[\n  <<{{1: -7}}>>,\n  {{}},\n{indent}{text}"


def test_a_payload_is_followed_to_where_it_breaks() -> None:
    encoded = cbor2.dumps([b"", {}, cbor2.dumps({"a": 1}) + b"\x00", b""])
    found = diagnose(encoded, envelope=True)
    assert found.fault == Fault(8, "1 bytes follow the end of the payload")
    cut = document(user_data=b"hello")[:900]
    found = diagnose(cut, envelope=True)
    assert found.fault is not None
    assert '"module_id": "i-' in found.text
    assert "pcrs" in found.text


def test_the_rest_begins_at_a_field_that_reads_to_the_end() -> None:
    good = document(user_data=b"hello", nonce=b"\x07" * 8)
    at = good.index(b"\x69user_data")
    damaged = good[: at - 3] + b"\xff" + good[at:]
    found = diagnose(damaged, envelope=True)
    assert found.rest is not None
    assert found.rest.offset == damaged.index(b"\x69user_data")
    assert found.rest.items[-1] == f"h'{good[-96:].hex()}'"
    nothing = diagnose(good[:at] + b"\xff\xff\xff", envelope=True)
    assert nothing.rest is None


#: What a head where a document was damaged may be: its bytes, where it ends, and whether it is a landmark.
NAMES = ("module_id", "digest", "timestamp", "pcrs", "nitrotpm_pcrs", "certificate", "cabundle", "public_key")
TOKENS = [
    *((bytes([single]), (1, False)) for single in (0x9F, 0xBF, 0xF4, 0xF5, 0xF6, 0xFF)),
    *((bytes.fromhex(head), (0, False)) for head in ("c0", "db", "e0", "f7", "f90000", "1c", "5f", "7f", "3f")),
    *((bytes.fromhex(head), (1, False)) for head in ("00", "17", "20", "37", "80", "97", "a0", "b7", "40", "60")),
    *((bytes.fromhex(head), (2, False)) for head in ("1818", "1860", "3818", "9840", "b840", "41ff", "6161", "617e")),
    *((bytes.fromhex(head), (0, False)) for head in ("1817", "9841", "b841", "42ff", "41", "6161"[:2], "19ff", "18")),
    *((bytes.fromhex(head), (0, False)) for head in ("6100", "610a", "617f", "62c3bc", "61ff")),
    (b"\x1b" + b"\xff" * 8, (9, False)),
    (b"\x1c" + b"\xff" * 16, (0, False)),
    (b"\x57" + bytes(23), (24, False)),
    (b"\x3b" + b"\xff" * 8, (9, False)),
    (b"\x59\x40\x00" + bytes(16384), (16387, False)),
    (b"\x59\x40\x01" + bytes(16385), (0, False)),
    (b"\x78\x40" + b"a" * 64, (66, False)),
    (b"\x78\x41" + b"a" * 65, (0, False)),
    (b"\x58\x60" + bytes(96), (98, True)),
    (b"\x58\x5f" + bytes(95), (97, False)),
    *((cbor2.dumps(name), (len(name) + 1, True)) for name in (*NAMES, "user_data", "nonce")),
    (cbor2.dumps("nonces"), (7, False)),
    (cbor2.dumps(b"nonce"), (6, False)),
]


@pytest.mark.parametrize(("data", "found"), TOKENS, ids=[data[:12].hex() for data, _ in TOKENS])
def test_heads_that_aws_would_write_and_landmarks(data: bytes, found: tuple[int, bool]) -> None:
    assert _token(b"\x00" + data, 1) == (found[0] and found[0] + 1, found[1])
    assert _token(data + b"\x00", 0) == found or not found[0]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("ff", "a break: the end of an open map or array"),
        ("9f", "an array, open"),
        ("bf", "a map, open"),
        ("83", "an array of 3"),
        ("b7", "a map of 23"),
        ("9818", "an array of 24"),
        ("b900ff", "a map of 255"),
        ("41ff", "h'ff'"),
        ("1903e8", "1000"),
        ("f6", "null"),
    ],
)
def test_what_can_be_read_again_head_by_head(data: str, text: str) -> None:
    head = bytes.fromhex(data)
    assert _shown(b"\x00" + head + b"\x00", 1, 1 + len(head)) == text


NONCE = cbor2.dumps("nonce")


@pytest.mark.parametrize(
    ("data", "after", "rest"),
    [
        (b"\x00" + NONCE, 0, Rest(1, ('"nonce"',))),
        (NONCE, 0, None),
        (b"\xff" + NONCE + b"\x01", 0, Rest(1, ('"nonce"', "1"))),
        (b"\xff" + NONCE + NONCE, 0, Rest(1, ('"nonce"', '"nonce"'))),
        (b"\xff" + NONCE + b"\x1c" + NONCE + b"\x80", 0, Rest(8, ('"nonce"', "an array of 0"))),
        (b"\xff" + NONCE + b"\x1c", 0, None),
        (b"\xff\x01\x02", 0, None),
        (b"\xff\x01" + NONCE, 0, Rest(2, ('"nonce"',))),
    ],
)
def test_the_rest_begins_behind_the_fault_at_a_landmark(data: bytes, after: int, rest: Rest | None) -> None:
    assert _rest(data, after) == rest


def test_a_container_stands_on_one_line_up_to_72_characters() -> None:
    assert diagnose(cbor2.dumps(["a" * 68])).text == f'["{"a" * 68}"]'
    assert diagnose(cbor2.dumps(["a" * 69])).text == f'[\n  "{"a" * 69}"\n]'
    assert diagnose(cbor2.dumps([0, ["a" * 66]])).text == f'[\n  0,\n  ["{"a" * 66}"]\n]'
    assert diagnose(cbor2.dumps([0, ["a" * 67]])).text == f'[\n  0,\n  [\n    "{"a" * 67}"\n  ]\n]'


def test_items_over_several_lines_keep_their_comma_and_colon_at_the_end() -> None:
    long = ["a" * 70]
    lines = f'  [\n    "{"a" * 70}"\n  ]'
    assert diagnose(cbor2.dumps([long, 1])).text == f"[\n{lines},\n  1\n]"
    assert diagnose(cbor2.dumps({1: long, 2: 3})).text == f"{{\n  1: {lines.strip()},\n  2: 3\n}}"
    missing = "an item is missing: the bytes end here /"
    cut = b"\xa1" + cbor2.dumps(long)
    assert diagnose(cut).text == f"{{\n{lines}:\n/ byte {len(cut)}: {missing}"
    assert diagnose(bytes.fromhex("bf01")).text == f"{{_\n  1:\n/ byte 2: {missing}"
    assert diagnose(bytes.fromhex("8101" + "01")).text == "[1]\n/ byte 2: 1 bytes follow the end /"
    assert diagnose(bytes.fromhex("8201")).text == f"[\n  1,\n/ byte 2: {missing}"
    assert diagnose(bytes.fromhex("a20102")).text == f"{{\n  1: 2,\n/ byte 3: {missing}"


@pytest.mark.parametrize("fill", ["00", "9f", "81", "a100", "5f", "7820", "7f", "590400", "6975736572", "f6"])
def test_the_largest_hostile_input_is_followed_in_one_pass(fill: str) -> None:
    content = (bytes.fromhex(fill) * 32768)[:32768]
    found = diagnose(content, envelope=True)
    assert found.fault is not None
    assert len(found.text) < 8 * len(content)
