"""Which enclave is meant, and which one belongs to somebody else."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from nitroctl.errors import CannotAnswer
from nitroctl.host.replies import Enclave

#: The enclave of ACM for Nitro Enclaves is named after its image, p11ne.eif; a second one gets _1.
_ACM_NAME: Final = "p11ne"
_ACM_CONFIG: Final = "etc/nitro_enclaves/acm.yaml"
_ACM_IMAGE = re.compile(r"^\s*image_path:\s*[\"']?([^\"'#\n]+?)[\"']?\s*(?:#.*)?$", re.MULTILINE)
_SUFFIX = re.compile(r"_[1-9][0-9]*$")
_CONFIG_LIMIT: Final = 64 * 1024


def resolve(running: Sequence[Enclave], wanted: str, *, partial: bool = False) -> Enclave:
    """Return the enclave whose id, or else whose name, is ``wanted``.

    ``partial``: not every enclave could be asked. Raises CannotAnswer ``enclave.unknown`` naming what runs, or
    ``enclave.ambiguous`` naming the ids that share the name.
    """
    found = [enclave for enclave in running if enclave.id == wanted] or [
        enclave for enclave in running if enclave.name == wanted
    ]
    if len(found) > 1:
        raise CannotAnswer(
            f"{len(found)} enclaves are named {wanted!r}",
            "enclave.ambiguous",
            ["use an id: " + ", ".join(enclave.id for enclave in found)],
        )
    if found:
        return found[0]
    listed = ", ".join(f"{enclave.name} ({enclave.id})" for enclave in running)
    hints = [f"running: {listed}" if running else "no enclave is running"]
    if partial:
        hints.append("not every enclave answered; run it again, or as root")
    raise CannotAnswer(f"no enclave has the name or id {wanted!r}", "enclave.unknown", hints)


def default_name(eif_path: str) -> str:
    """Return the name nitro-cli gives an enclave without one: the file's, less every ``.eif`` at its end."""
    name = eif_path.rsplit("/", 1)[-1]
    while name.endswith(".eif"):
        name = name.removesuffix(".eif")
    return name


def acm_names(root: str) -> frozenset[str]:
    """Return the names under which the ACM agent's enclave runs on the host under ``root``.

    The agent starts its enclave without a name, so nitro-cli names it after the image: the shipped one, or the one
    that the agent's configuration names.
    """
    names = {_ACM_NAME}
    try:
        with (Path(root) / _ACM_CONFIG).open("rb") as stream:
            text = stream.read(_CONFIG_LIMIT).decode("utf-8", "replace")
    except OSError:
        return frozenset(names)
    names.update(default_name(match.strip()) for match in _ACM_IMAGE.findall(text))
    return frozenset(names)


def is_acm(enclave: Enclave, names: frozenset[str]) -> bool:
    """Whether ``enclave`` is the ACM agent's: its name is one of ``names``, perhaps with a number added."""
    return enclave.name in names or _SUFFIX.sub("", enclave.name) in names
