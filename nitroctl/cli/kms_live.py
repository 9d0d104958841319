"""What the verbs about a live key share: its option, its policy read, and how a policy is named in an answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nitroctl.kms.document import PolicyDocument
    from nitroctl.kms.live import LiveKey

KeyOption = Annotated[
    str,
    typer.Option("--key", help="The key in AWS: its ARN, or the ARN of an alias.", metavar="ARN", show_default=False),
]
#: The same where something else may say which key.
Key = Annotated[
    str | None, typer.Option("--key", help="The key in AWS: its ARN, or the ARN of an alias.", metavar="ARN")
]
Targets = Annotated[
    str | None,
    typer.Option("--targets", help="Roles, context and releases of keys: YAML or JSON.", metavar="FILE"),
]
Target = Annotated[
    str | None, typer.Option("--target", help="The key in --targets, when it has several.", metavar="NAME")
]


@dataclass(frozen=True, slots=True)
class Side:
    """A policy and where it is from. ``file``: the path when it is a file that can be read again."""

    where: str
    document: "PolicyDocument"
    file: str = ""

    def as_json(self) -> Mapping[str, object]:
        """Return what identifies the policy (``$defs/side`` of the schemas)."""
        from nitroctl.kms import canonical

        return {
            "source": self.where,
            "sha256": canonical.digest(self.document),
            "statements": len(self.document.statements),
            "size_bytes": self.document.size,
        }


def of_file(path: str) -> Side:
    """Return the policy in a file, or on standard input. Raises CannotAnswer ``file.*``, ``json.*``, ``kms.*``."""
    from nitroctl.kms import document

    read = document.read(path)
    return Side(read.where, read, "" if path == "-" else path)


def of_key(live: "LiveKey") -> Side:
    """Return the policy ``default`` that a key has. Raises CannotAnswer ``json.*``, ``kms.document``."""
    return Side(live.arn, live.documents()[0])


def notes(live: "LiveKey", *, second: str) -> list[str]:
    """Return what whoever compares or changes the policy of a key must know besides.

    ``second``: what became of its second policy, where it has one; empty when the answer says so itself.
    """
    from nitroctl.kms.live import DEFAULT

    found = []
    if live.state != "Enabled":
        found.append(f"the key is {live.state}: KMS does not use it for data now")
    found += [
        f"the key has a second policy, {name}, which allows as much as this one and {second}"
        for name in live.names()
        if name != DEFAULT and second
    ]
    if live.replicas:
        found.append(f"the same key, with a policy of its own each, is {', '.join(live.replicas)}")
    return found
