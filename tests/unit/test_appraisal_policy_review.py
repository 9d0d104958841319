"""A policy in words, where no command's whole output shows them."""

import pytest

from nitroctl.appraisal import policy_file
from nitroctl.appraisal.policy_review import words
from nitroctl.appraisal.policy_text import Text
from nitroctl.evidence.roots import AWS_ROOTS

FIRST, SECOND = AWS_ROOTS
OTHER = "ab" * 32


@pytest.mark.parametrize(
    ("roots", "said"),
    [
        ([FIRST.fingerprint], f"{FIRST.name}, SHA-256 {FIRST.fingerprint}"),
        ([SECOND.fingerprint], f"{SECOND.name}, SHA-256 {SECOND.fingerprint}"),
        ([OTHER], f"with --root, the one, SHA-256 {OTHER}"),
    ],
    ids=["aws", "govcloud", "another"],
)
def test_a_root_is_named_when_it_is_one_of_awss(roots: list[str], said: str) -> None:
    found, faults = policy_file.form(Text({"schema": policy_file.SCHEMA, "roots": roots}, {}), where="p")
    assert found is not None, faults
    assert [text for label, text in words(found) if label == "root"] == [said]
