"""Which images the policies of a key in AWS name: both of them, the second one's statements called so."""

from dataclasses import replace

from nitroctl.kms import named
from nitroctl.kms.live import DEFAULT, LiveKey
from nitroctl.kms.named import Named


def read(live: LiveKey) -> tuple[Named, ...]:
    """Return the Allow statements for what enclaves ask for. Raises CannotAnswer ``json.*``, ``kms.policy``."""
    found: list[Named] = []
    for name in live.names():
        prefix = "" if name == DEFAULT else f"{name}: "
        statements = named.parse(live.policies[name], where=live.place(name))
        found += [replace(each, label=f"{prefix}{each.label}") for each in statements]
    return tuple(found)
