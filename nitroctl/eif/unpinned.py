"""What a second build could find otherwise: the inputs of an image that nothing pins, and what was set on the way.

A build is as reproducible as its inputs. Each remark says one thing: what another run may find different (and the
digest to compare it with), what was changed so that machines agree, or what the image cannot hold.
"""

import hashlib
from typing import Final

from nitroctl.eif import tree
from nitroctl.eif.build import Plan
from nitroctl.eif.tree import Concern, Remark

#: The order in which a person wants to read them.
_ORDER: Final = (Concern.UNPINNED, Concern.LOST, Concern.CHANGED)


def remarks(planned: Plan, *, deterministic_signature: bool | None, epoch_given: bool) -> tuple[Remark, ...]:
    """Return everything to be said about how an image that was written from ``planned`` can be made again.

    ``deterministic_signature``: None for an unsigned image. ``epoch_given``: SOURCE_DATE_EPOCH was set.
    """
    found = [*planned.source.remarks, *planned.start.remarks, *planned.application.remarks, *_parts(planned)]
    if epoch_given:
        found.append(
            Remark(
                id="build.source-date-epoch",
                concern=Concern.UNPINNED,
                detail=f"SOURCE_DATE_EPOCH={planned.epoch} is taken from the environment: it decides times in the "
                f"ramdisks, so set it wherever the image is built again (unset, it is {tree.EPOCH})",
            )
        )
    if deterministic_signature is False:
        found.append(
            Remark(
                id="build.signature-random",
                concern=Concern.UNPINNED,
                detail="the signature differs from run to run: the key's holder chooses a random number for each; "
                "no register depends on it",
            )
        )
    return tuple(sorted(found, key=lambda remark: _ORDER.index(remark.concern)))


def _parts(planned: Plan) -> list[Remark]:
    """Return the files that come with the machine, each with the digest that tells whether it is the same."""
    parts = planned.parts
    files = [(part.role, part.path, part.sha256) for part in parts.inputs]
    files.insert(1, ("cmdline", parts.cmdline_path, hashlib.sha256(parts.cmdline).hexdigest()))
    return [
        Remark(
            id="build.part",
            concern=Concern.UNPINNED,
            detail=f"{role} is whatever {path} holds: SHA-256 {digest}"
            + (" (of the text as measured)" if role == "cmdline" else ""),
        )
        for role, path, digest in files
    ]
