"""Nothing that is remembered changes an answer, whatever came before, and whoever computes."""

import contextlib
import itertools
import random
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from nitroctl.checks import Outcome, Report
from nitroctl.errors import CannotAnswer
from nitroctl.evidence import backend, certificate, remembered
from nitroctl.evidence.der import parts
from nitroctl.evidence.document import parse
from nitroctl.evidence.roots import AWS_ROOTS
from nitroctl.evidence.verify import verify
from nitroctl.standin.lab import CASES
from nitroctl.standin.lab_change import Change, accepted, flip, good_chain, make, other_chain, root
from tests.conftest import VECTORS, vectors

#: name, document, whether the strict profile, the instant (None: its own)
Judged = tuple[str, bytes, bool, datetime | None]


def everything() -> list[Judged]:
    """Every document of the lab and, where they are, every shared vector."""
    found: list[Judged] = [(case.name, case.build(), case.strict, case.at) for case in CASES]
    for directory in ("attestation", "nitrotpm"):
        found += [(path.name, path.read_bytes(), False, None) for path in sorted((VECTORS / directory).glob("*.cbor"))]
    return found


@pytest.fixture(scope="module")
def documents() -> list[Judged]:
    return everything()


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    remembered.forget()
    yield
    remembered.forget()


def answer(judged: Judged) -> Report:
    _, document, strict, at = judged
    parsed = parse(document, strict=strict)
    own = parsed.document.time if parsed.document else datetime(2026, 1, 1, tzinfo=UTC)
    return verify(parsed, (*AWS_ROOTS, *accepted()), at=at or own).report


def test_every_report_is_the_same_with_nothing_remembered(documents: list[Judged]) -> None:
    with remembered.nothing():
        alone = {judged: answer(judged) for judged in documents}
    shuffled = documents * 2
    random.Random(3).shuffle(shuffled)
    assert [judged[0] for judged in shuffled if answer(judged) != alone[judged]] == []
    assert len({report.verdict for report in alone.values()}) == 2


def test_the_vectors_are_among_them(documents: list[Judged]) -> None:
    vectors("attestation")
    assert len(documents) > len(CASES) + 70


def test_with_nothing_remembered_nothing_is_kept() -> None:
    with remembered.nothing():
        answer(("good", make(), False, None))
    assert certificate.load.answers.cache_info().currsize == 0
    answer(("good", make(), False, None))
    assert certificate.load.answers.cache_info().currsize == 5


def test_a_memory_keeps_the_last_answers_until_it_is_told_to_forget() -> None:
    calls: list[int] = []

    @remembered.remembered(2)
    def doubled(number: int) -> int:
        """Double."""
        calls.append(number)
        return 2 * number

    assert [doubled(number) for number in (1, 1, 2, 1, 3, 1)] == [2, 2, 4, 2, 6, 2]
    assert calls == [1, 2, 3]
    assert doubled(2) == 4
    assert calls == [1, 2, 3, 2]
    with remembered.nothing():
        assert doubled(2) == 4
        with remembered.nothing():
            assert doubled(2) == 4
        assert doubled(2) == 4
    assert calls == [1, 2, 3, 2, 2, 2, 2]
    with pytest.raises(ZeroDivisionError), remembered.nothing():
        _ = 1 / 0
    assert doubled(2) == 4
    assert calls == [1, 2, 3, 2, 2, 2, 2]
    remembered.forget()
    assert doubled(2) == 4
    assert calls == [1, 2, 3, 2, 2, 2, 2, 2]
    assert (doubled.__name__, doubled.__doc__) == ("doubled", "Double.")  # type: ignore[attr-defined]  # copied


def test_a_no_is_remembered_for_its_own_bytes_only() -> None:
    regional, wrong = good_chain()[1].der, other_chain(same_name=True)[0].der
    for _ in range(2):
        assert certificate.signed_by(wrong, regional) is False
        assert certificate.signed_by(root().der, regional) is True


def test_what_is_remembered_is_bounded() -> None:
    for size in (certificate.load.answers.cache_info().maxsize, certificate.signed_by.answers.cache_info().maxsize):
        assert size is not None
        assert size <= 1024


def test_a_period_is_judged_anew_for_what_is_remembered() -> None:
    document = make()
    for days, passed in ((0, True), (400, False), (0, True), (-400, False)):
        parsed = parse(document)
        assert parsed.document is not None
        at = parsed.document.time + timedelta(days=days)
        assert verify(parsed, accepted(), at=at).report.passed is passed


