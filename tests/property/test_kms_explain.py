"""What holds of every explanation: it never contradicts the decision, and a register that it names is another."""

from hypothesis import given
from hypothesis import strategies as st

from nitroctl import pcr
from nitroctl.kms import authorize
from nitroctl.kms.authorize import Policies, Verdict
from nitroctl.kms.document import Kind
from nitroctl.kms.explain import explain
from nitroctl.kms.explain_document import Presented
from nitroctl.kms.explain_reason import Bearing
from nitroctl.kms.request import Attested, Platform
from nitroctl.records import Ledger
from tests import records
from tests.kms_requests import KEY, OTHER, ROLE, ROOT, SESSION, identity, policy, request
from tests.property.test_kms_authorize import Members, statements

LEDGER = Ledger.of([records.active("a", pcrs={index: records.register("a") for index in (0, 1, 2)})])
attested = st.builds(
    Attested,
    platform=st.sampled_from(Platform),
    pcrs=st.dictionaries(
        st.sampled_from([0, 1, 2, 3, 4, 8, 16]),
        st.sampled_from([records.register("a"), records.register("b"), pcr.ZERO]),
        max_size=5,
    ),
    complete=st.just(True),
)


@given(
    st.lists(statements(), max_size=4),
    attested,
    st.sampled_from([ROLE, SESSION, ROOT, f"arn:aws:iam::{OTHER}:role/x"]),
    st.sampled_from(["kms:Decrypt", "kms:Encrypt", "kms:GenerateRandom"]),
    st.none() | st.lists(st.builds(identity, st.sampled_from(["Allow", "Deny"])), max_size=1),
)
def test_an_explanation_never_contradicts_the_decision(
    key: list[Members], document: Attested, who: str, action: str, iam: list[Members] | None
) -> None:
    policies = Policies(key=(policy(*key),), identity=None if iam is None else (policy(*iam, kind=Kind.IDENTITY),))
    asked = request(who, action, attested=document, key=KEY)
    found = explain(Presented(faults=(), attested=document), asked, policies, LEDGER)
    assert found.decision == authorize.decide(asked, policies)
    assert found.verdict is found.decision.verdict
    deciding = [each for each in found.reasons if each.bearing is Bearing.DECIDES]
    if found.verdict is Verdict.DENIED:
        assert deciding
        assert found.reasons[0] is deciding[0]
        assert found.sentence.startswith(f"no: {deciding[0].said}; ")
    if found.verdict is Verdict.ALLOWED:
        assert not deciding
    for reason in found.reasons:
        for each in reason.registers:
            assert each.value is None or each.value.hex() not in each.expected
