"""One recorded version as an in-toto Statement: what existing signers sign and existing verifiers read.

The predicate says what the image measures to and where it came from. It has no status and no time: those are the
ledger's, and change while what was signed stays. Its schema is ``nitroctl/schemas/predicate.measurements.1.json``.
Source: in-toto Attestation Framework v1, "Statement" and "ResourceDescriptor".
"""

from typing import Final

from nitroctl.errors import CannotAnswer
from nitroctl.records.entry import Entry

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
#: Names what the predicate means; the last part is its version.
PREDICATE_TYPE: Final = "urn:nitroctl:predicate.measurements:1"
_OF_THE_LEDGER: Final = (
    "status",
    "recorded_at",
    "activated_at",
    "retired_at",
    "revoked_at",
    "revoked_because",
    "notes",
)


def statement(entry: Entry) -> dict[str, object]:
    """Return the Statement of ``entry``: its subject is the image file, its predicate what the file measures to.

    Raises CannotAnswer ``records.no-artifact`` for an entry whose file is not known: a statement is about a digest.
    """
    if entry.artifact is None:
        raise CannotAnswer(
            f"{entry.id}: the image file is not recorded, and a statement is about a file's digest",
            "records.no-artifact",
            ["record the version from the image: nitroctl pcr record --eif FILE"],
        )
    members = entry.as_json()
    predicate = {name: value for name, value in members.items() if name not in {*_OF_THE_LEDGER, "artifact"}}
    subject = {"name": entry.artifact.name, "digest": {"sha256": entry.artifact.sha256}}
    return {"_type": STATEMENT_TYPE, "subject": [subject], "predicateType": PREDICATE_TYPE, "predicate": predicate}
