"""``nitroctl attest show``: whole outputs, hostile content, and every captured document."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from nitroctl import pcr
from nitroctl.standin.pki import Identity
from tests import documents
from tests.conftest import Cli, vectors
from tests.documents import AT, INSTANCE, PCRS, document

ROLE = "arn:aws:iam::123456789012:role/parent"
OTHER_ROLE = "arn:aws:iam::123456789012:role/other"
MODULE = documents.module_id()
LEAF = documents.chain(MODULE)[-1]
REGIONAL, ZONAL = documents.authorities()[1:3]
HOSTILE = b"\x1b[2J\x1b]0;owned\x07 \xe2\x80\xae::error::x\nDocument\r\n"
NULLS = "! absent fields are left out\n  {}: null in place of absent, as AWS writes it today\n  [document.nulls]\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(content: bytes, name: str = "document.cbor") -> str:
    Path(name).write_bytes(content)
    return name


def fingerprint(identity: Identity) -> str:
    return hashlib.sha256(identity.der).hexdigest()


def name(identity: Identity) -> str:
    return identity.certificate.subject.rfc4514_string()


def opaque(identity: Identity) -> str:
    """Return the first label of the common name."""
    return name(identity).partition("CN=")[2].partition(".")[0]


def section(shown: str, title: str) -> str:
    """Return the part of the output under ``title``, up to the next empty line."""
    return shown.partition(f"\n{title}\n")[2].partition("\n\n")[0].removesuffix("\n")


# -- whole outputs


def test_a_document_whole(cli: Cli) -> None:
    content = document(nonce=b"\x00\x01", user_data=HOSTILE, public_key=b"")
    ran = cli("attest", "show", write(content))
    above, leaf = documents.authorities(), LEAF
    fingerprints = [fingerprint(identity) for identity in (*above, leaf)]
    names = [name(identity) for identity in (*above, leaf)]
    habit = "undocumented habit"
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout == (
        "! NOT VERIFIED: anybody can write what follows; nitroctl attest verify says whether it is authentic\n"
        f"file     document.cbor, raw, {len(content)} bytes of CBOR\n"
        f"SHA-256  {hashlib.sha256(content).hexdigest()}\n"
        "\n"
        "Document\n"
        "  kind            Nitro Enclave (it has the field pcrs: documented)\n"
        f"  module id       {MODULE}\n"
        f"  instance id     {INSTANCE} (module id, the instance CA's name and PCR4: documented)\n"
        "  enclave id      01a1f84a97b4e0f0 (the module id: documented; unique in AWS)\n"
        "  region          eu-west-1 (the names of regional, zonal and instance CA and of the leaf: "
        f"{habit})\n"
        "  partition       unknown: the bundle's root is none of AWS's; the certificates' names say aws\n"
        f"  regional CA id  {opaque(REGIONAL)} (the regional CA's name: {habit})\n"
        f"  zonal CA id     {opaque(ZONAL)} (the zonal CA's name: {habit}; opaque: the same id elsewhere means the "
        "same zone in the same days; the zone's name is nowhere)\n"
        f"  encoding        no tag, payload map of indefinite length (first bytes: {habit}; as AWS has written it "
        "since August 2025 at the latest)\n"
        "  mode            production: PCR0, PCR1 and PCR2 are not zero (documented)\n"
        "\n"
        "Times\n"
        "  enclave launched    2026-11-20T09:30:00.500Z, 29 min 59 s before the document\n"
        f"                      the first six bytes of the enclave id ({habit}): when the hypervisor made the enclave. "
        "Not when the instance started, or when the enclave's own code began to work.\n"
        "  instance CA begins  2026-11-20T09:55:00Z, 5 min before the document\n"
        "                      the instance CA's notBefore (stated): when the instance's authority was last renewed: "
        "every day. Not when the instance started.\n"
        "  leaf issued         2026-11-20T10:00:00Z, 250 ms before the document\n"
        f"                      the leaf's serial number ({habit}): when the certificate that signs the document was "
        "made; documents of the next hours share it. Not when the document was made.\n"
        "  document            2026-11-20T10:00:00.250Z\n"
        "                      field timestamp (stated): when the Nitro hypervisor made the document; it is inside "
        "what is signed. Not that the document is fresh: it can have been kept and shown again.\n"
        "  leaf expires        2026-11-20T13:00:00Z, 2 h 59 min after the document\n"
        "                      the leaf's notAfter (stated): until when the document can be judged as of now. Not "
        "that the enclave ended: one that runs gets a new leaf every three hours.\n"
        "  uptime at document  29 min 59 s: the document's time less the launch, and no firmer than that\n"
        "\n"
        "Registers\n"
        f"  PCR0            {PCRS[0].hex()}\n"
        "                  the image: kernel, command line and every ramdisk\n"
        f"  PCR1            {PCRS[1].hex()}\n"
        "                  kernel, command line and boot ramdisk\n"
        f"  PCR2            {PCRS[2].hex()}\n"
        "                  application ramdisks\n"
        "  PCR3            IAM role of the parent instance; zero: the instance had no IAM role when the enclave was "
        "launched\n"
        f"  PCR4            {PCRS[4].hex()}\n"
        f"                  instance id of the parent; SHA-384 of 48 zero bytes and {INSTANCE}: it is the module id's "
        "instance\n"
        "  PCR5 to PCR7    not used; zero: locked from the start\n"
        "  PCR8            certificate that signed the image; zero: it is not signed\n"
        "  PCR9 to PCR15   not used; zero: locked from the start\n"
        "  PCR16 to PCR31  free for the enclave's own code; not in the document: it was never locked, whatever it "
        "holds\n"
        "\n"
        "Filled in by the enclave's code\n"
        "  nonce       2 bytes\n"
        "    hex       0001\n"
        f"  user data   {len(HOSTILE)} bytes\n"
        f"    hex       {HOSTILE.hex()}\n"
        "    text      \\x1b[2J\\x1b]0;owned\\x07 \\u202e::error::x\n"
        "       |      Document\\r\n"
        "  public key  present and empty\n"
        "These prove only that software with these registers put them there.\n"
        "\n"
        "Certificates, with the SHA-256 of each and the document's time in its period\n"
        f"root: {names[0]}\n"
        f"│ {fingerprints[0]}\n"
        "│ 2026-10-21T09:00:00Z to 2056-10-13T10:00:00Z\n"
        "│ ├●───────────────────┤ 30 d 1 h in, 10919 d 23 h left\n"
        f"└ regional CA: {names[1]}\n"
        f"  │ {fingerprints[1]}\n"
        "  │ 2026-11-20T09:00:00Z to 2026-12-10T10:00:00Z\n"
        "  │ ├●───────────────────┤ 1 h in, 19 d 23 h left\n"
        "  │ CRL http://crl.standin.invalid/crl/root.crl\n"
        f"  └ zonal CA: {names[2]}\n"
        f"    │ {fingerprints[2]}\n"
        "    │ 2026-11-20T09:00:00Z to 2026-11-26T10:00:00Z\n"
        "    │ ├●───────────────────┤ 1 h in, 5 d 23 h left\n"
        "    │ CRL http://crl-eu-west-1.standin.invalid/crl/zonal.crl\n"
        f"    └ instance CA: {names[3]}\n"
        f"      │ {fingerprints[3]}\n"
        "      │ 2026-11-20T09:55:00Z to 2026-11-21T09:55:00Z\n"
        "      │ ├●───────────────────┤ 5 min in, 23 h 54 min left\n"
        f"      └ leaf: {names[4]}\n"
        f"          {fingerprints[4]}\n"
        "          2026-11-20T09:59:57Z to 2026-11-20T13:00:00Z\n"
        "          ├●───────────────────┤ 3 s in, 2 h 59 min left\n"
        "\n"
        "Cross-checks between the document's own items\n"
        "7 of the 7 that apply agree.\n"
        "\n"
        "! optional fields keep to the published lengths\n"
        "  public_key is empty; AWS's text asks for at least one byte\n"
        "  [document.lengths]\n"
    )


def test_a_tpm_document_has_other_meanings(cli: Cli) -> None:
    registers = {0: b"\x01" * 48, 2: _separator(), 4: b"\x04" * 48, 17: b"\xff" * 48, 18: b"\xff" * 48}
    content = document(tpm=True, module=f"{INSTANCE}-tpm0000000000000000", pcrs=registers)
    ran = cli("attest", "show", write(content))
    assert ran.status == 0
    assert section(ran.stdout, "Registers") == (
        f"  PCR0            {registers[0].hex()}\n"
        "                  firmware\n"
        "  PCR1            firmware; zero: nothing was measured into it\n"
        f"  PCR2            {registers[2].hex()}\n"
        "                  firmware; the separator alone: firmware measured nothing of that sort\n"
        "  PCR3            firmware; zero: nothing was measured into it\n"
        f"  PCR4            {registers[4].hex()}\n"
        "                  boot loader, kernel and command line (UEFI binaries); with PCR12 it identifies an "
        "Attestable AMI\n"
        "  PCR5 to PCR6    firmware; zero: nothing was measured into it\n"
        "  PCR7            Secure Boot policy; zero: nothing was measured into it\n"
        "  PCR8 to PCR11   operating system; zero: nothing was measured into it\n"
        "  PCR12           UEFI command line; zero: nothing was measured into it\n"
        "  PCR13 to PCR15  operating system; zero: nothing was measured into it\n"
        "  PCR16           debug; the operating system can reset it; zero: nothing was measured into it\n"
        "  PCR17 to PCR18  dynamic launch (not used); all ones: no dynamic launch took place\n"
        "  PCR19 to PCR22  not used; zero: nothing was measured into it\n"
        "  PCR23           application; the operating system can reset it; zero: nothing was measured into it"
    )
    assert "Filled in by the instance's software\n" in ran.stdout
    assert "6 of the 6 that apply agree.\n" in ran.stdout
    assert "enclave id" not in ran.stdout
    assert "mode  " not in ran.stdout


def test_a_register_that_no_tpm_has_is_shown_too(cli: Cli) -> None:
    data = shown(cli, document(tpm=True, module=f"{INSTANCE}-tpm0000000000000000", nitrotpm_pcrs={25: b"\x19" * 48}))
    assert [register(data, index)["state"] for index in (0, 24, 25)] == ["absent", "absent", "extended"]
    assert len(data["registers"]) == 26


def _separator() -> bytes:
    return pcr.from_digest(hashlib.sha384(bytes(4)).digest())


def test_what_is_not_well_formed_is_shown_as_far_as_it_goes(cli: Cli) -> None:
    content = document(user_data=b"hello")
    cut = content[:-5]
    write(cut)
    reason = f"byte {len(content) - 98}: a string of 96 bytes where 91 are left"
    ran = cli("attest", "show", "document.cbor")
    assert ran.status == 1
    assert ran.stdout == (
        f"✗ not a well-formed attestation document: {reason}\n"
        f"file     document.cbor, raw, {len(cut)} bytes of CBOR\n"
        f"SHA-256  {hashlib.sha256(cut).hexdigest()}\n"
        "\n"
        "✗ every CBOR item ends inside the document\n"
        f"  {reason}\n"
        "  [cbor.complete]\n"
    )
    assert ran.stderr == "nitroctl: note: --diagnostic shows how far the CBOR can be read, and where it goes wrong\n"
    ran = cli("attest", "show", "document.cbor", "--diagnostic")
    assert ran.stderr == ""
    assert section(ran.stdout, "CBOR in diagnostic notation (RFC 8949, section 8)").endswith(
        '      "public_key": null,\n'
        "      \"user_data\": h'68656c6c6f',\n"
        '      "nonce": null\n'
        "    }\n"
        "  >>,\n"
        f"/ byte {len(content) - 98}: a string of 96 bytes where 91 are left /\n"
        f"Byte {len(content) - 98} is the first that cannot be read: a string of 96 bytes where 91 are left.\n"
        "Nothing behind it begins like a field and can be read to the end."
    )


def test_the_rest_behind_a_damaged_byte_is_found(cli: Cli) -> None:
    content = document(user_data=b"hello", nonce=b"\x07" * 8)
    damaged = content.replace(b"\x6apublic_key\xf6", b"\x6apublic_k\xff\xf6\x1c")
    assert len(damaged) == len(content)
    write(damaged)
    answer = cli("attest", "show", "document.cbor", "--diagnostic", "--json").json
    found = answer["data"]["diagnostic"]
    where = damaged.index(b"public_k\xff") + 8
    assert answer["exit_code"] == 1
    assert found["fault"] == {"offset": where, "message": "text that is not UTF-8"}
    assert found["rest"]["offset"] == damaged.index(b"\x69user_data")
    assert found["rest"]["items"][:5] == [
        '"user_data"',
        "h'68656c6c6f'",
        '"nonce"',
        "h'0707070707070707'",
        "a break: the end of an open map or array",
    ]
    assert "From byte " in cli("attest", "show", "document.cbor", "--diagnostic").stdout


# -- what is read out of it


def shown(cli: Cli, content: bytes, *options: str) -> dict[str, Any]:
    data: dict[str, Any] = cli("attest", "show", write(content), "--json", *options).json["data"]
    return data


def register(data: dict[str, Any], index: int) -> dict[str, Any]:
    found: dict[str, Any] = data["registers"][index]
    assert found["name"] == f"PCR{index}"
    return found


def test_pcr4_is_computed_from_the_module_id_and_compared(cli: Cli) -> None:
    assert register(shown(cli, document()), 4)["agrees"] is True
    other = {**PCRS, 4: pcr.for_instance("i-0fedcba9876543210")}
    data = shown(cli, document(pcrs=other))
    assert register(data, 4)["agrees"] is False
    assert register(data, 4)["reading"] == (
        f"NOT made from the module id's instance {INSTANCE}, which would give {PCRS[4].hex()}"
    )
    instance = next(item for item in data["findings"] if item["key"] == "instance_id")
    assert instance["remark"] == "PCR4 says otherwise"
    ran = cli("attest", "show", "document.cbor")
    assert "6 of the 7 that apply agree; these do not, which warns and proves nothing:\n" in ran.stdout
    assert "[habit.pcr4]" in ran.stdout


def test_pcr3_is_compared_with_the_roles_asked_about(cli: Cli) -> None:
    content = document(pcrs={**PCRS, 3: pcr.for_role(ROLE)})
    data = shown(cli, content)
    assert (register(data, 3)["agrees"], data["roles"]) == (None, [])
    data = shown(cli, content, "--role", OTHER_ROLE, "--role", ROLE)
    assert register(data, 3)["agrees"] is True
    assert register(data, 3)["reading"] == f"the instance's role was {ROLE}"
    assert [role["matches"] for role in data["roles"]] == [False, True]
    data = shown(cli, content, "--role", OTHER_ROLE)
    assert register(data, 3)["reading"] == "set, but not to the role asked about"
    data = shown(cli, document(), "--role", ROLE)
    assert (register(data, 3)["state"], register(data, 3)["agrees"]) == ("zero", False)
    ran = cli("attest", "show", write(content), "--role", OTHER_ROLE, "--role", ROLE)
    assert section(ran.stdout, "Roles asked about") == (
        f"  {OTHER_ROLE}   another PCR3\n"
        f"  {' ' * len(OTHER_ROLE)}   {pcr.for_role(OTHER_ROLE).hex()}\n"
        f"  {ROLE}  its PCR3 is the document's"
    )


def test_a_role_that_is_none_is_a_wrong_invocation(cli: Cli) -> None:
    write(document())
    ran = cli("attest", "show", "document.cbor", "--role", "admin", "--json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (2, "pcr.role")


def test_debug_mode_is_loud(cli: Cli) -> None:
    zeros = dict.fromkeys((0, 1, 2), pcr.ZERO)
    ran = cli("attest", "show", write(document(pcrs={**PCRS, **zeros})))
    assert (
        "  mode            not production: PCR0, PCR1 and PCR2 are zero: the enclave runs in debug mode, so its "
        "console is open and no image is attested (documented)\n" in ran.stdout
    )
    assert (
        "  PCR8            certificate that signed the image; zero, as in debug mode: whether the image is signed is "
        "not told\n" in ran.stdout
    )
    assert "  PCR0            the image: kernel, command line and every ramdisk; zero, as in debug mode" in ran.stdout


def test_a_known_boot_and_a_single_ramdisk_are_named(cli: Cli) -> None:
    from nitroctl.evidence.registers import KNOWN_BOOTS

    known = next(iter(KNOWN_BOOTS))
    data = shown(
        cli, document(pcrs={**PCRS, 1: bytes.fromhex(known), 2: pcr.EMPTY_PCR2, 16: b"\x16" * 48, 17: bytes(48)})
    )
    assert (register(data, 1)["reading"], register(data, 1)["standing"]) == (KNOWN_BOOTS[known], "undocumented habit")
    assert register(data, 2)["reading"].startswith("SHA-384 of nothing, extended: the image has a single ramdisk")
    assert (register(data, 16)["state"], register(data, 17)["state"]) == ("extended", "zero")
    assert register(shown(cli, document(pcrs={**PCRS, 9: b"\x09" * 48})), 9)["reading"] == (
        "extended, as in no known document of AWS's"
    )
    assert register(data, 17)["reading"] == "zero: locked by the enclave without having been extended"
    assert (register(data, 18)["state"], register(data, 18)["value"]) == ("not-locked", None)


def test_an_unknown_form_of_module_id_is_said(cli: Cli) -> None:
    data = shown(cli, document(module="sandbox-1"))
    findings = {item["key"]: item for item in data["findings"]}
    assert findings["instance_id"]["value"] is None
    assert findings["enclave_id"] == {
        "key": "enclave_id",
        "value": None,
        "source": "the module id has an unknown form",
        "standing": "documented",
        "remark": None,
    }
    assert (data["uptime_seconds"], register(data, 4)["agrees"]) == (None, None)
    assert [moment["key"] for moment in data["times"]] == [
        "instance_ca_issued",
        "leaf_issued",
        "document",
        "leaf_expires",
    ]


def test_the_times_of_a_document_outside_its_certificates(cli: Cli) -> None:
    content = document(at=documents.LATER, issued=AT)
    data = shown(cli, content)
    assert [link["at_document_time"] for link in data["certificates"]] == [*["inside"] * 4, "after"]
    ran = cli("attest", "show", "document.cbor")
    assert "          ├────────────────────┤ ● ended 1 h before the document\n" in ran.stdout
    early = document(at=AT.replace(hour=9, minute=58), issued=AT)
    ran = cli("attest", "show", write(early))
    assert "          ● ├────────────────────┤ begins 1 min 56 s after the document\n" in ran.stdout


def test_bars_and_branches_are_ascii_where_they_must_be(cli: Cli, here: Path) -> None:
    write(document(user_data="größe".encode()))
    ran = cli.program("attest", "show", "document.cbor", cwd=here, env={"PYTHONIOENCODING": "ascii"})
    assert ran.status == 0
    assert f"      ` leaf: {name(LEAF)}\n" in ran.stdout
    assert "          [*-------------------] 3 s in, 2 h 59 min left\n" in ran.stdout
    assert "    text      gr\\xf6\\xdfe\n" in ran.stdout


# -- records


def record(path: str, **changes: Any) -> None:
    from nitroctl.records import new_entry
    from nitroctl.records import record as write_record

    options = {"component": "signer", "environment": "prod", "version": "1.4.2", "pin": (0, 1, 2)} | changes
    pcrs = options.pop("pcrs", {index: PCRS[index] for index in (0, 1, 2)})
    write_record(path, new_entry(pcrs=pcrs, recorded_at=AT, **options))


def test_the_record_that_matches_or_comes_nearest_is_named(cli: Cli) -> None:
    record("one.json")
    record(
        "near.json",
        pcrs={**{index: PCRS[index] for index in (0, 1)}, 2: b"\x01" * 48, 16: b"\x16" * 48},
        pin=(0, 1, 2, 16),
    )
    record("far.json", pcrs=dict.fromkeys((0, 1, 2), b"\x0f" * 48))
    write(document())
    wanted = {
        "one.json": "PCR0, PCR1 and PCR2, all that signer-1.4.2@prod (candidate) pins, are equal.",
        "near.json": (
            "The nearest is signer-1.4.2@prod (candidate): of what it pins PCR0 and PCR1 are equal; PCR2 differs; "
            "the document does not have PCR16."
        ),
        "far.json": "Its one entry for documents of this kind does not come near these registers.",
    }
    for path, sentence in wanted.items():
        ran = cli("attest", "show", "document.cbor", "--records", path)
        assert section(ran.stdout, f"Records in {path}") == sentence
    nearest = shown(cli, document(), "--records", "near.json")["nearest"]
    assert nearest == {
        "file": "near.json",
        "entries": 1,
        "entry": "signer-1.4.2@prod",
        "status": "candidate",
        "matches": False,
        "equal": ["PCR0", "PCR1"],
        "differing": ["PCR2"],
        "absent": ["PCR16"],
    }


def test_records_are_looked_at_where_they_lie_and_damage_does_not_hide_the_document(cli: Cli) -> None:
    write(document())
    assert shown(cli, document())["nearest"] is None
    record("measurements.json")
    assert shown(cli, document())["nearest"]["matches"] is True
    Path("measurements.json").write_text("{")
    ran = cli("attest", "show", "document.cbor")
    assert ran.status == 0
    assert ran.stderr.startswith("nitroctl: note: the records were not looked at: measurements.json")
    ran = cli("attest", "show", "document.cbor", "--records", "absent.json", "--json")
    assert (ran.status, ran.json["errors"][0]["code"]) == (3, "records.missing")


# -- hostile content


def test_hostile_text_cannot_reach_the_terminal(cli: Cli) -> None:
    hostile = "i-\x1b[2J\u202e::error::x"
    content = document(module=hostile, user_data=b'{"a": "\\u001b[31m\xe2\x80\xae"}', nonce=b"\xc2\x9b31m" + b"x" * 16)
    ran = cli("attest", "show", write(content), "--diagnostic")
    assert ran.status == 0
    assert not [character for character in ran.stdout if not character.isprintable() and character != "\n"]
    assert "  module id       i-\\x1b[2J\\u202e::error::x\n" in ran.stdout
    assert '"module_id": "i-\\u001b[2J\\u202e::error::x"' in ran.stdout
    assert shown(cli, content)["document"]["module_id"] == hostile


def test_no_line_of_the_document_can_pass_for_one_of_ours(cli: Cli) -> None:
    spoof = b"x\n\nCross-checks between the document's own items\n9 of the 9 that apply agree.\n"
    ran = cli("attest", "show", write(document(user_data=spoof)))
    assert ran.stdout.count("\nCross-checks between the document's own items\n") == 1
    assert "       |      Cross-checks between the document's own items\n" in ran.stdout


def test_json_cbor_and_keys_are_read_as_such(cli: Cli) -> None:
    reading = shown(cli, document(user_data=b'{"b": 1, "a": [true]}'))["contents"]["user_data"]
    assert (reading["json"], reading["guesses"]) == ({"b": 1, "a": [True]}, [])
    reading = shown(cli, document(user_data=bytes.fromhex("a1016161")))["contents"]["user_data"]
    assert (reading["cbor_diagnostic"], reading["json"]) == ('{1: "a"}', None)
    ran = cli("attest", "show", write(document(user_data=b'{"b": 1, "a": [true]}')))
    assert '    JSON      {\n       |        "b": 1,\n       |        "a": [\n' in ran.stdout
    for not_json in (b'{"a": NaN}', b'{"a": 1, "a": 2}', b'{"a": 1e999}', b"[" * 400, b"[" * 40 + b"]" * 40, b"1"):
        assert shown(cli, document(user_data=not_json))["contents"]["user_data"]["json"] is None


def test_nitridings_form_is_a_guess_and_said_to_be_one(cli: Cli) -> None:
    content = document(user_data=b"\x12\x20" + b"\xab" * 32 + b"\x12\x20" + bytes(32))
    ran = cli("attest", "show", write(content))
    assert (
        "    guess     two SHA-256 multihashes, the form in which nitriding writes the hash of its TLS certificate, "
        f"{'ab' * 32}, and that of the application's key material, zero, so none was set\n" in ran.stdout
    )


# -- every captured document


def test_every_captured_document_can_be_shown(cli: Cli) -> None:
    paths = [*sorted(vectors("attestation").glob("*.cbor")), *sorted(vectors("nitrotpm").glob("*.cbor"))]
    assert len(paths) >= 80
    for path in paths:
        genuine = not path.name.startswith("bad-")
        for options in ([], ["--diagnostic", "--role", ROLE]):
            answer = cli("attest", "show", str(path), *options, "--json").json
            data = answer["data"]
            assert data["well_formed"] or not genuine
            assert cli("attest", "show", str(path), *options).status == answer["exit_code"]
        if genuine:
            assert data["diagnostic"]["fault"] is None
            assert {check["outcome"] for check in data["cross_checks"]["checks"]} <= {"pass", "skip"}
            assert {item["value"] is None for item in data["findings"]} == {False}
            assert {link["at_document_time"] for link in data["certificates"]} == {"inside"}


def test_where_a_captured_document_lost_three_bytes(cli: Cli) -> None:
    path = vectors("attestation", "bad-base-nots-a05aa73a.cbor")
    found = cli("attest", "show", str(path), "--diagnostic", "--json").json["data"]["diagnostic"]
    assert found["fault"] == {"offset": 4341, "message": "text that is not UTF-8"}
    assert found["rest"]["items"][0] == '"user_data"'
    assert json.loads(json.dumps(found["text"])).startswith("[\n  <<{1: -35}>>,\n  {},\n  <<\n    {_\n")


def test_a_real_enclaves_times_and_places(cli: Cli) -> None:
    path = vectors("attestation", "real-mystenlabs-20251110T172010-8e5652f3.cbor")
    data = cli("attest", "show", str(path), "--json").json["data"]
    values = {item["key"]: item["value"] for item in data["findings"]}
    assert values == {
        "kind": "Nitro Enclave",
        "module_id": "i-06fb0bf4e70d5129f-enc019a5376999041b1",
        "instance_id": "i-06fb0bf4e70d5129f",
        "enclave_id": "019a5376999041b1",
        "region": "ap-south-1",
        "partition": "aws",
        "regional_ca_id": "8d5dc75b9861bf17",
        "zonal_ca_id": "884ba65a7e151b5",
        "form": "no tag, payload map of indefinite length",
    }
    assert {moment["key"]: moment["at"] for moment in data["times"]} == {
        "launched": "2025-11-05T10:01:12.848Z",
        "instance_ca_issued": "2025-11-10T08:17:53Z",
        "leaf_issued": "2025-11-10T17:20:10Z",
        "document": "2025-11-10T17:20:10.812Z",
        "leaf_expires": "2025-11-10T20:20:10Z",
    }
    assert data["uptime_seconds"] == 458337
    assert (register(data, 16)["state"], register(data, 17)["state"]) == ("extended", "not-locked")