def test_the_parts_of_a_certificate_are_those_the_library_finds(documents: list[Judged]) -> None:
    chains = [parsed.chain for judged in documents if (parsed := parse(judged[1]).document)]
    compared = 0
    for der in {der for chain in chains for der in chain}:
        try:
            certificate.load(der)
        except certificate.CertificateFault:
            continue
        found, library = parts(der), x509.load_der_x509_certificate(der)
        assert found.signed == library.tbs_certificate_bytes
        assert found.subject == library.subject.public_bytes()
        assert found.issuer == library.issuer.public_bytes()
        if certificate.load(der).verifier:
            spki = library.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            assert found.public_key == spki
            compared += 1
    assert compared > 20


def test_aws_lc_gives_the_same_report_for_every_document(
    documents: list[Judged], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("awscrt", reason="the optional package awscrt is absent")
    assert backend.name() == "cryptography"
    expected = {judged: answer(judged) for judged in documents}
    remembered.forget()
    monkeypatch.setenv("NITROCTL_CRYPTO", "awscrt")
    assert [judged[0] for judged in documents if answer(judged) != expected[judged]] == []


def test_what_the_library_takes_for_a_certificate_encodes_to_itself() -> None:
    """The parts are cut out of the bytes by their lengths alone: two ways to write one certificate would be a hole."""
    taken = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for der in (identity.der for identity in good_chain()):
            for at, bit in itertools.product(range(len(der)), (0, 2, 5, 7)):
                changed = flip(der, at, bit)
                with contextlib.suppress(ValueError, x509.InvalidVersion):
                    assert x509.load_der_x509_certificate(changed).public_bytes(Encoding.DER) == changed
                    taken += 1
    assert taken > 5000


class Key:
    """What ``awscrt.crypto.EC`` is to us: a key from a SubjectPublicKeyInfo, which judges digests."""

    yes: object = True

    def __init__(self, spki: bytes) -> None:
        key = load_der_public_key(spki)
        assert isinstance(key, ec.EllipticCurvePublicKey)
        self.key = key

    def verify(self, digest: bytes, signature: bytes) -> object:
        try:
            self.key.verify(signature, digest, ec.ECDSA(Prehashed(hashes.SHA384())))
        except InvalidSignature:
            return False
        return self.yes


@pytest.fixture
def asked_for_aws_lc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What stands in for the package awscrt is the only one that can verify."""
    module = SimpleNamespace(EC=SimpleNamespace(new_key_from_der_data=Key))
    monkeypatch.setitem(sys.modules, "awscrt", module)
    monkeypatch.setitem(sys.modules, "awscrt.crypto", module)
    monkeypatch.setenv("NITROCTL_CRYPTO", "awscrt")
    monkeypatch.setattr(backend, "_cryptography", None)
    backend._awscrt_key.cache_clear()
    yield
    backend._awscrt_key.cache_clear()


@pytest.mark.usefixtures("asked_for_aws_lc")
def test_who_is_asked_for_judges_every_signature() -> None:
    good = make()
    assert answer(("good", good, False, None)).passed
    for change in (Change(signature=flip), Change(signature=lambda _: bytes(96))):
        report = answer(("bad", make(change), False, None))
        assert [check.id for check in report.having(Outcome.FAIL)] == ["cose.signature"]
    assert not certificate.signed_by(other_chain(same_name=True)[0].der, good_chain()[1].der)


@pytest.mark.usefixtures("asked_for_aws_lc")
def test_only_true_is_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Key, "yes", 1)
    failed = [check.id for check in answer(("good", make(), False, None)).having(Outcome.FAIL)]
    assert failed == ["chain.signatures", "cose.signature"]


def test_aws_lc_is_not_replaced_in_silence_where_it_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> None:
        raise ImportError

    monkeypatch.setenv("NITROCTL_CRYPTO", "awscrt")
    monkeypatch.setattr("importlib.import_module", absent)
    backend._awscrt_key.cache_clear()
    with pytest.raises(CannotAnswer) as caught:
        answer(("good", make(), False, None))
    assert caught.value.code == "evidence.crypto"
    assert caught.value.message == "NITROCTL_CRYPTO=awscrt: the package awscrt is not installed"
    assert list(caught.value.hints) == ["pip install 'nitroctl[fast]'", "or leave NITROCTL_CRYPTO out"]


def test_another_library_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITROCTL_CRYPTO", "openssl")
    with pytest.raises(CannotAnswer) as caught:
        answer(("good", make(), False, None))
    assert caught.value.code == "evidence.crypto"
    assert caught.value.message == "NITROCTL_CRYPTO: there is no 'openssl'"
    assert list(caught.value.hints) == ["leave it out, or set it to awscrt"]


@pytest.mark.parametrize("wanted", ["", "cryptography"])
def test_who_computes_when_nobody_else_is_asked_for(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITROCTL_CRYPTO", wanted)
    assert backend.name() == "cryptography"
