"""What the rules of ``kms lint`` find of a key in AWS: of all its policies together, as KMS decides by them together.

A key that is shared through Resource Access Manager has two policies. A Deny of either shuts what the other allows, and
who may replace the one is not in the other; so the rules see the statements of both, and each finding says whose it is.
What is about a policy as a text (size, characters, version) is asked of each. Source: KMS API reference,
ListKeyPolicies; KMS Developer Guide, "Determining access to AWS KMS keys".
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from nitroctl.kms import lint
from nitroctl.kms.document import PolicyDocument
from nitroctl.kms.lint_key import KeyFacts
from nitroctl.kms.lint_reading import Reading, Wanted
from nitroctl.kms.lint_rules import Finding

#: Rules about the text of one policy.
_OF_A_TEXT: Final = ("KP035", "KP036", "KP051")


@dataclass(frozen=True, slots=True)
class Found:
    """A finding and the policy that it is of: ``default`` for what is of the key as a whole."""

    policy: str
    finding: Finding


def joint(documents: Mapping[str, PolicyDocument], facts: KeyFacts, wanted: Wanted) -> Reading:
    """Return the policies of a key as the rules see them, by name, the first one's text before all."""
    first = next(iter(documents.values()))
    statements = tuple(each for document in documents.values() for each in document.statements)
    key = replace(facts, judged=tuple(documents))
    return Reading(replace(first, statements=statements), key, wanted)


def findings(documents: Mapping[str, PolicyDocument], facts: KeyFacts, wanted: Wanted) -> tuple[Found, ...]:
    """Return what the rules find of a key with the policies ``documents``, by policy, rule and place."""
    main, *_ = documents
    owner = {id(each): name for name, document in documents.items() for each in document.statements}
    found = [
        Found(owner[id(each.statement)] if each.statement else main, each)
        for each in lint.findings(joint(documents, facts, wanted))
        if each.rule.number not in _OF_A_TEXT
    ]
    for name, document in documents.items():
        alone = lint.findings(Reading(document, facts, wanted))
        found += [Found(name, each) for each in alone if each.rule.number in _OF_A_TEXT]
    order = list(documents)
    return tuple(sorted(found, key=lambda each: (order.index(each.policy), each.finding.rule.number)))
