"""Entries and ledgers for the tests: good ones, from which a test changes a single thing."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nitroctl.records import Artifact, Build, Entry, Ledger, Recipe, Signer, Source, Status, form, new_entry

AT = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
#: Every member of a recipe.
RECIPE = Recipe(
    source_date_epoch=1_700_000_000,
    kind="directory",
    platform="linux/arm64",
    reference="signer:1.4.2",
    exact=True,
    as_is=True,
    join_entrypoint=True,
    cmd=("/bin/app", "--listen"),
    entrypoint=("/bin/sh", "-c"),
    env=("MODE=fast",),
)


def register(seed: object) -> bytes:
    """Return a register that no other seed has."""
    return hashlib.sha384(repr(seed).encode()).digest()


def pcrs(seed: object, *indexes: int) -> dict[int, bytes]:
    """Return registers (0, 1 and 2 when none are named) of the image ``seed``."""
    return {index: register((seed, index)) for index in indexes or (0, 1, 2)}


def entry(version: str = "1.4.2", **changes: Any) -> Entry:
    """Return a good entry of signer in prod, candidate, whose registers follow from the version."""
    given: dict[str, Any] = {
        "component": "signer",
        "environment": "prod",
        "version": version,
        "pcrs": pcrs(version),
        "recorded_at": AT,
    }
    return new_entry(**(given | changes))


def active(version: str = "1.4.2", **changes: Any) -> Entry:
    """Return a good active entry."""
    return entry(version, status=Status.ACTIVE, **changes)


def full(version: str = "1.4.2") -> Entry:
    """Return an active entry with every member that an active one may have."""
    return active(
        version,
        pcrs=pcrs(version, 0, 1, 2, 8),
        pin=(0, 1, 2, 8),
        artifact=Artifact("signer.eif", "ab" * 32, 12_345_678),
        source=Source(
            uri="git+https://example.com/signer", ref="refs/tags/v1.4.2", commit="0" * 40, path="image/rootfs"
        ),
        build=Build(
            builder="ci",
            run="https://example.com/run/7",
            versions={"nitro-cli": "1.4.2"},
            inputs={"kernel": "ef" * 32, "init": "12" * 32},
            recipe=RECIPE,
            reproduced_by=("laptop",),
        ),
        signer=Signer("cd" * 32),
        notes="first release after the audit",
    )


def write(path: Path, *entries: Entry) -> Path:
    """Write a ledger of ``entries`` and return its path."""
    path.write_text(form.dumps(Ledger.of(entries)))
    return path
