"""``nitroctl attest diff``: whole outputs, and which differences count."""

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest

from nitroctl import pcr
from nitroctl.standin import pki
from tests import documents
from tests.conftest import Cli, Ran, vectors
from tests.documents import AT, INSTANCE, LATER, PCRS, document

MODULE = documents.module_id()
OTHER_INSTANCE = "i-0fedcba9876543210"
UNVERIFIED = "Neither document is verified: nitroctl attest verify says whether one is authentic.\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def differ(cli: Cli, first: bytes, second: bytes, *options: str) -> Ran:
    Path("a.cbor").write_bytes(first)
    Path("b.cbor").write_bytes(second)
    return cli("attest", "diff", "a.cbor", "b.cbor", *options)


def sentence(ran: Ran) -> str:
    return ran.stdout.splitlines()[0]


def fingerprint(module: str, issued_at: object = AT) -> str:
    leaf = documents.chain(module, issued_at)[-1]  # type: ignore[arg-type]
    return hashlib.sha256(leaf.der).hexdigest()


def test_the_next_document_of_the_same_enclave_whole(cli: Cli) -> None:
    first = document(nonce=b"\x01" * 8, user_data=b"hello")
    second = document(at=LATER, nonce=b"\x02" * 8, user_data=b"hello")
    assert differ(cli, first, second) == Ran(
        0,
        "✓ same enclave, 4 h later; same registers\n"
        f"{UNVERIFIED}"
        f"A  a.cbor, {len(first)} bytes of CBOR: {MODULE}, 2026-11-20T10:00:00.250Z\n"
        f"B  b.cbor, {len(second)} bytes of CBOR: {MODULE}, 2026-11-20T14:00:00.250Z\n"
        "Every register is the same.\n"
        "\n"
        "Times\n"
        "  leaf issued   A  2026-11-20T10:00:00Z\n"
        "                B  2026-11-20T14:00:00Z, 4 h later\n"
        "  document      A  2026-11-20T10:00:00.250Z\n"
        "                B  2026-11-20T14:00:00.250Z, 4 h later\n"
        "  leaf expires  A  2026-11-20T13:00:00Z\n"
        "                B  2026-11-20T17:00:00Z, 4 h later\n"
        "\n"
        "Certificates\n"
        "  root         the same\n"
        "  regional CA  the same\n"
        "  zonal CA     the same\n"
        "  instance CA  the same\n"
        "  leaf         another of the same name\n"
        f"    A          {fingerprint(MODULE)}\n"
        f"    B          {fingerprint(MODULE, LATER)}\n"
        "\n"
        "Filled in by their software\n"
        "  nonce  A  0101010101010101\n"
        "         B  0202020202020202\n",
        "",
    )


