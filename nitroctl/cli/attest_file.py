"""A document as read from a file, and what every ``attest`` verb says of it."""

import hashlib
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl import safefile
from nitroctl.errors import CannotAnswer
from nitroctl.render.view import Block, Checks, Text, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nitroctl.checks import Report
    from nitroctl.evidence.certificate import Certificate
    from nitroctl.evidence.container import Unwrapped
    from nitroctl.evidence.document import Document, Parsed

DocumentFile = Annotated[
    str,
    typer.Argument(
        help="The document: raw CBOR, base64, hex, PEM-like text, JSON, or a certificate around it; - is stdin.",
        metavar="FILE",
    ),
]


def told(report: "Report") -> "list[Block]":
    """Return what people see of the checks: what failed, then what warned; not what those blocked."""
    from nitroctl.checks import Outcome, Report

    told = [*report.having(Outcome.FAIL), *report.having(Outcome.WARN)]
    return [Text(""), Checks(Report.of(told))] if told else []


def counts(report: "Report") -> str:
    """Return how many checks came to what, and what nobody asked for."""
    from nitroctl.checks import Outcome

    skipped = report.having(Outcome.SKIP)
    counts = (
        (len(report.having(Outcome.FAIL)), "failed"),
        (len(report.having(Outcome.WARN)), "warned"),
        (sum(check.required for check in skipped), "blocked by those that failed"),
    )
    parts = [f"{len(report.having(Outcome.PASS))} of {len(report)} checks hold"]
    parts += [f"{count} {what}" for count, what in counts if count]
    not_made = ", ".join(_NOT_MADE.get(check.id, check.id) for check in skipped if not check.required)
    return (
        ". ".join([", ".join(parts), *([f"Not checked: {not_made}"] if not_made else []), "--json has them all"]) + "."
    )


_NOT_MADE = {
    "chain.revocation": "revocation (AWS's text says not to)",
    "freshness.nonce": "the nonce (--nonce)",
    "freshness.future": "its date against the clock (--at now)",
    "freshness.age": "the age (--max-age)",
}


def reason(report: "Report") -> str:
    """Return the gravest refusal's sentence."""
    from nitroctl.appraisal import judge

    return judge.reason(report)


def read(file: str) -> "tuple[Unwrapped, Parsed]":
    """Return the document in ``file``, unwrapped and parsed. Raises CannotAnswer naming the file."""
    from nitroctl.evidence import document

    unwrapped = unwrap(file)
    return unwrapped, document.parse(unwrapped.cbor)


def unwrap(file: str) -> "Unwrapped":
    """Return the CBOR in ``file`` and how it was written. Raises CannotAnswer naming the file."""
    from nitroctl.evidence import sources

    return sources.one(file).unwrap()


def _name(file: str) -> str:
    return "standard input" if file == safefile.STDIN else file


def authentic(
    file: str, *, at: str, root: "Sequence[str]", code: str, hints: "Sequence[str]"
) -> "tuple[Document, str]":
    """Return the document in ``file``, judged as ``--at`` and ``--root`` say, and the sentence that calls it authentic.

    Raises CannotAnswer naming the file, with ``code`` and ``hints`` for a document that is not authentic.
    """
    from nitroctl.cli import attest_options as options

    judgement = options.judge(options.Asked(at=at, root=root, authenticity_only=True)).judge(unwrap(file).cbor)
    document = judgement.parsed.document
    if document is None or not judgement.passed:
        raise CannotAnswer(f"{_name(file)}: not authentic: {reason(judgement.report)}", code, hints)
    return document, judgement.sentence


def certificates(parsed: "Parsed") -> "tuple[Certificate, ...]":
    """Return the chain's certificates when each can be read, else none."""
    from nitroctl.evidence import certificate

    try:
        return tuple(certificate.load(der) for der in parsed.document.chain) if parsed.document else ()
    except certificate.CertificateFault:
        return ()


def members(file: str, unwrapped: "Unwrapped") -> dict[str, object]:
    """Return what the file is, for JSON."""
    return {
        "file": file,
        "encoding": unwrapped.encoding,
        "size_bytes": len(unwrapped.cbor),
        "sha256": hashlib.sha256(unwrapped.cbor).hexdigest(),
    }


def rows(file: str, unwrapped: "Unwrapped") -> list[tuple[str, Value]]:
    """Return what the file is, for people."""
    return [
        ("file", f"{file}, {unwrapped.encoding}, {len(unwrapped.cbor)} bytes of CBOR"),
        ("SHA-256", hashlib.sha256(unwrapped.cbor).hexdigest()),
    ]
