"""How a recorded version is shown to people."""

import shlex
from typing import TYPE_CHECKING

from nitroctl.instants import rfc3339_of
from nitroctl.render.view import Fields, Value

if TYPE_CHECKING:
    from nitroctl.records import Entry


def entry_fields(entry: "Entry") -> Fields:
    """Return an entry's registers and circumstances as fields."""
    from nitroctl.pcr import name
    from nitroctl.records.entry import time_text

    times = [
        (label, time_text(at))
        for label, at in (
            ("recorded", entry.recorded_at),
            ("activated", entry.activated_at),
            ("retired", entry.retired_at),
            ("revoked", entry.revoked_at),
        )
        if at
    ]
    rows: list[tuple[str, Value]] = [(name(index), value.hex()) for index, value in sorted(entry.pcrs.items())]
    rows.append(("pinned", ", ".join(name(index) for index in entry.pin)))
    rows.append(("platform", entry.platform))
    if entry.artifact:
        rows.append(("image", f"{entry.artifact.name}, {entry.artifact.size} bytes"))
        rows.append(("SHA-256", entry.artifact.sha256))
    if entry.signer:
        rows.append(("signer", f"certificate with SHA-256 {entry.signer.certificate_sha256}"))
    rows += [(label, value) for label, value in _origin(entry) if value]
    if entry.revoked_because:
        times.append(("because", entry.revoked_because))
    return Fields([*rows, *times])


def _origin(entry: "Entry") -> list[tuple[str, str]]:
    rows = []
    if entry.source:
        rows += [("source", entry.source.uri), ("ref", entry.source.ref), ("commit", entry.source.commit)]
        rows.append(("path", entry.source.path))
    if entry.build:
        rows += [("built by", entry.build.builder), ("run", entry.build.run)]
        rows.append(("with", ", ".join(f"{tool} {version}" for tool, version in entry.build.versions.items())))
        rows += [(f"input {role}", f"SHA-256 {digest}") for role, digest in sorted(entry.build.inputs.items())]
        if entry.build.recipe:
            rows.append(("asked", shlex.join(entry.build.recipe.options)))
            rows.append(("times", f"no later than {rfc3339_of(entry.build.recipe.source_date_epoch)}"))
        rows.append(("reproduced by", ", ".join(entry.build.reproduced_by)))
    return [*rows, ("notes", entry.notes)]