def test_another_image_on_the_same_instance_whole(cli: Cli) -> None:
    launched = documents.LAUNCHED + timedelta(minutes=20)
    other = documents.module_id(launched)
    first = document()
    second = document(
        at=AT + timedelta(minutes=4), module=other, pcrs={**PCRS, 0: b"\x20" * 48, 2: b"\x22" * 48}, public_key=b""
    )
    leaf = documents.chain(other, AT + timedelta(minutes=4))[-1]
    ran = differ(cli, first, second)
    assert ran == Ran(
        1,
        "✗ another enclave on the same instance, 4 min later; PCR0 and PCR2 differ, public key differs\n"
        f"{UNVERIFIED}"
        f"A  a.cbor, {len(first)} bytes of CBOR: {MODULE}, 2026-11-20T10:00:00.250Z\n"
        f"B  b.cbor, {len(second)} bytes of CBOR: {other}, 2026-11-20T10:04:00.250Z\n"
        "\n"
        "Identity\n"
        f"  module id   A  {MODULE}\n"
        f"              B  {other}\n"
        "  enclave id  A  01a1f84a97b4e0f0\n"
        "              B  01a1f85ce734e0f0\n"
        "\n"
        "Registers that differ\n"
        "  PCR0  the image: kernel, command line and every ramdisk\n"
        f"    A   {PCRS[0].hex()}\n"
        f"    B   {'20' * 48}\n"
        "  PCR2  application ramdisks\n"
        f"    A   {PCRS[2].hex()}\n"
        f"    B   {'22' * 48}\n"
        "\n"
        "Times\n"
        "  enclave launched  A  2026-11-20T09:30:00.500Z\n"
        "                    B  2026-11-20T09:50:00.500Z, 20 min later\n"
        "  leaf issued       A  2026-11-20T10:00:00Z\n"
        "                    B  2026-11-20T10:04:00Z, 4 min later\n"
        "  document          A  2026-11-20T10:00:00.250Z\n"
        "                    B  2026-11-20T10:04:00.250Z, 4 min later\n"
        "  leaf expires      A  2026-11-20T13:00:00Z\n"
        "                    B  2026-11-20T13:04:00Z, 4 min later\n"
        "\n"
        "Certificates\n"
        "  root         the same\n"
        "  regional CA  the same\n"
        "  zonal CA     the same\n"
        "  instance CA  the same\n"
        "  leaf         another's\n"
        f"    A          {fingerprint(MODULE)}\n"
        f"               {MODULE}.eu-west-1.aws\n"
        f"    B          {hashlib.sha256(leaf.der).hexdigest()}\n"
        f"               {other}.eu-west-1.aws\n"
        "\n"
        "Filled in by their software\n"
        "  public key  A  absent\n"
        "              B  present and empty\n",
        "",
    )


def test_the_same_bytes(cli: Cli) -> None:
    ran = differ(cli, document(), document_copy := document())
    assert ran.status == 0
    again = differ(cli, document_copy, document_copy)
    assert sentence(again) == "✓ the same document, byte for byte"
    assert again.stdout.endswith("Every register is the same.\n")


def test_the_same_payload_signed_again(cli: Cli) -> None:
    first = document()
    ran = differ(cli, first, first[:-1] + bytes([first[-1] ^ 1]))
    assert (ran.status, sentence(ran)) == (
        0,
        "✓ the same payload in another envelope, at the same time; same registers",
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"pcrs": {**PCRS, 8: b"\x08" * 48}}, "same enclave, at the same time; PCR8 differs"),
        ({"pcrs": {**PCRS, 16: bytes(48)}}, "same enclave, at the same time; PCR16 differs"),
        ({"user_data": b"x"}, "same enclave, at the same time; same registers, user data differs"),
        (
            {"user_data": b"", "public_key": b""},
            "same enclave, at the same time; same registers, user data and public key differ",
        ),
        ({"module": documents.module_id(AT)}, "another enclave on the same instance, at the same time; same registers"),
        ({"region": "eu-west-3"}, "same enclave, at the same time; same registers, region differs"),
        (
            {"instance": OTHER_INSTANCE, "pcrs": {**PCRS, 4: pcr.for_instance(OTHER_INSTANCE)}},
            "another instance, at the same time; PCR4 differs",
        ),
        (
            {"tpm": True, "module": f"{INSTANCE}-tpm0000000000000000"},
            "a document of the other kind, whose registers mean other things, at the same time",
        ),
        ({"at": AT - timedelta(milliseconds=20), "issued": AT, "nonce": b"x"}, None),
        ({"nonce": b""}, None),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_which_difference_counts(cli: Cli, change: dict[str, object], told: str | None) -> None:
    ran = differ(cli, document(), document(**change), "--json")  # type: ignore[arg-type]
    assert ran.status == (1 if told else 0)
    data = ran.json["data"]
    assert data["same"] is (told is None)
    assert told is None or data["sentence"] == told


def test_a_millisecond_earlier_is_said_so(cli: Cli) -> None:
    ran = differ(cli, document(), document(at=AT - timedelta(milliseconds=20), issued=AT))
    assert sentence(ran) == "✓ same enclave, 20 ms earlier; same registers"


