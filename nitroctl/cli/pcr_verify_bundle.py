"""What ``nitroctl pcr verify`` asks about a sigstore bundle, and how it shows the answer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.pcr_options import one
from nitroctl.errors import UsageError

if TYPE_CHECKING:
    from nitroctl.records import Entry, Ledger
    from nitroctl.records.bundle import Judged
    from nitroctl.render.view import Value

Bundle = Annotated[
    str | None,
    typer.Option(
        "--bundle", help="A sigstore bundle that vouches for the file, or with --entry for its image.", metavar="FILE"
    ),
]
Identity = Annotated[
    str | None,
    typer.Option("--identity", help="With --bundle: who signed, whole and exact (an address, a URI).", metavar="TEXT"),
]
Issuer = Annotated[
    str | None,
    typer.Option("--issuer", help="With --bundle: who vouched for the identity.", metavar="URI"),
]
TrustedRoot = Annotated[
    str | None,
    typer.Option(
        "--trusted-root",
        help="With --bundle: sigstore's trusted_root.json; otherwise the one that came with the library.",
        metavar="FILE",
    ),
]
EntryOption = Annotated[
    str | None, typer.Option("--entry", help="With --bundle: it is about this entry's image.", metavar="ENTRY")
]
PredicateType = Annotated[
    str | None,
    typer.Option("--predicate-type", help="With --bundle: an attestation of this type, and no other.", metavar="URI"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked about a bundle; None where not."""

    bundle: str | None
    identity: str | None
    issuer: str | None
    trusted_root: str | None
    entry: str | None
    predicate_type: str | None

    def require(self, *others: str | None) -> None:
        """Raise UsageError for a question that is not whole; ``others``: what else may be standard input."""
        if self.bundle is None:
            options = ("identity", "issuer", "trusted_root", "entry", "predicate_type")
            given = next((name for name in options if getattr(self, name) is not None), None)
            if given:
                raise UsageError(
                    f"--{given.replace('_', '-')} is a question about a bundle", "usage.invalid", ["add --bundle FILE"]
                )
            return
        if not self.identity or not self.issuer:
            raise UsageError(
                "anybody can have a bundle made: say who has to have signed it",
                "usage.invalid",
                ["add --identity TEXT and --issuer URI, both whole and exact"],
            )
        if [*others, self.bundle, self.trusted_root].count("-") > 1:
            raise UsageError("only one file can be standard input", "usage.invalid", ["name the others"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer about a bundle, and what it was about."""

    asked: Asked
    judged: "Judged"
    entry: "Entry | None"

    @property
    def said(self) -> str:
        """What a yes says, for the headline."""
        what = f"the image of {self.entry.id}" if self.entry else "it"
        return f"{what} is {'attested' if self.judged.kind == 'attestation' else 'signed'} by {self.asked.identity}"

    @property
    def notes(self) -> list[str]:
        """What a yes does not say."""
        from nitroctl.checks import Report
        from nitroctl.records.statement import PREDICATE_TYPE

        judged, found = self.judged, list[str]()
        if not Report.of(judged.checks).passed:
            return found
        ours = judged.predicate_type == PREDICATE_TYPE and self.entry is not None
        if judged.kind == "attestation" and not ours:
            found.append(
                "of the attestation, who made it, its type and its subjects were read, not what it says of them"
            )
        if self.entry and not ours:
            found.append(
                f"the bundle is about the image file; the registers recorded for {self.entry.id} are not signed"
            )
        return found

    @property
    def fields(self) -> "list[tuple[str, Value]]":
        """What the answer rests on."""
        judged = self.judged
        rows: list[tuple[str, Value]] = [("trusted root", f"{judged.root.origin}; SHA-256 {judged.root.sha256}")]
        if self.entry:
            rows.insert(0, ("entry", f"{self.entry.id}, {self.entry.status}"))
        if judged.predicate_type:
            rows.append(("attested", judged.predicate_type))
        if judged.logged_at:
            rows.append(("logged at", self._logged_at or ""))
        return rows

    @property
    def _logged_at(self) -> str | None:
        from nitroctl.records.entry import time_text

        return time_text(self.judged.logged_at) if self.judged.logged_at else None

    def as_json(self) -> dict[str, object]:
        """Return the member ``bundle`` of the answer."""
        judged, asked = self.judged, self.asked
        return {
            "file": asked.bundle,
            "identity": asked.identity,
            "issuer": asked.issuer,
            "entry": self.entry.id if self.entry else None,
            "kind": judged.kind or None,
            "predicate_type": judged.predicate_type or None,
            "logged_at": self._logged_at,
            "trusted_root": {"file": asked.trusted_root, "sha256": judged.root.sha256},
            "library": f"sigstore {judged.root.library}",
        }


def answer(asked: Asked, content: bytes, ledger: "Ledger", path: str) -> Answer:
    """Return the answer about the bundle. Raises what :func:`nitroctl.records.bundle.judge` raises."""
    from nitroctl.records import bundle

    entry = one(ledger, asked.entry, path) if asked.entry is not None else None
    question = bundle.Asked(
        path=asked.bundle or "",
        identity=asked.identity or "",
        issuer=asked.issuer or "",
        trusted_root=asked.trusted_root,
        entry=entry,
        predicate_type=asked.predicate_type,
    )
    return Answer(asked=asked, judged=bundle.judge(content, question), entry=entry)
