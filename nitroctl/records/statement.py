"""One recorded version as an in-toto Statement: what existing signers sign and existing verifiers read.

The predicate says what the image measures to and where it came from. It has no status and no time: those are the
ledger's, and change while what was signed stays. Its schema is ``nitroctl/schemas/predicate.measurements.1.json``.
Source: in-toto Attestation Framework v1, "Statement" and "ResourceDescriptor".
"""

import json
from collections.abc import Mapping
from typing import Final

from nitroctl.errors import CannotAnswer
from nitroctl.records.entry import Artifact, Entry

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
#: Names what the predicate means; the last part is its version.
PREDICATE_TYPE: Final = "urn:nitroctl:predicate.measurements:1"
_NAME_LIMIT: Final = 40
_OF_THE_LEDGER: Final = (
    "status",
    "recorded_at",
    "activated_at",
    "retired_at",
    "revoked_at",
    "revoked_because",
    "notes",
)


def artifact_of(entry: Entry) -> Artifact:
    """Return the image file of ``entry``. Raises CannotAnswer ``records.no-artifact`` when it is not known."""
    if entry.artifact is None:
        raise CannotAnswer(
            f"{entry.id}: the image file is not recorded, and a statement is about a file's digest",
            "records.no-artifact",
            ["record the version from the image: nitroctl pcr record --eif FILE"],
        )
    return entry.artifact


def statement(entry: Entry) -> dict[str, object]:
    """Return the Statement of ``entry``: its subject is the image file, its predicate what the file measures to.

    Raises CannotAnswer ``records.no-artifact`` for an entry whose file is not known: a statement is about a digest.
    """
    artifact = artifact_of(entry)
    members = entry.as_json()
    predicate = {name: value for name, value in members.items() if name not in {*_OF_THE_LEDGER, "artifact"}}
    subject = {"name": artifact.name, "digest": {"sha256": artifact.sha256}}
    return {"_type": STATEMENT_TYPE, "subject": [subject], "predicateType": PREDICATE_TYPE, "predicate": predicate}


#: What a statement has to say, and the ledger may not change.
_SAID: Final = ("id", "component", "environment", "platform", "version", "measurements", "pin")
#: What was not known yet when it was signed may have been filled in since.
_FILLED_IN: Final = ("source", "build", "signer")


def uncovered(predicate: object, entry: Entry) -> str:
    """Return what ``predicate``, of our type, says otherwise than ``entry``, in words; empty when nothing.

    What was left out may have been recorded since, and more may have reproduced the build. Members that this program
    does not know say something that nobody compared, and are told of.
    """
    if not isinstance(predicate, dict):
        return "it has no predicate"
    recorded = entry.as_json()
    unknown = sorted(predicate.keys() - {*_SAID, *_FILLED_IN})
    faults = [f"the unknown member {name[:_NAME_LIMIT]!r}" for name in unknown[:1]]
    for name in (*_SAID, *_FILLED_IN):
        said, stands = predicate.get(name), recorded.get(name)
        if name == "build" and isinstance(said, dict) and isinstance(stands, dict):
            faults += [f"build {part}" for part in _build(said, stands)]
        elif not _same(said, stands) and not (name in _FILLED_IN and name not in predicate):
            faults.append(name)
    return ", ".join(faults)


def _build(said: Mapping[str, object], stands: Mapping[str, object]) -> list[str]:
    """Return the parts of a build that are said otherwise."""
    faults = [
        str(name)[:_NAME_LIMIT] for name in said if name != "reproduced_by" and not _same(said[name], stands.get(name))
    ]
    ours, theirs = stands.get("reproduced_by", []), said.get("reproduced_by", [])
    by = isinstance(ours, list) and isinstance(theirs, list) and all(each in ours for each in theirs)
    return faults if by else [*faults, "reproduced_by"]


def _same(one: object, other: object) -> bool:
    """Whether two JSON values are the same text: Python takes 1, 1.0 and true for equal."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