def test_debug_mode_is_said_of_the_one_that_has_it(cli: Cli) -> None:
    ran = differ(cli, document(), document(pcrs={**PCRS, 0: pcr.ZERO, 1: pcr.ZERO, 2: pcr.ZERO}))
    assert ran.stdout.count(", in debug mode\n") == 1
    assert sentence(ran) == "✗ same enclave, at the same time; PCR0, PCR1 and PCR2 differ"


def test_another_root_of_the_same_name_counts(cli: Cli) -> None:
    above = [pki.issue(pki.root_profile(at=AT - timedelta(days=30)), None)]
    for identity in documents.chain(MODULE)[1:]:
        profile = pki.Profile(
            subject=identity.certificate.subject,
            not_before=identity.certificate.not_valid_before_utc,
            not_after=identity.certificate.not_valid_after_utc,
            serial=identity.certificate.serial_number,
        )
        above.append(pki.issue(profile, above[-1]))
    ran = differ(cli, document(), document(links=tuple(above)))
    assert (ran.status, sentence(ran)) == (1, "✗ same enclave, at the same time; same registers, another root")
    assert ran.stdout.count("another of the same name\n") == 5


def test_a_register_that_only_one_has(cli: Cli) -> None:
    ran = differ(cli, document(), document(pcrs={**PCRS, 16: b"\x16" * 48}))
    assert (
        "  PCR16  extended and locked by the enclave itself\n"
        "    A    not in the document: it was never locked\n"
        f"    B    {'16' * 48}\n" in ran.stdout
    )


def test_what_cannot_be_read_is_not_compared(cli: Cli) -> None:
    content = document()
    reason = f"byte {len(content) - 98}: a string of 96 bytes where 91 are left"
    ran = differ(cli, content, content[:-5])
    assert ran == Ran(
        1,
        f"✗ not compared: B is not a well-formed attestation document: {reason}\n"
        f"{UNVERIFIED}"
        f"A  a.cbor, {len(content)} bytes of CBOR: {MODULE}, 2026-11-20T10:00:00.250Z\n"
        f"B  b.cbor, {len(content) - 5} bytes of CBOR: not a well-formed document\n",
        "",
    )
    data = differ(cli, content, content[:-5], "--json").json["data"]
    assert (data["same"], data["relation"], data["registers"], data["second"]["well_formed"]) == (
        False,
        None,
        None,
        False,
    )


def test_one_document_may_come_from_standard_input(cli: Cli) -> None:
    content = document()
    Path("a.cbor").write_bytes(content)
    assert cli("attest", "diff", "a.cbor", "-", stdin=content).status == 0
    ran = cli("attest", "diff", "-", "-", "--json", stdin=content)
    assert (ran.status, ran.json["errors"][0]["code"]) == (2, "usage.invalid")


@pytest.mark.parametrize(
    ("name", "code"), [("absent", "file.unreadable"), ("empty", "evidence.empty"), (".", "file.unreadable")]
)
def test_bad_files_are_one_clear_error(cli: Cli, name: str, code: str) -> None:
    Path("a.cbor").write_bytes(document())
    Path("empty").touch()
    for pair in (("a.cbor", name), (name, "a.cbor")):
        ran = cli("attest", "diff", *pair, "--json")
        assert (ran.status, ran.json["errors"][0]["code"]) == (3, code)


def test_hostile_text_cannot_reach_the_terminal(cli: Cli) -> None:
    ran = differ(cli, document(module="i-\x1b[2J\u202e"), document(module="::error::\x07"))
    assert not [character for character in ran.stdout if not character.isprintable() and character != "\n"]


def test_every_captured_document_can_be_compared_with_its_neighbour(cli: Cli) -> None:
    paths = sorted(vectors("attestation").glob("*.cbor"))
    for first, second in zip(paths, [*paths[1:], paths[0]], strict=True):
        answer = cli("attest", "diff", str(first), str(second), "--json").json
        assert answer["exit_code"] == (0 if answer["data"]["same"] else 1)
        assert cli("attest", "diff", str(first), str(second)).status == answer["exit_code"]
        assert cli("attest", "diff", str(first), str(first)).status == (1 if "-nots-" in first.name else 0)
