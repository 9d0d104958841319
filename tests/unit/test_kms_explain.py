"""Why KMS refuses: each reason from a call that is let in, by one change."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from nitroctl import pcr
from nitroctl.evidence import container
from nitroctl.evidence.document import Document
from nitroctl.evidence.document import parse as parse_document
from nitroctl.evidence.roots import AWS_ROOTS, from_pem
from nitroctl.kms import caller
from nitroctl.kms.authorize import Policies, Verdict
from nitroctl.kms.document import Kind
from nitroctl.kms.explain import Explanation, explain
from nitroctl.kms.explain_document import Presented, present
from nitroctl.kms.explain_reason import Bearing
from nitroctl.kms.grants import Grant
from nitroctl.kms.request import Attested, Platform, Request
from nitroctl.records import Entry, Ledger, Status
from tests import documents, explained, records
from tests.conftest import vectors
from tests.explained import ADMIN, UNATTESTED, allow, deny_all_but, document, tpm_document
from tests.kms_requests import AT, KEY, OTHER, PCR0, ROLE, ROOT, SESSION, identity, policy, statement

ONE, TWO = allow("1", "One"), allow("2", "Two")
GOOD = (ADMIN, ONE, TWO, UNATTESTED, deny_all_but("1", "2"))
ROOT_STATEMENT = statement(Sid="Root", Principal={"AWS": ROOT}, Action="kms:*")
ROOTS = (from_pem(documents.root().pem, where="root.pem"),)


def why(
    *statements: Mapping[str, Any],
    cbor: bytes | None = None,
    at: datetime = AT,
    iam: Sequence[Mapping[str, Any]] | None = (),
    grants: tuple[Grant, ...] | None = None,
    ledger: Ledger | None = None,
    who: str = ROLE,
    action: str = "kms:Decrypt",
    **changes: Any,
) -> Explanation:
    """Return the explanation of a call of the role with a document of version 1."""
    policies = Policies(
        key=(policy(*(statements or GOOD)),),
        identity=None if iam is None else (policy(*iam, kind=Kind.IDENTITY),),
        grants=grants,
    )
    presented = present(document() if cbor is None else cbor, where="doc.cbor", at=at, roots=ROOTS)
    given: dict[str, Any] = {"caller": caller.parse(who), "action": action, "at": at, "key": KEY}
    asked = Request(**(given | changes))
    return explain(presented, asked, policies, explained.ledger() if ledger is None else ledger)


def decisive(found: Explanation) -> list[str]:
    return [each.id for each in found.reasons if each.bearing is Bearing.DECIDES]


def first(found: Explanation) -> tuple[str, str]:
    return found.reasons[0].id, found.reasons[0].said


def test_what_is_allowed_is_said_to_be_with_what_could_still_be_wrong() -> None:
    found = why()
    assert (found.verdict, found.error, decisive(found)) == (Verdict.ALLOWED, "", [])
    assert [each.id for each in found.reasons] == [
        "explain.not-sent",
        "explain.other-policy",
        "explain.only-denies",
    ]
    assert found.sentence == (
        "yes: One (policy.json line 1) would allow it; if KMS refused, see first that the document was in the request"
    )
    assert found.reasons[0].said == (
        "the document may not have been in the request: without one KMS would refuse it in the same words"
    )
    assert [entry.id for entry in found.recorded] == ["signer-1@prod"]


# The document, before any policy ----------------------------------------------------------------------------------


def test_what_is_no_document_is_never_held_against_a_policy() -> None:
    found = why(cbor=b"\xd2\x84")
    assert (found.verdict, found.error, decisive(found)) == (
        Verdict.DENIED,
        "ValidationException",
        ["explain.authentic"],
    )
    assert found.decision is None
    assert found.request.attested is None


def test_a_changed_byte_is_not_authentic() -> None:
    changed = bytearray(document())
    changed[-1] ^= 1
    found = why(cbor=bytes(changed))
    assert first(found) == (
        "explain.authentic",
        (
            "doc.cbor is not an authentic attestation document: the signature is not this document's: it was changed,"
            " or another key signed it"
        ),
    )
    assert found.error == "ValidationException"


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (
            AT + timedelta(hours=4),
            (
                "doc.cbor was out of date: its certificates ended at 2026-11-20T13:00:00Z, the call was at"
                " 2026-11-20T14:00:00Z"
            ),
        ),
        (
            AT - timedelta(hours=4),
            "doc.cbor is from later than the call: its certificates begin at 2026-11-20T09:59:57Z",
        ),
    ],
    ids=["later", "before"],
)
def test_outside_its_period_a_document_is_refused_whatever_the_policy_says(at: datetime, said: str) -> None:
    found = why(at=at)
    assert first(found) == ("explain.lifetime", said)
    assert (found.verdict, found.error) == (Verdict.DENIED, "")  # AWS does not say which error it is
    assert found.decision is not None
    assert found.decision.verdict is Verdict.ALLOWED
    assert found.presented.authentic
    assert not found.presented.lasting


def test_an_old_document_of_a_wrong_image_has_both_reasons_and_the_first_one_first() -> None:
    found = why(cbor=document("3"), at=AT + timedelta(hours=4))
    assert [(each.id, each.bearing.value) for each in found.reasons] == [
        ("explain.lifetime", "decides"),
        ("explain.image", "also"),
    ]


def test_without_a_key_to_encrypt_to_nothing_can_be_answered() -> None:
    found = why(cbor=document(public_key=None))
    assert (found.verdict, found.error, decisive(found)) == (Verdict.DENIED, "", ["explain.public-key"])


def test_a_document_from_after_the_call_was_not_in_it() -> None:
    found = why(cbor=document(at=AT + timedelta(hours=1), issued=documents.AT), at=AT)
    assert found.reasons[0].said == "the document was made at 2026-11-20T11:00:00Z, after the call: it was not in it"


# The image --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seed", "reason", "said", "do"),
    [
        (
            "3",
            "explain.image",
            (
                "the image is signer-3@prod, candidate since 2026-11-20T10:00:00Z, and the policy does not name it: One"
                " (policy.json line 1) asks for that of signer-1@prod"
            ),
            (
                "make it active (nitroctl pcr rollout signer-3@prod), then write the policy again from the records"
                " (nitroctl kms generate) and put it on the key"
            ),
        ),
        (
            "0.9",
            "explain.image",
            (
                "the image is signer-0.9@prod, retired since 2026-11-20T10:00:00Z, and the policy does not name it: One"
                " (policy.json line 1) asks for that of signer-1@prod"
            ),
            "run signer-1@prod or signer-2@prod; a retired version is not let in again",
        ),
        (
            "0.8",
            "explain.revoked",
            (
                "the image is signer-0.8@prod, revoked since 2026-11-20T10:00:00Z: a key was in the image; it is meant"
                " to be refused"
            ),
            "run signer-1@prod or signer-2@prod",
        ),
        (
            "mine",
            "explain.image",
            (
                "the image is not recorded, and the policy does not name it: One (policy.json line 1) asks for that of"
                " signer-1@prod; nearest: 1 of 4 registers equal those of signer-2@prod; PCR0, PCR1, PCR2 differ"
            ),
            (
                "run a recorded image; or, if you built this one, record it (nitroctl pcr record) and write the policy"
                " again"
            ),
        ),
    ],
    ids=["candidate", "retired", "revoked", "unknown"],
)
def test_an_image_that_the_policy_does_not_name(seed: str, reason: str, said: str, do: str) -> None:
    found = why(cbor=document(seed))
    assert (found.reasons[0].id, found.reasons[0].said, found.reasons[0].do) == (reason, said, do)
    assert decisive(found) == [reason]  # the Deny of other images is no reason of its own
    assert [each.statement.label for each in found.reasons[0].statements] == ["One", "Images"]
    assert found.sentence == f"no: {said}; {do}"
    assert found.error == "AccessDeniedException"


def test_an_active_image_that_is_missing_in_the_policy() -> None:
    found = why(ADMIN, ONE, UNATTESTED, cbor=document("2"))
    assert found.reasons[0].said == (
        "the image is signer-2@prod, active since 2026-11-20T10:00:00Z, and the policy does not name it: One"
        " (policy.json line 1) asks for that of signer-1@prod"
    )
    [register] = found.reasons[0].registers
    assert (register.name, register.value, register.expected) == (
        "PCR0",
        records.pcrs("2")[0],
        (records.pcrs("1")[0].hex(),),
    )
    assert register.since is not None
    assert register.since.id == "signer-2@prod"


def test_without_records_the_register_is_named() -> None:
    found = why(cbor=document("3"), ledger=Ledger())
    assert first(found) == (
        "explain.image",
        "the policy does not name the image: One (policy.json line 1) asks for another PCR0",
    )


def test_debug_mode_is_one_reason_and_not_five() -> None:
    zeros = dict.fromkeys((0, 1, 2, 8), pcr.ZERO)
    found = why(cbor=document(changes=zeros))
    assert decisive(found) == ["explain.debug"]
    assert found.reasons[0].said == "the enclave ran in debug mode: its PCR0 and PCR8 are zero, whatever the image is"


def test_a_deny_of_zeros_is_told_as_debug_mode() -> None:
    zero = statement("Deny", Sid="Zero", Principal="*", Condition={"StringEquals": {PCR0: pcr.ZERO.hex()}})
    found = why(statement(Sid="Any"), zero, cbor=document(changes=dict.fromkeys((0, 1, 2), pcr.ZERO)))
    assert first(found) == (
        "explain.debug",
        "the enclave ran in debug mode, which Zero (policy.json line 1) denies: PCR0 is zero",
    )


def test_an_image_that_is_revoked_under_another_name_is_revoked() -> None:
    other = explained.entry(
        "9", Status.REVOKED, component="older", pcrs={**records.pcrs("3"), 8: explained.CERTIFICATE}
    )
    found = why(cbor=document("3"), ledger=Ledger.of([*explained.ledger(), other]))
    assert [entry.id for entry in found.recorded] == ["older-9@prod", "signer-3@prod"]
    assert decisive(found) == ["explain.revoked"]


def test_a_recorded_image_where_the_policy_names_none_that_is() -> None:
    found = why(ADMIN, allow("unheard of", "One"), cbor=document("2"))
    assert found.reasons[0].said == (
        "the image is signer-2@prod, active since 2026-11-20T10:00:00Z, and the policy does not name it: One"
        " (policy.json line 1) asks for another PCR0"
    )


def test_an_image_that_only_a_deny_asks_after() -> None:
    found = why(statement(Sid="Any", Principal={"AWS": f"{ROLE}-admin"}), deny_all_but("2"), cbor=document("3"))
    assert (found.reasons[0].id, found.reasons[0].statements[0].statement.sid) == ("explain.image", "Images")
    assert found.reasons[0].said.endswith(
        "the policy does not name it: Images (policy.json line 1) denies all but that of signer-2@prod"
    )


def test_an_image_of_a_nitrotpm() -> None:
    gate = {"StringEquals": {f"{explained.PREFIX}NitroTPMPCR4": records.register("other").hex()}}
    found = why(statement(Sid="Tpm", Condition=gate), cbor=tpm_document())
    assert first(found) == (
        "explain.image",
        "the image is not recorded, and the policy does not name it: Tpm (policy.json line 1) asks for another PCR4",
    )


def test_an_unsigned_image_that_is_not_named_has_both_reasons() -> None:
    found = why(ADMIN, ONE, cbor=document("3", {8: pcr.ZERO}))
    assert decisive(found) == ["explain.image", "explain.signer"]


def test_in_debug_mode_what_is_not_zero_is_a_reason_of_its_own() -> None:
    zeros = dict.fromkeys((0, 1, 2), pcr.ZERO)
    found = why(ADMIN, ONE, cbor=document(changes={**zeros, 3: pcr.for_role(f"{ROLE}-admin")}))
    assert decisive(found) == ["explain.debug", "explain.role"]
    assert [[each.name for each in reason.registers] for reason in found.reasons[:2]] == [["PCR0"], ["PCR3"]]


@pytest.mark.parametrize(
    ("entry", "do"),
    [
        (
            explained.entry("s", environment="staging"),
            (
                "run signer-1@prod or signer-2@prod; or, if it is meant for prod too: nitroctl pcr promote"
                " signer-s@staging --to prod"
            ),
        ),
        (
            explained.entry("s", Status.CANDIDATE, environment="staging"),
            (
                "run signer-1@prod or signer-2@prod; or, if it is meant for prod too: nitroctl pcr promote"
                " signer-s@staging --to prod"
            ),
        ),
        (explained.entry("s", component="other"), "run signer-1@prod or signer-2@prod; the key is not for other"),
        (
            explained.entry("s", Status.RETIRED, environment="staging"),
            "run signer-1@prod or signer-2@prod; a retired version is not let in again",
        ),
    ],
    ids=["environment", "candidate", "component", "retired"],
)
def test_an_image_of_another_environment_or_component_is_not_written_into_the_policy(entry: Entry, do: str) -> None:
    found = why(cbor=document("s"), ledger=Ledger.of([*explained.ledger(), entry]))
    assert (found.reasons[0].id, found.reasons[0].do) == ("explain.image", do)


def test_of_an_image_that_was_promoted_the_standing_is_that_where_the_policy_is_for() -> None:
    entries = [explained.entry("s", environment="staging"), explained.entry("s", Status.CANDIDATE)]
    found = why(cbor=document("s"), ledger=Ledger.of([*explained.ledger(), *entries]))
    assert found.reasons[0].said.startswith("the image is signer-s@prod, candidate since")
    assert found.reasons[0].do.startswith("make it active (nitroctl pcr rollout signer-s@prod)")


def test_while_an_allow_is_open_no_other_is_said_to_decide() -> None:
    found = why(ADMIN, allow("1", "One", Principal={"AWS": SESSION}))
    assert found.verdict is Verdict.UNDECIDED
    assert decisive(found) == []
    assert "what is certain" not in found.sentence


def test_of_a_policy_that_names_no_image_nobody_is_sent_to_another_role() -> None:
    found = why(ADMIN)
    assert decisive(found) == ["explain.not-allowed"]
    assert found.reasons[0].do == (
        "write the policy from the records, with a statement for each image: nitroctl kms generate"
    )


def test_an_image_that_is_named_by_some_registers_only_is_not_said_to_be_another() -> None:
    found = why(ADMIN, allow("1", "One", {1: records.pcrs("2")[1]}))
    assert first(found) == (
        "explain.image",
        (
            "the image is signer-1@prod, and the policy names it only in part: One (policy.json line 1) asks for the"
            " PCR1 of signer-2@prod"
        ),
    )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            pcr.ZERO,
            "PCR12 is not zero: a command line, credentials or extensions from outside the image were measured",
        ),
        (
            records.register("other"),
            "PCR12 is not what the policy asks for: kernel command line, credentials or extensions are others",
        ),
    ],
    ids=["zero", "other"],
)
def test_a_command_line_from_outside_is_no_image_to_record(asked: bytes, said: str) -> None:
    booted = {4: records.register("boot"), 12: records.register("init=/bin/sh")}
    names = {4: booted[4], 12: asked}
    gate = {"StringEquals": {f"{explained.PREFIX}NitroTPMPCR{index}": value.hex() for index, value in names.items()}}
    found = why(
        ADMIN, statement(Sid="T", Condition=gate), cbor=document(pcrs=booted, tpm=True, module=explained.TPM_MODULE)
    )
    assert first(found) == ("explain.register", said)
    assert decisive(found) == ["explain.register"]


def test_a_pattern_is_not_called_what_no_register_can_have() -> None:
    found = why(ADMIN, statement(Sid="S", Condition={"StringLike": {PCR0: "abc*"}}))
    value = records.pcrs("1")[0].hex()
    assert first(found) == (
        "explain.condition",
        f"S (policy.json line 1) asks for {PCR0} StringLike abc*, and the call has {value}",
    )


def test_a_register_that_no_version_has_is_not_dated() -> None:
    found = why(cbor=document(changes={8: records.register("another certificate")}))
    assert first(found) == ("explain.signer", "PCR8 is of another signing certificate than the policy asks for")


def test_what_may_be_zero_because_of_debug_mode_is_not_told_as_the_images_or_the_instances() -> None:
    zeros = dict.fromkeys((0, 1, 2, 8), pcr.ZERO)
    gate = {"StringEquals": {f"{explained.PREFIX}PCR8": explained.CERTIFICATE.hex()}}
    found = why(statement(Sid="Signed", Condition=gate), cbor=document(changes=zeros))
    assert first(found) == ("explain.debug", "the enclave ran in debug mode, for which its PCR8 may be zero")
    assert decisive(found) == ["explain.debug"]
    assert [each.statement.sid for each in found.reasons[0].statements] == ["Signed"]
    assert [each.name for each in found.reasons[0].registers] == ["PCR8"]


# Single registers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "asked", "reason", "said"),
    [
        (
            {3: pcr.ZERO},
            {},
            "explain.role",
            "PCR3 is zero: the parent instance had no role when the enclave was started",
        ),
        (
            {3: pcr.for_role(f"{ROLE}-admin")},
            {},
            "explain.role",
            f"PCR3, the parent instance's role, is that of {ROLE}-admin, and the policy asks for that of {ROLE}",
        ),
        (
            {3: pcr.for_role(f"{ROLE}-unheard-of")},
            {},
            "explain.role",
            (
                f"PCR3, the parent instance's role, is of another role, and the policy asks for that of {ROLE}, whose"
                " credentials made the call: they came from elsewhere, or the instance had another role when the"
                " enclave was started"
            ),
        ),
        (
            {},
            {4: pcr.for_instance("i-00000000000000001")},
            "explain.instance",
            (
                f"PCR4, the parent's instance id, is that of {documents.INSTANCE}, where the document was made, and the"
                " policy asks for another value"
            ),
        ),
        ({8: pcr.ZERO}, {}, "explain.signer", "PCR8 is zero: the image is not signed"),
        (
            {8: records.register("again")},
            {},
            "explain.signer",
            "PCR8 is of another signing certificate than the policy asks for",
        ),
        (
            {},
            {20: records.register("own")},
            "explain.absent",
            "PCR20 is not in the document: the enclave did not lock it",
        ),
        (
            {20: records.register("then")},
            {20: records.register("own")},
            "explain.register",
            "PCR20 (extended and locked by the enclave itself) is not what the policy asks for",
        ),
    ],
    ids=["no-role", "known-role", "other-role", "instance", "unsigned", "signer", "absent", "own"],
)
def test_a_register_beside_the_image(
    changes: dict[int, bytes], asked: dict[int, bytes], reason: str, said: str
) -> None:
    found = why(ADMIN, allow("1", "One", asked), UNATTESTED, cbor=document(changes=changes), ledger=Ledger())
    assert (decisive(found), found.reasons[0].said) == ([reason], said)


@pytest.mark.parametrize(
    ("index", "said", "do"),
    [
        (
            15,
            "PCR15 is not in the document",
            "ask for a register that such documents have",
        ),
        (
            16,
            "PCR16 is not in the document: the enclave did not lock it",
            "let the enclave extend and lock it before it asks for the document: only locked registers are attested",
        ),
    ],
    ids=["before", "first"],
)
def test_a_register_that_the_document_does_not_have(index: int, said: str, do: str) -> None:
    few = {number: value for number, value in explained.registers().items() if number < 15}
    presented = Presented(faults=(), attested=Attested(platform=Platform.ENCLAVE, pcrs=few, complete=True))
    asked = Request(caller=caller.parse(ROLE), action="kms:Decrypt", at=AT, key=KEY)
    policies = Policies(key=(policy(allow("1", "One", {index: records.register("own")})),), identity=())
    found = explain(presented, asked, policies, Ledger())
    assert [(each.id, each.said, each.do) for each in found.reasons[:1]] == [("explain.absent", said, do)]


def test_a_role_that_nobody_named_is_not_guessed_at() -> None:
    asked = allow("1", "One", {3: pcr.for_role(f"{ROLE}-nobody-names")})
    missing = why(asked, cbor=document(changes={3: pcr.ZERO}))
    assert missing.reasons[0].do == (
        "attach the role that the policy asks for to the instance, then start the enclave again"
    )
    assert why(asked).reasons[0].said == (
        f"PCR3, the parent instance's role, is that of {ROLE}, and the policy asks for another value"
    )


def test_the_callers_credentials_are_from_elsewhere_only_where_its_own_role_is_asked_for() -> None:
    asked = allow("1", "One", {3: pcr.for_role(f"{ROLE}-admin")})
    found = why(ADMIN, asked, cbor=document(changes={3: pcr.for_role(f"{ROLE}-unheard-of")}))
    assert found.reasons[0].said == (
        f"PCR3, the parent instance's role, is of another role, and the policy asks for that of {ROLE}-admin"
    )


def test_the_callers_role_is_known_where_no_policy_names_it() -> None:
    asked = allow("1", "One", Principal="*")
    by_role = why(ROOT_STATEMENT, asked, cbor=document(changes={3: pcr.ZERO}))
    assert by_role.reasons[0].do == f"attach {ROLE} to the instance, then start the enclave again"
    by_user = why(ROOT_STATEMENT, asked, cbor=document(changes={3: pcr.ZERO}), who=ROLE.replace(":role/", ":user/"))
    assert by_user.reasons[0].do == (
        "attach the role that the policy asks for to the instance, then start the enclave again"
    )


@pytest.mark.parametrize("module", [None, "i-0123456789abcdef0-somewhere"], ids=["another", "unknown"])
def test_an_instance_that_the_module_id_does_not_name_is_not_named(module: str | None) -> None:
    asked = allow("1", "One", {4: pcr.for_instance("i-00000000000000001")})
    changed = {4: pcr.for_instance("i-00000000000000002")} if module is None else {}
    presented = Presented(
        faults=(),
        attested=Attested(platform=Platform.ENCLAVE, pcrs=explained.registers(changes=changed), complete=True),
        document=replace(_parsed(), module_id=module or documents.module_id()),
    )
    request = Request(caller=caller.parse(ROLE), action="kms:Decrypt", at=AT, key=KEY)
    found = explain(presented, request, Policies(key=(policy(asked),), identity=()), Ledger())
    whose = "not that of the instance in the module id" if module is None else "of another instance"
    assert found.reasons[0].said == (
        f"PCR4, the parent's instance id, is {whose}, and the policy asks for another value"
    )


def _parsed() -> Document:
    found = parse_document(document()).document
    assert found is not None
    return found


def test_a_signer_that_changed_with_a_release_is_dated_by_it() -> None:
    new = records.register("new certificate")
    ledger = Ledger.of(
        [
            explained.entry("1"),
            explained.entry("2", recorded_at=AT + timedelta(days=1), pcrs={**records.pcrs("2"), 8: new}),
        ]
    )
    found = why(allow("2", "Two"), cbor=document("2", {8: new}), ledger=ledger)
    assert found.reasons[0].said == (
        "PCR8 is of another signing certificate than the policy asks for; it is so since signer-2@prod, recorded at"
        " 2026-11-21T10:00:00Z, and signer-1@prod was the last with a value that the policy asks for"
    )


def test_a_policy_for_enclaves_and_a_document_of_a_nitrotpm() -> None:
    found = why(ADMIN, ONE, cbor=tpm_document())
    assert first(found) == (
        "explain.platform",
        "One (policy.json line 1) asks for registers of an enclave, and the document is of a NitroTPM",
    )
    assert decisive(why(cbor=tpm_document())) == ["explain.platform"] * 3  # two Denies, and the Allow


@pytest.mark.parametrize(
    ("condition", "reason", "said"),
    [
        (
            {"StringEquals": {PCR0: records.pcrs("1")[0].hex().upper()}},
            "explain.value",
            (
                "S (policy.json line 1) asks for PCR0 in upper case, which StringEquals tells apart from the lower case"
                " that KMS is taken to use"
            ),
        ),
        (
            {"StringEquals": {PCR0: "ab" * 32}},
            "explain.value",
            (
                "S (policy.json line 1) asks PCR0 for what no register can have: 64 hexadecimal digits in place of 96,"
                " the length of SHA-256"
            ),
        ),
        (
            {"StringEquals": {"kms:RecipientAttestation": "x"}},
            "explain.unknown-key",
            "S (policy.json line 1) asks for kms:RecipientAttestation, which is no key of KMS and in no request",
        ),
        (
            {"Null": {PCR0: "true"}},
            "explain.condition",
            f"S (policy.json line 1) asks for {PCR0} Null true, and the call has {records.pcrs('1')[0].hex()}",
        ),
        (
            {"StringEquals": {"kms:EncryptionContext:app": "signer"}},
            "explain.context",
            (
                "S (policy.json line 1) asks for the encryption context app StringEquals signer, and the call has"
                " Signer; case counts"
            ),
        ),
        (
            {"StringEquals": {"kms:EncryptionContext:record": "7"}},
            "explain.context",
            "S (policy.json line 1) asks for the encryption context record StringEquals 7, and the call has none",
        ),
        (
            {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}},
            "explain.condition",
            (
                "S (policy.json line 1) asks for kms:ViaService StringEquals s3.eu-west-1.amazonaws.com, and the call"
                " does not have it"
            ),
        ),
    ],
    ids=["case", "length", "bare", "null", "context-case", "context", "via-service"],
)
def test_a_condition_that_does_not_hold(condition: dict[str, Any], reason: str, said: str) -> None:
    found = why(statement(Sid="S", Condition=condition), encryption_context={"app": "Signer"})
    assert (decisive(found), found.reasons[0].said) == ([reason], said)


# Who, what, which key ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "asked", "reason", "said"),
    [
        (
            {},
            {"who": f"{ROLE}-other"},
            "explain.principal",
            f"One (policy.json line 1) names {ROLE}, and the caller is {ROLE}-other",
        ),
        (
            {"Principal": {"AWS": "AROAEXAMPLE"}},
            {},
            "explain.principal",
            (
                "One (policy.json line 1) names AROAEXAMPLE, of which KMS shows only the id because it was deleted; the"
                f" caller is {ROLE}"
            ),
        ),
        (
            {},
            {"action": "kms:GenerateDataKey"},
            "explain.not-allowed",
            "no statement allows kms:GenerateDataKey: the nearest, One (policy.json line 1), is about kms:Decrypt",
        ),
        (
            {"Action": None},
            {},
            "explain.not-allowed",
            (
                "no statement allows kms:Decrypt: the nearest, One (policy.json line 1), has no Action, and so is about"
                " none"
            ),
        ),
        (
            {"Resource": f"{KEY}0"},
            {},
            "explain.resource",
            f"One (policy.json line 1) is about {KEY}0, not {KEY}",
        ),
        (
            {"Action": "kms:Encrypt"},
            {"action": "kms:Encrypt"},
            "explain.action",
            (
                "KMS takes no attestation document for kms:Encrypt, so what One (policy.json line 1) asks of one is"
                " never met"
            ),
        ),
    ],
    ids=["principal", "deleted", "action", "no-action", "resource", "unattested"],
)
def test_a_statement_that_is_about_others(
    changes: dict[str, Any], asked: dict[str, Any], reason: str, said: str
) -> None:
    found = why(ADMIN, allow("1", "One", **changes), **asked)
    assert (decisive(found), found.reasons[0].said) == ([reason], said)


def test_of_several_statements_the_one_that_names_the_image_was_meant() -> None:
    other = allow("2", "Other", Principal={"AWS": f"{ROLE}-other"})
    found = why(ADMIN, ONE, other, cbor=document("2"))
    assert first(found) == (
        "explain.principal",
        f"Other (policy.json line 1) names {ROLE}-other, and the caller is {ROLE}",
    )


def test_the_statement_of_which_least_does_not_fit_was_meant() -> None:
    signed_elsewhere = document(changes={8: records.register("again")})
    both = allow("1", "Both", {3: records.register("elsewhere")})
    assert why(both, ONE, cbor=signed_elsewhere).reasons[0].statements[0].statement.sid == "One"
    alone = statement(Sid="Alone", Condition={"StringEquals": {PCR0: records.pcrs("2")[0].hex()}})
    assert why(alone, ONE, cbor=document("3")).reasons[0].statements[0].statement.sid == "One"  # more of it fits


def test_a_statement_of_an_iam_policy_is_never_the_one_that_was_meant() -> None:
    found = why(ADMIN, iam=[identity(Sid="Mine", Action="kms:Encrypt")])
    assert {each.statement.sid for reason in found.reasons for each in reason.statements} == {"Admin"}


def test_names_are_listed_to_the_third() -> None:
    names = [f"arn:aws:iam::111122223333:role/{number}" for number in range(3)]
    assert why(allow("1", "One", Principal={"AWS": names})).reasons[0].said == (
        f"One (policy.json line 1) names {names[0]}, {names[1]} and {names[2]}, and the caller is {ROLE}"
    )


def test_a_statement_for_services_is_not_what_an_attested_call_was_meant_to_go_by() -> None:
    service = statement(Sid="S3", Principal="*", Condition={"StringEquals": {"kms:ViaService": "s3.amazonaws.com"}})
    assert why(service, ONE, cbor=document("3")).reasons[0].statements[0].statement.sid == "One"


@pytest.mark.parametrize(
    ("action", "also"),
    [("kms:GenerateRandom", "; conditions on registers work there as well"), ("kms:ListKeys", "")],
)
def test_what_uses_no_key_is_not_the_key_policys_to_give(action: str, also: str) -> None:
    found = why(action=action)
    assert (found.error, decisive(found)) == ("AccessDeniedException", ["explain.keyless"])
    assert found.reasons[0].do == f"allow {action} in an IAM policy of the role{also}"


def test_a_policy_without_an_allow() -> None:
    assert decisive(why(statement("Deny", Action="kms:PutKeyPolicy"))) == ["explain.nothing"]


# Denies -----------------------------------------------------------------------------------------------------------


def test_a_deny_of_an_earlier_release_is_told_as_left_over() -> None:
    found = why(ONE, TWO, deny_all_but("2"))
    assert first(found) == (
        "explain.stale-deny",
        (
            "Images (policy.json line 1) seems left over: by PCR0 it denies all but signer-2@prod, and One (policy.json"
            " line 1) lets this image (signer-1@prod) in"
        ),
    )
    assert decisive(found) == ["explain.stale-deny"]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({}, f"No (policy.json line 1) denies kms:Decrypt to {ROLE}, whatever it attests"),
        (
            {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
            f"No (policy.json line 1) denies kms:Decrypt to {ROLE}, by its condition on aws:SecureTransport Bool",
        ),
        (
            {"Condition": {"StringEquals": {PCR0: records.pcrs("1")[0].hex()}}},
            "No (policy.json line 1) denies the registers that this document has",
        ),
    ],
    ids=["always", "condition", "image"],
)
def test_an_explicit_deny(condition: dict[str, Any], said: str) -> None:
    found = why(ONE, statement("Deny", Sid="No", **condition))
    assert (decisive(found), found.reasons[0].said) == (["explain.deny"], said)


def test_a_deny_on_a_key_that_kms_does_not_have_denies_everything() -> None:
    bare = statement("Deny", Sid="Bare", Condition={"Null": {"kms:RecipientAttestation": "true"}})
    assert first(why(ONE, bare)) == (
        "explain.unknown-key",
        "Bare (policy.json line 1) goes by kms:RecipientAttestation, which is no key of KMS and in no request",
    )


def test_a_deny_of_what_does_not_lock_a_register() -> None:
    locked = statement("Deny", Sid="Locked", Condition={"Null": {f"{explained.PREFIX}PCR16": "true"}})
    assert decisive(why(ONE, locked)) == ["explain.absent"]


def test_a_deny_in_an_iam_policy_is_said_to_be_there() -> None:
    found = why(iam=[identity("Deny", Sid="Stop")])
    assert first(found) == (
        "explain.deny",
        f"an IAM policy of the caller, Stop (policy.json line 1) denies kms:Decrypt to {ROLE}, whatever it attests",
    )


@pytest.mark.parametrize(
    ("condition", "reason"),
    [({"Null": {PCR0: "true"}}, "explain.action"), ({}, "explain.deny")],
    ids=["registers", "plain"],
)
def test_a_deny_of_an_action_that_takes_no_document(condition: dict[str, Any], reason: str) -> None:
    deny = statement("Deny", Sid="No", Action="kms:*", Condition=condition)
    found = why(statement(Sid="Any", Action="kms:Encrypt"), deny, action="kms:Encrypt")
    assert decisive(found) == [reason]
    assert [each.statement.sid for each in found.reasons[0].statements] == ["No"]


def test_a_deny_of_whoever_attests_is_told_by_its_condition() -> None:
    found = why(ONE, statement("Deny", Sid="No", Condition={"Null": {PCR0: "false"}}))
    assert first(found) == (
        "explain.deny",
        f"No (policy.json line 1) denies kms:Decrypt to {ROLE}, by its condition on {PCR0} Null",
    )


def test_a_deny_of_a_revoked_image_is_told_as_that() -> None:
    gate = {"StringEquals": {PCR0: records.pcrs("0.8")[0].hex()}}
    found = why(statement(Sid="Any"), statement("Deny", Sid="Gone", Condition=gate), cbor=document("0.8"))
    assert first(found) == (
        "explain.revoked",
        "the image is signer-0.8@prod, which was revoked and which Gone (policy.json line 1) denies",
    )


def test_a_deny_of_a_register_of_a_nitrotpm() -> None:
    gate = {"StringEquals": {f"{explained.PREFIX}NitroTPMPCR4": records.register("boot").hex()}}
    found = why(statement(Sid="Any"), statement("Deny", Sid="Boot", Condition=gate), cbor=tpm_document())
    assert decisive(found) == ["explain.deny"]


def test_a_deny_for_enclaves_that_does_not_except_a_nitrotpm() -> None:
    found = why(statement(Sid="Any"), UNATTESTED, cbor=tpm_document())
    assert first(found) == (
        "explain.platform",
        "Unattested (policy.json line 1) denies what has no register of an enclave, and the document is of a NitroTPM",
    )
    tpm = statement("Deny", Sid="Tpm", Condition={"Null": {f"{explained.PREFIX}NitroTPMPCR4": "true"}})
    assert why(statement(Sid="Any"), tpm).reasons[0].said == (
        "Tpm (policy.json line 1) denies what has no register of a NitroTPM, and the document is of an enclave"
    )


def test_a_deny_that_is_left_over_names_its_registers_also_without_records() -> None:
    found = why(ONE, deny_all_but("2"), ledger=Ledger())
    assert found.reasons[0].said == (
        "Images (policy.json line 1) seems left over: by PCR0 it denies all but others that are not recorded, and One"
        " (policy.json line 1) lets this image in"
    )
    assert [each.name for each in found.reasons[0].registers] == ["PCR0"]


GENERATE = (
    "if the image is meant to have the key, write the policy again from the records (nitroctl kms generate), which"
    " writes such Denies anew"
)


def test_nobody_is_told_to_take_a_deny_out() -> None:
    assert why(ONE, TWO, deny_all_but("2")).reasons[0].do == GENERATE


def by(index: int, value: bytes) -> dict[str, Any]:
    condition = {"StringNotEqualsIgnoreCase": {f"{explained.PREFIX}PCR{index}": value.hex()}}
    return statement("Deny", Sid="Only", Principal="*", Condition=condition)


ONE_PCR0 = records.pcrs("1")[0].hex()


def like(*values: str) -> dict[str, Any]:
    return statement(Sid="Like", Condition={"StringLike": {PCR0: list(values)}})


def test_a_deny_of_an_iam_policy_that_is_left_over_is_that_policys_to_change() -> None:
    found = why(ONE, iam=[identity("Deny", Sid="Old", Condition={"StringNotEquals": {PCR0: "cd" * 48}})])
    assert decisive(found) == ["explain.stale-deny"]
    assert (found.reasons[0].said, found.reasons[0].do) == (
        (
            "an IAM policy of the caller, Old (policy.json line 1) seems left over: by PCR0 it denies all but others"
            " that are not recorded, and One (policy.json line 1) lets this image (signer-1@prod) in"
        ),
        (
            "if the image is meant to have the key, change that Deny in the caller's IAM policy: a new key policy"
            " (nitroctl kms generate) does not"
        ),
    )


def test_a_deny_of_an_iam_policy_that_is_the_gate_is_told_where_it_stands() -> None:
    other = {"StringNotEquals": {PCR0: "cd" * 48}}
    again = "write the policy again from the records (nitroctl kms generate) and put it on the key"
    anywhere = statement(Sid="Any")
    mine = why(anywhere, statement("Deny", Principal="*", Condition=other)).reasons[0]
    assert (mine.id, mine.do) == ("explain.image", again)
    theirs = why(anywhere, iam=[identity("Deny", Condition=other)]).reasons[0]
    assert (theirs.id, theirs.do) == (
        "explain.image",
        f"{again}; that Deny stands in an IAM policy of the caller, and is changed there",
    )


@pytest.mark.parametrize(
    ("allowed", "deny", "seed", "reasons"),
    [
        # The Allow names no image: the Deny is the gate, and does its work.
        (statement(Sid="Any"), deny_all_but("2"), "3", ["explain.image"]),
        (statement(Sid="Any", Condition={"Null": {PCR0: "false"}}), deny_all_but("2"), "3", ["explain.image"]),
        (
            statement(Sid="Any", Condition={"StringNotEquals": {PCR0: "0" * 96}}),
            deny_all_but("2"),
            "3",
            ["explain.image"],
        ),
        (statement(Sid="Any", Condition={"StringLike": {PCR0: "*"}}), deny_all_but("2"), "1", ["explain.image"]),
        (like(f"{ONE_PCR0[:90]}*"), deny_all_but("2"), "1", ["explain.image"]),
        (like(f"{ONE_PCR0[:95]}?", "c" * 96), deny_all_but("2"), "1", ["explain.image"]),
        # A pattern without a wildcard is the register.
        (like(ONE_PCR0), deny_all_but("2"), "1", ["explain.stale-deny"]),
        (like("*", ONE_PCR0), deny_all_but("2"), "1", ["explain.stale-deny"]),
        (
            statement(Sid="Any", Condition={"StringEqualsIgnoreCase": {PCR0: ["c" * 96, ONE_PCR0.upper()]}}),
            deny_all_but("2"),
            "1",
            ["explain.stale-deny"],
        ),
        # It names the image, and the Deny goes by something else.
        (ONE, by(5, b"x" * 48), "1", ["explain.register"]),
        (allow("1", "One", {4: pcr.for_instance(documents.INSTANCE)}), by(16, b"x" * 48), "1", ["explain.absent"]),
        # It names what the Deny goes by.
        (ONE, by(8, b"x" * 48), "1", ["explain.stale-deny"]),
        (ONE, by(1, b"x" * 48), "1", ["explain.stale-deny"]),
        (statement(Sid="Any"), by(8, b"x" * 48), "1", ["explain.signer"]),
        # What an Allow should not have named.
        (allow("0.8", "Gone"), deny_all_but("2"), "0.8", ["explain.revoked"]),
    ],
    ids=[
        "no image",
        "any image",
        "all images but one",
        "whatever image",
        "the beginning of an image",
        "most of an image, or another",
        "an image as a pattern",
        "an image or a pattern",
        "one of two images in upper case",
        "another register",
        "a register that is not there",
        "the signer",
        "the image by another register",
        "a signer and no image",
        "revoked",
    ],
)
def test_a_deny_is_left_over_only_where_an_allow_names_what_it_denies(
    allowed: dict[str, Any], deny: dict[str, Any], seed: str, reasons: list[str]
) -> None:
    found = why(allowed, deny, cbor=document(seed))
    assert found.verdict is Verdict.DENIED
    assert decisive(found) == reasons
    assert "left over" in found.sentence if reasons == ["explain.stale-deny"] else "left over" not in found.sentence


def test_a_deny_of_zeros_that_an_allow_names_is_told_as_debug_mode() -> None:
    zeros = dict.fromkeys((0, 1, 2, 8), pcr.ZERO)
    found = why(allow("1", "Zeros", {0: pcr.ZERO, 8: pcr.ZERO}), deny_all_but("2"), cbor=document("1", zeros))
    assert decisive(found) == ["explain.debug"]


# Other ways -------------------------------------------------------------------------------------------------------


def test_what_the_account_would_decide_is_open_without_its_policies() -> None:
    found = why(ROOT_STATEMENT, ONE, cbor=document("3"), iam=None)
    assert (found.verdict, found.error) == (Verdict.UNDECIDED, "")
    assert [(each.id, each.bearing.value) for each in found.reasons] == [
        ("explain.image", "decides"),
        ("explain.iam", "possible"),
        ("explain.not-sent", "possible"),
    ]
    assert found.sentence.startswith(
        "not decided: it depends on the IAM policies of the caller, which were not given; what is certain: the image"
        " is signer-3@prod"
    )


def test_iam_policies_that_do_not_allow_it_decide_only_where_nothing_else_was_meant_to() -> None:
    alone = why(ROOT_STATEMENT, ADMIN)
    assert first(alone) == (
        "explain.iam",
        "Root (policy.json line 1) lets the account's IAM policies decide, and none that was given allows it",
    )
    assert decisive(alone) == ["explain.iam"]
    beside = why(ROOT_STATEMENT, ONE, cbor=document("3"))
    assert [(each.id, each.bearing.value) for each in beside.reasons[:2]] == [
        ("explain.image", "decides"),
        ("explain.iam", "also"),
    ]


def test_an_iam_policy_is_worth_nothing_without_the_accounts_statement() -> None:
    found = why(ONE, cbor=document("3"), iam=[identity(Sid="Mine")])
    assert [(each.id, each.said) for each in found.reasons if each.bearing is Bearing.ALSO] == [
        (
            "explain.iam",
            (
                "Mine (policy.json line 1) of the caller's IAM policies allows it, but no statement of the key policy"
                " lets the account's IAM policies decide"
            ),
        )
    ]


def test_a_caller_of_another_account_needs_its_own_accounts_leave() -> None:
    who = f"arn:aws:iam::{OTHER}:role/signer"
    found = why(allow("1", "One", Principal={"AWS": who}), who=who)
    assert (decisive(found), found.reasons[0].said) == (
        ["explain.account"],
        (
            f"the key is of the account 111122223333 and the caller of {OTHER}: One (policy.json line 1) lets it in,"
            " and none of the caller's IAM policies allows it as well"
        ),
    )


def test_of_what_is_refused_whatever_is_open_the_reason_decides() -> None:
    who = f"arn:aws:iam::{OTHER}:role/x"
    open_ = statement(Sid="Maybe", Principal="*", Condition={"Null": {PCR0: []}})
    found = why(statement(), open_, who=who)
    assert (found.verdict, decisive(found)) == (Verdict.DENIED, ["explain.account"])
    assert found.reasons[0].said == (
        f"the key is of the account 111122223333 and the caller of {OTHER}: Maybe (policy.json line 1) may let it in,"
        " and none of the caller's IAM policies allows it as well"
    )


def test_of_what_the_account_may_decide_its_policies_are_the_reason() -> None:
    root = ROOT_STATEMENT | {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}
    found = why(root)
    assert (found.verdict, first(found)) == (
        Verdict.DENIED,
        (
            "explain.iam",
            "Root (policy.json line 1) may let the account's IAM policies decide, and none that was given allows it",
        ),
    )


@pytest.mark.parametrize(
    ("grant", "said"),
    [
        (
            Grant(id="g-1", grantee=ROLE, operations=("Encrypt",)),
            "the grant g-1 is for Encrypt, not kms:Decrypt",
        ),
        (
            Grant(id="g-1", grantee=ROLE, operations=("Decrypt",), equals={"a": "1"}),
            "the grant g-1 asks for another encryption context than the call has",
        ),
    ],
    ids=["operation", "context"],
)
def test_a_grant_that_does_not_allow_it_either(grant: Grant, said: str) -> None:
    found = why(ONE, cbor=document("3"), grants=(grant, Grant(id="g-2", grantee=f"{ROLE}-x", operations=("Decrypt",))))
    assert [each.said for each in found.reasons if each.bearing is Bearing.ALSO] == [said]


def test_a_grant_that_allows_it_is_what_it_is_allowed_by() -> None:
    found = why(ONE, cbor=document("3"), grants=(Grant(id="g-1", grantee=ROLE, operations=("Decrypt",)),))
    assert found.sentence.startswith("yes: a grant would allow it")
    assert found.without.verdict is Verdict.ALLOWED


def test_a_grant_to_another_account_is_told_with_the_iam_policy_that_it_takes() -> None:
    who = f"arn:aws:iam::{OTHER}:role/x"
    grant = Grant(id="g-1", grantee=who, operations=("Decrypt",))
    found = why(ONE, who=who, iam=[identity(Sid="Mine")], grants=(grant,))
    assert found.sentence.startswith("yes: a grant and Mine (policy.json line 1) would allow it")


def test_texts_of_a_policy_are_bounded_in_a_sentence() -> None:
    names = [f"arn:aws:iam::111122223333:role/{number}" for number in range(500)]
    found = why(allow("1", "One", Principal={"AWS": [*names, "x" * 5000]}))
    assert found.reasons[0].said == (
        f"One (policy.json line 1) names {', '.join(names[:3])} and 498 more, and the caller is {ROLE}"
    )
    assert len(why(allow("1", "One", Principal={"AWS": "x" * 5000})).sentence) < 1000


# Documents that AWS signed ----------------------------------------------------------------------------------------


def test_every_document_that_aws_signed_reaches_the_policy_and_no_changed_one_does() -> None:
    for path in sorted(vectors("attestation").glob("*.cbor")):
        cbor = container.unwrap(path.read_bytes()).cbor
        parsed = parse_document(cbor).document
        at = parsed.time if parsed else AT
        presented = present(cbor, where=path.name, at=at, roots=AWS_ROOTS)
        asked = Request(caller=caller.parse(ROLE), action="kms:Decrypt", at=at, key=KEY)
        found = explain(presented, asked, Policies(key=(policy(*GOOD),)), explained.ledger())
        genuine = path.name.startswith(("real-", "tpm-"))
        assert (found.decision is not None) is genuine, path.name
        assert found.verdict is Verdict.DENIED, path.name
        assert (found.reasons[0].id == "explain.authentic") is not genuine, path.name
