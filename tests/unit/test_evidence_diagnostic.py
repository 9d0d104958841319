"""Diagnostic notation: RFC 8949's own examples, where it stops, and what it finds behind that."""

import cbor2
import pytest

from nitroctl.evidence.diagnostic import MAX_DEPTH, Fault, diagnose
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
    "3800": "-1_0",
    "580101": "h'01'_0",
    "9800": "[_0 ]",
    "b90000": "{_1 }",
    "d80001": "0_0(1)",
    "61 0a".replace(" ", ""): '"\\u000a"',
    "64e280ae41": '"\\u202eA"',
}
FAULTS = {
    "": Fault(0, "an item is missing: the bytes end here"),
    "1c": Fault(0, "a head with the reserved value 28"),
    "19ff": Fault(0, "a length is cut off: the bytes end inside it"),
    "6261": Fault(0, "a string of 2 bytes where 1 are left"),
    "5bffffffffffffffff00": Fault(0, "a string of 18446744073709551615 bytes where 1 are left"),
    "61ff": Fault(1, "text that is not UTF-8"),
    "ff": Fault(0, "a break outside a map, array or string"),
    "8201": Fault(2, "an item is missing: the bytes end here"),
    "9f01": Fault(2, "an item is missing: the bytes end here"),
    "bf01ff": Fault(2, "a break outside a map, array or string"),
    "1f": Fault(0, "an integer or tag of indefinite length"),
    "df": Fault(0, "an integer or tag of indefinite length"),
    "5f6161ff": Fault(1, "a chunk that is not a string of the same kind"),
    "5f5f4100ffff": Fault(1, "a chunk that is not a string of the same kind"),
    "f818": Fault(0, "the simple value 24 in two bytes"),
    "0000": Fault(1, "1 bytes follow the end"),
    "81" * 40 + "00": Fault(MAX_DEPTH, f"nesting deeper than {MAX_DEPTH}, not followed"),
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


@pytest.mark.parametrize("fill", ["00", "9f", "81", "a100", "5f", "7820", "7f", "590400", "6975736572", "f6"])
def test_the_largest_hostile_input_is_followed_in_one_pass(fill: str) -> None:
    content = (bytes.fromhex(fill) * 32768)[:32768]
    found = diagnose(content, envelope=True)
    assert found.fault is not None
    assert len(found.text) < 8 * len(content)
