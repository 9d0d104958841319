"""Places, ids, times and habits: what is read from a document, and what is said when its items disagree."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from nitroctl.checks import Outcome
from nitroctl.evidence import findings, habits, roots
from nitroctl.evidence.certificate import Certificate, load
from nitroctl.evidence.chain import Chain
from nitroctl.evidence.derived import Derived, derive
from nitroctl.evidence.document import Document, Kind, parse
from nitroctl.evidence.findings import Finding
from nitroctl.evidence.standing import Standing
from nitroctl.standin.lab_change import AT, INSTANCE, MODULE_ID, PCRS, REGION, Change, good_chain, make

DATA = make()
OTHER = "i-00000000000000000"
SECOND = AT.replace(microsecond=0)
REGIONAL, ZONAL = (load(good_chain()[place].der).common_name.partition(".")[0] for place in (1, 2))
OPAQUE = "opaque: the same id elsewhere means the same zone in the same days; the zone's name is nowhere"


def good() -> Document:
    document = parse(DATA).document
    assert document is not None
    return document


def links() -> tuple[Certificate, ...]:
    return tuple(load(identity.der) for identity in good_chain())


def derived() -> Derived:
    return derive(good(), links())


def found(document: Document, what: Derived, data: bytes = DATA) -> dict[str, Finding]:
    items = findings.findings(data, document, parse(data).envelope, what)
    assert len({item.key for item in items}) == len(items)
    return {item.key: item for item in items}


def test_every_item_of_an_enclaves_document() -> None:
    assert list(found(good(), derived()).values()) == [
        Finding("kind", "kind", "Nitro Enclave", "it has the field pcrs", Standing.DOCUMENTED),
        Finding("module_id", "module id", MODULE_ID, "field module_id", Standing.STATED),
        Finding(
            "instance_id",
            "instance id",
            INSTANCE,
            "module id, the instance CA's name and PCR4",
            Standing.DOCUMENTED,
        ),
        Finding("enclave_id", "enclave id", "019aa0b0c0d0e0f0", "the module id", Standing.DOCUMENTED, "unique in AWS"),
        Finding(
            "region",
            "region",
            REGION,
            "the names of regional, zonal and instance CA and of the leaf",
            Standing.HABIT,
        ),
        Finding(
            "partition",
            "partition",
            None,
            "the bundle's root is none of AWS's",
            Standing.DOCUMENTED,
            "the certificates' names say aws",
        ),
        Finding("regional_ca_id", "regional CA id", REGIONAL, "the regional CA's name", Standing.HABIT),
        Finding("zonal_ca_id", "zonal CA id", ZONAL, "the zonal CA's name", Standing.HABIT, OPAQUE),
        Finding(
            "form",
            "encoding",
            "no tag, payload map of indefinite length",
            "first bytes",
            Standing.HABIT,
            "as AWS has written it since August 2025 at the latest",
        ),
    ]


def test_every_item_of_a_tpms_document() -> None:
    tpm = replace(good(), kind=Kind.NITROTPM, module_id=f"{INSTANCE}-tpm0123456789abcdef", pcrs={0: bytes(48)})
    items = found(tpm, derive(tpm, links()))
    assert "enclave_id" not in items
    assert items["kind"] == Finding(
        "kind", "kind", "NitroTPM of an EC2 instance", "it has the field nitrotpm_pcrs", Standing.DOCUMENTED
    )
    assert items["instance_id"] == Finding(
        "instance_id", "instance id", INSTANCE, "module id and the instance CA's name", Standing.DOCUMENTED
    )


@pytest.mark.parametrize(
    ("module_id", "pcrs", "name", "value", "told"),
    [
        (MODULE_ID, {}, INSTANCE, INSTANCE, ("module id and the instance CA's name", "PCR4 says otherwise")),
        (MODULE_ID, PCRS, OTHER, INSTANCE, ("module id and PCR4", "the instance CA's name says otherwise")),
        (MODULE_ID, {}, None, INSTANCE, ("module id", "the instance CA's name and PCR4 say otherwise")),
        ("sandbox", PCRS, INSTANCE, None, ("the module id has an unknown form", "")),
        ("sandbox", {}, None, None, ("the module id has an unknown form", "")),
    ],
)
def test_where_the_instance_is_named_and_where_another_is(
    module_id: str, pcrs: dict[int, bytes], name: str | None, value: str | None, told: tuple[str, str]
) -> None:
    document = replace(good(), module_id=module_id, pcrs=pcrs)
    what = replace(derive(document, links()), instance_name=name)
    expected = Finding("instance_id", "instance id", value, told[0], Standing.DOCUMENTED, told[1])
    assert found(document, what)["instance_id"] == expected


@pytest.mark.parametrize(
    ("regions", "value", "source"),
    [
        (("a-b-1",) * 4, "a-b-1", "the names of regional, zonal and instance CA and of the leaf"),
        (
            ("a-b-1", None, "c-d-2", "e-f-3"),
            None,
            "the regional CA's name says a-b-1; the instance CA's name says c-d-2; the leaf's name says e-f-3",
        ),
        ((None, "a-b-1", None, None), None, "the zonal CA's name says a-b-1"),
        ((None,) * 4, None, "no certificate's name says it"),
        ((), None, "no certificate's name says it"),
    ],
)
def test_a_region_is_what_every_name_says(regions: tuple[str | None, ...], value: str | None, source: str) -> None:
    item = found(good(), replace(derived(), regions=regions))["region"]
    assert item == Finding("region", "region", value, source, Standing.HABIT)


@pytest.mark.parametrize(
    ("root", "partitions", "value", "source", "remark"),
    [
        (0, ("aws",) * 4, "aws", "the root is AWS Nitro Enclaves Root G1", ""),
        (
            0,
            ("aws-us-gov",) * 4,
            "aws",
            "the root is AWS Nitro Enclaves Root G1",
            "but the certificates' names say aws-us-gov",
        ),
        (0, ("aws-us-gov", "aws", "aws", "aws"), "aws", "the root is AWS Nitro Enclaves Root G1", ""),
        (0, (None,) * 4, "aws", "the root is AWS Nitro Enclaves Root G1", ""),
        (1, ("aws-us-gov",) * 4, "aws-us-gov", "the root is AWS GovCloud (US) Nitro Enclaves root", ""),
        (None, ("aws",) * 4, None, "the bundle's root is none of AWS's", "the certificates' names say aws"),
        (None, (None,) * 4, None, "the bundle's root is none of AWS's", ""),
        (None, ("aws", "aws", "aws-cn", "aws"), None, "the bundle's root is none of AWS's", ""),
        (None, (), None, "the bundle's root is none of AWS's", ""),
    ],
)
def test_a_partition_is_the_roots(
    root: int | None, partitions: tuple[str | None, ...], value: str | None, source: str, remark: str
) -> None:
    document = good()
    if root is not None:
        first = x509.load_pem_x509_certificate(roots.pem(roots.AWS_ROOTS[root])).public_bytes(Encoding.DER)
        document = replace(document, cabundle=(first, *document.cabundle[1:]))
    item = found(document, replace(derived(), partitions=partitions))["partition"]
    assert item == Finding("partition", "partition", value, source, Standing.DOCUMENTED, remark)


def test_what_has_an_unknown_form_says_so_and_no_more() -> None:
    items = found(good(), replace(derived(), enclave_id=None, regional_id=None, zonal_id=None))
    assert items["enclave_id"] == Finding(
        "enclave_id", "enclave id", None, "the module id has an unknown form", Standing.DOCUMENTED
    )
    assert items["regional_ca_id"] == Finding(
        "regional_ca_id", "regional CA id", None, "the regional CA's name has an unknown form", Standing.HABIT
    )
    assert items["zonal_ca_id"] == Finding(
        "zonal_ca_id", "zonal CA id", None, "the zonal CA's name has an unknown form", Standing.HABIT
    )


def test_how_it_is_written() -> None:
    def form(data: bytes, *, envelope: bool = True) -> tuple[str | None, str, Standing, str]:
        parsed = parse(data).envelope if envelope else None
        items = findings.findings(data, good(), parsed, derived())
        item = next(item for item in items if item.key == "form")
        return item.value, item.source, item.standing, item.remark

    written, tag = "as AWS wrote it until April 2025 at least", "; AWS never writes the tag"
    since = "as AWS has written it since August 2025 at the latest"
    definite = make(Change(payload=lambda payload: b"\xa9" + payload[1:-1]))
    habit, place = Standing.HABIT, "first bytes"
    assert form(DATA) == ("no tag, payload map of indefinite length", place, habit, since)
    assert form(b"\xd2" + DATA) == ("tag 18, payload map of indefinite length", place, habit, since + tag)
    assert form(definite) == ("no tag, payload map of definite length", place, habit, written)
    assert form(b"\xd2" + definite) == ("tag 18, payload map of definite length", place, habit, written + tag)
    assert form(b"\xd2", envelope=False) == ("tag 18", "first byte", habit, "")
    assert form(b"\x84", envelope=False) == ("no tag", "first byte", habit, "")


# -- times
def test_every_time_and_what_it_does_not_say() -> None:
    told = [(t.key, t.label, t.at, t.source, t.standing) for t in findings.times(good(), derived(), links())]
    launched = datetime.fromtimestamp(0x019AA0B0C0D0 / 1000, UTC)
    instance, leaf = links()[3:]
    assert told == [
        ("launched", "enclave launched", launched, "the first six bytes of the enclave id", Standing.HABIT),
        (
            "instance_ca_issued",
            "instance CA begins",
            instance.not_before,
            "the instance CA's notBefore",
            Standing.STATED,
        ),
        ("leaf_issued", "leaf issued", SECOND, "the leaf's serial number", Standing.HABIT),
        ("document", "document", AT, "field timestamp", Standing.STATED),
        ("leaf_expires", "leaf expires", leaf.not_after, "the leaf's notAfter", Standing.STATED),
    ]


@pytest.mark.parametrize(
    ("count", "keys"),
    [
        (0, ["document"]),
        (1, ["document", "leaf_expires"]),
        (3, ["document", "leaf_expires"]),
        (4, ["instance_ca_issued", "document", "leaf_expires"]),
    ],
)
def test_times_that_cannot_be_read_are_left_out(count: int, keys: list[str]) -> None:
    unknown = replace(derived(), launched=None, issued=None)
    assert sorted(time.key for time in findings.times(good(), unknown, links()[:count])) == sorted(keys)


# -- what can be derived
@pytest.mark.parametrize(
    ("module_id", "instance", "enclave"),
    [
        (f"{INSTANCE}-enc0123456789abcdef", INSTANCE, "0123456789abcdef"),
        ("i-01234567-enc0123456789abcdef", "i-01234567", "0123456789abcdef"),
        (f"{INSTANCE}-tpm0123456789abcdef", INSTANCE, None),
        ("i-012345678-enc0123456789abcdef", None, None),
        (f"{INSTANCE}-enc0123456789abcde", None, None),
        (f"{INSTANCE}-enc0123456789ABCDEF", None, None),
        (f"{INSTANCE}-tpm0123456789abcdef0", None, None),
        (f"x{INSTANCE}-enc0123456789abcdef", None, None),
    ],
)
def test_the_forms_of_a_module_id(module_id: str, instance: str | None, enclave: str | None) -> None:
    what = derive(replace(good(), module_id=module_id), ())
    assert (what.instance_id, what.enclave_id) == (instance, enclave)


def test_a_launch_beyond_the_calendar_is_none() -> None:
    assert derive(replace(good(), module_id=f"{INSTANCE}-enc{'f' * 16}"), ()).launched is None
    first = derive(replace(good(), module_id=f"{INSTANCE}-enc{'0' * 16}"), ()).launched
    assert first == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("module_id", "serial", "enclave", "issued"),
    [
        (MODULE_ID, 0x019AA0B0C0D0E0F0_00000000_0000000A, "019aa0b0c0d0e0f0", 10),
        (MODULE_ID, 0x10A_00000000_00000000, "000000000000010a", 0),
        (MODULE_ID, 0x019AA0B0C0D0E0F0_00000001_0000000A, None, None),
        (MODULE_ID, 0x1019AA0B0C0D0E0F0_00000000_0000000A, None, None),
        (f"{INSTANCE}-tpm{'0' * 16}", 0xFFFFFFFF, None, 0xFFFFFFFF),
        (f"{INSTANCE}-tpm{'0' * 16}", 0x1, None, 1),
        (f"{INSTANCE}-tpm{'0' * 16}", 0x100000000, None, None),
        ("sandbox", 0x6, None, 6),
    ],
)
def test_the_layouts_of_a_serial_number(module_id: str, serial: int, enclave: str | None, issued: int | None) -> None:
    chain = (*links()[:4], replace(links()[4], serial=serial))
    what = derive(replace(good(), module_id=module_id), chain)
    at = None if issued is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=issued)
    assert (what.serial_enclave_id, what.issued) == (enclave, at)


def test_nothing_is_read_from_the_names_of_another_number_of_certificates() -> None:
    full = derived()
    assert (full.regional_id, full.zonal_id, full.instance_name, full.leaf_name) == (
        REGIONAL,
        ZONAL,
        INSTANCE,
        MODULE_ID,
    )
    assert (full.regions, full.partitions, full.region) == ((REGION,) * 4, ("aws",) * 4, REGION)
    for chain in (links()[:4], (*links(), links()[4]), links()[:1]):
        what = derive(good(), chain)
        assert (what.regional_id, what.zonal_id, what.instance_name, what.leaf_name) == (None,) * 4
        assert (what.regions, what.partitions, what.region) == ((), (), None)


@pytest.mark.parametrize(
    ("place", "name", "region", "partition"),
    [
        (1, "0123456789abcdef.us-gov-west-1.aws-us-gov.nitro-enclaves", "us-gov-west-1", "aws-us-gov"),
        (1, "0.eu-west-12.aws.nitro-enclaves", "eu-west-12", "aws"),
        (1, "0123456789abcdef0.eu-west-1.aws.nitro-enclaves", None, None),
        (1, "ab.eu-west-123.aws.nitro-enclaves", None, None),
        (1, "ab.eu-1.aws.nitro-enclaves", None, None),
        (1, "ab.eu-west-1.aws", None, None),
        (1, "ab.eu-west-1.gcp.nitro-enclaves", None, None),
        (1, "abxeu-west-1.aws.nitro-enclaves", None, None),
        (1, "ab.eu-west-1.awsxnitro-enclaves", None, None),
        (2, "ab.zonal.eu-west-1.aws.nitro-enclaves", "eu-west-1", "aws"),
        (2, "ab.eu-west-1.aws.nitro-enclaves", None, None),
        (2, "abxzonal.eu-west-1.aws.nitro-enclaves", None, None),
        (3, "i-0ab.eu-west-1.aws.nitro-enclaves", "eu-west-1", "aws"),
        (3, "0ab.eu-west-1.aws.nitro-enclaves", None, None),
        (4, "i-0ab-enc01.eu-west-1.aws", "eu-west-1", "aws"),
        (4, "i-0ab.eu-west-1.aws", None, None),
        (4, "i-0ab-enc01.eu-west-1.aws.nitro-enclaves", None, None),
    ],
)
def test_the_forms_of_the_names(place: int, name: str, region: str | None, partition: str | None) -> None:
    chain = tuple(replace(link, common_name=name) if number == place else link for number, link in enumerate(links()))
    what = derive(good(), chain)
    assert (what.regions[place - 1], what.partitions[place - 1]) == (region, partition)


# -- habits
def compared(document: Document, chain: tuple[Certificate, ...] = ()) -> dict[str, tuple[Outcome, str]]:
    checks = habits.compare(document, Chain(chain or links()))
    assert [check.id for check in checks] == [
        *("habit.module-id", "habit.leaf-name", "habit.instance-name", "habit.region", "habit.pcr4"),
        *("habit.serial", "habit.times"),
    ]
    return {check.id: (check.outcome, check.detail) for check in checks}


def with_leaf(**values: object) -> tuple[Certificate, ...]:
    return (*links()[:4], replace(links()[4], **values))  # type: ignore[arg-type]  # the caller's names are the fields'


def test_every_habit_holds() -> None:
    held = compared(good())
    assert {outcome for outcome, _ in held.values()} == {Outcome.PASS}
    assert (held["habit.region"][1], held["habit.pcr4"][1], held["habit.serial"][1]) == (REGION, INSTANCE, "")


@pytest.mark.parametrize("seconds", [0, 3])
def test_a_leafs_period_begins_at_its_issue_or_three_seconds_before(seconds: int) -> None:
    chain = with_leaf(not_before=SECOND - timedelta(seconds=seconds))
    assert compared(good(), chain)["habit.serial"] == (Outcome.PASS, "")


@pytest.mark.parametrize("seconds", [-1, 1, 2, 4])
def test_another_beginning_is_told(seconds: int) -> None:
    chain = with_leaf(not_before=SECOND - timedelta(seconds=seconds))
    assert compared(good(), chain)["habit.serial"] == (
        Outcome.WARN,
        "the serial number says 2026-11-20T10:00:00Z, the period begins otherwise",
    )


def test_what_cannot_be_compared_says_why() -> None:
    none = habits.compare(good(), Chain())
    told = {check.id: (check.outcome, check.detail) for check in none}
    assert told["habit.serial"] == (Outcome.SKIP, "not checked: the certificates could not be read")
    assert told["habit.times"] == (Outcome.SKIP, "not checked: the time of issue is not known")
    assert told["habit.region"] == (Outcome.WARN, "a certificate's name does not say its region")
    assert told["habit.leaf-name"] == (Outcome.WARN, "the leaf's name has an unknown form")
    assert told["habit.instance-name"] == (Outcome.WARN, "the instance CA's name has an unknown form")
    tpm = compared(replace(good(), kind=Kind.NITROTPM))
    assert tpm["habit.pcr4"] == (Outcome.SKIP, "not checked: PCR4 means something else in a NitroTPM document")
    odd = compared(replace(good(), module_id="sandbox"))
    assert odd["habit.module-id"] == (Outcome.WARN, "the module id has an unknown form")
    assert odd["habit.instance-name"] == (Outcome.SKIP, "not checked: the module id has an unknown form")
    assert odd["habit.pcr4"] == (Outcome.SKIP, "not checked: the module id has an unknown form")
    assert odd["habit.serial"] == (Outcome.WARN, "the serial number has an unknown layout")
    assert odd["habit.times"] == (Outcome.SKIP, "not checked: the time of issue is not known")


def test_the_values_compared_are_shown() -> None:
    document = replace(good(), module_id=f"{OTHER}-enc0000000000000000", pcrs={4: b"\x01" * 48})
    checks = {check.id: check for check in habits.compare(document, Chain(links()))}
    told = {key: (check.detail, check.expected, check.actual) for key, check in checks.items()}
    assert told["habit.leaf-name"] == ("the leaf's name is another's", document.module_id, MODULE_ID)
    assert told["habit.instance-name"] == ("the instance CA's name is another's", OTHER, INSTANCE)
    assert told["habit.serial"] == (
        "the serial number holds another enclave's id",
        "0000000000000000",
        "019aa0b0c0d0e0f0",
    )
    pcr4 = hashlib.sha384(bytes(48) + OTHER.encode()).hexdigest()
    assert told["habit.pcr4"] == (f"PCR4 is not made from {OTHER}", pcr4, "01" * 48)
    absent = {check.id: check for check in habits.compare(replace(document, pcrs={}), Chain(links()))}["habit.pcr4"]
    assert (absent.detail, absent.expected, absent.actual) == ("the document has no PCR4", pcr4, None)
    odd = {c.id: c for c in habits.compare(good(), Chain(with_leaf(serial=0x1A_00000001_0000000A)))}["habit.serial"]
    assert (odd.detail, odd.actual) == ("the serial number has an unknown layout", "1a000000010000000a")
    form = habits.compare(replace(good(), module_id="sandbox"), Chain(links()))[0]
    assert form.actual == "sandbox"


def test_a_region_that_differs_is_told() -> None:
    chain = with_leaf(common_name=f"{MODULE_ID}.us-east-1.aws")
    assert compared(good(), chain)["habit.region"] == (
        Outcome.WARN,
        f"the certificates name {REGION}, {REGION}, {REGION}, us-east-1",
    )
    unnamed = with_leaf(common_name="leaf")
    assert compared(good(), unnamed)["habit.region"] == (
        Outcome.WARN,
        "a certificate's name does not say its region",
    )


@pytest.mark.parametrize(
    ("milliseconds", "launch", "detail"),
    [
        (0, 0, ""),
        (
            -1,
            0,
            "the document says 2026-11-20T09:59:59.999Z, before its certificate was issued at 2026-11-20T10:00:00Z",
        ),
        (0, 1000, ""),
        (
            0,
            1001,
            "the enclave id says launched at 2026-11-20T10:00:01.001Z, after the issue at 2026-11-20T10:00:00Z",
        ),
    ],
)
def test_launch_issue_and_document_follow_each_other(milliseconds: int, launch: int, detail: str) -> None:
    issue = int(SECOND.timestamp())
    enclave = f"{issue * 1000 + launch:012x}0000"
    document = replace(good(), module_id=f"{INSTANCE}-enc{enclave}", timestamp=issue * 1000 + milliseconds)
    chain = with_leaf(serial=int(f"{enclave}00000000{issue:08x}", 16))
    assert compared(document, chain)["habit.times"] == (Outcome.WARN if detail else Outcome.PASS, detail)
