"""What every rule of an appraisal is called, states and rests on."""

from types import ModuleType

import pytest

from nitroctl.appraisal import appraise, policy_review, requirements
from nitroctl.evidence.rules import Rule
from tests.conftest import ROOT

MODULES = (appraise, requirements, policy_review)


def own(module: ModuleType) -> list[Rule]:
    return [rule for rule in vars(module).values() if isinstance(rule, Rule)]


def test_every_rule_states_this_and_rests_on_that() -> None:
    """A changed word is seen: the file is what a report shows of a rule, and is edited with it."""
    every = [rule for module in MODULES for rule in own(module)] + [
        rule for rules in appraise.REGISTERS.values() for rule in rules
    ]
    stated = "".join(f"{rule.id}\n  {rule.title}\n  {rule.source}\n" for rule in every)
    assert stated == (ROOT / "tests" / "assets" / "appraisal-rules.txt").read_text()


@pytest.mark.parametrize("index", [0, 31])
def test_every_register_has_its_rule(index: int) -> None:
    for rules in appraise.REGISTERS.values():
        assert len(rules) == 32
        assert rules[index].id == f"measurement.pcr{index}"
