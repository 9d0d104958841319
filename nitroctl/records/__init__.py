"""The measurement ledger: reference values that are recorded, reviewed and never silently rewritten.

One committed file (setting ``records``, by default ``measurements.json``) holds an entry for every recorded version of
every component in every environment. An entry says which registers the version measures to, which of them are pinned,
where the image came from, and whether it is a candidate, active, retired or revoked. Entries are never deleted: whoever
asks later what a register meant at some time must find the answer.

The file's shape is ``nitroctl/schemas/measurements.1.json``; :mod:`.entry` has the rules of one entry, :mod:`.ledger`
those between entries and the questions asked of them, :mod:`.form` reads and writes the text, :mod:`.store` the file.
"""

from nitroctl.records.entry import (
    NITRO_ENCLAVE,
    NITRO_TPM,
    Artifact,
    Build,
    Entry,
    Signer,
    Source,
    Status,
    new_entry,
)
from nitroctl.records.ledger import MAX_ACTIVE, Ledger, Nearest
from nitroctl.records.lifecycle import Step
from nitroctl.records.recipe import Recipe
from nitroctl.records.store import Outcome, Recorded, change, load, record, record_all, rewrite, write

__all__ = [
    "MAX_ACTIVE",
    "NITRO_ENCLAVE",
    "NITRO_TPM",
    "Artifact",
    "Build",
    "Entry",
    "Ledger",
    "Nearest",
    "Outcome",
    "Recipe",
    "Recorded",
    "Signer",
    "Source",
    "Status",
    "Step",
    "change",
    "load",
    "new_entry",
    "record",
    "record_all",
    "rewrite",
    "write",
]
