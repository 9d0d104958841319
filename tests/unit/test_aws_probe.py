"""Asking KMS for data without attestation: nothing is asked that botocore cannot ask as a dry run."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from nitroctl import aws
from nitroctl.aws import probe
from nitroctl.errors import CannotAnswer
from nitroctl.kms.live import LiveKey
from nitroctl.kms.verify import Said
from tests.fakes.kms import KEY, Kms
from tests.kms_live import A, good


@pytest.fixture
def live(kms_service: Kms) -> LiveKey:
    kms_service.create(good(A))
    return aws.keys.read(KEY)


def old_botocore(monkeypatch: pytest.MonkeyPatch, *members: str) -> None:
    """Let botocore's Decrypt have no other members than these."""
    shape = SimpleNamespace(input_shape=SimpleNamespace(members=dict.fromkeys(members)))
    meta = SimpleNamespace(service_model=SimpleNamespace(operation_model=lambda _: shape))
    monkeypatch.setattr(probe, "client", lambda *_: SimpleNamespace(meta=meta))


def test_what_is_refused_is_told_for_each_operation(live: LiveKey) -> None:
    found = probe.unattested(live, ("Decrypt", "GenerateDataKey"), {}, None)
    assert [(each.operation, each.said, each.error) for each in found] == [
        ("Decrypt", Said.REFUSED, None),
        ("GenerateDataKey", Said.REFUSED, None),
    ]


@pytest.mark.parametrize(
    ("members", "ciphertext"),
    [(("KeyId", "DryRun"), None), (("KeyId",), b"x"), (("KeyId",), None)],
    ids=["no-modifier", "no-dry-run", "neither"],
)
def test_an_old_botocore_asks_nothing_that_would_be_done(
    live: LiveKey, kms_service: Kms, monkeypatch: pytest.MonkeyPatch, members: Any, ciphertext: bytes | None
) -> None:
    old_botocore(monkeypatch, *members)
    before = len(kms_service.requests)
    with pytest.raises(CannotAnswer) as caught:
        probe.unattested(live, ("GenerateDataKey", "Decrypt"), {}, ciphertext)
    assert caught.value.code == "kms.no-dry-run"
    assert len(kms_service.requests) == before


def test_of_a_key_without_such_operations_nothing_is_asked(live: LiveKey, kms_service: Kms) -> None:
    before = len(kms_service.requests)
    assert probe.unattested(replace(live, usage="SIGN_VERIFY"), (), {}, None) == ()
    assert len(kms_service.requests) == before
