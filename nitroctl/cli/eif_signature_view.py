"""Signatures in rows and in JSON, and what ``nitroctl eif sign`` and ``unsign`` share: where the image goes."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.eif_view import identity, told, views
from nitroctl.errors import UsageError
from nitroctl.instants import rfc3339
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Checks, Fields, Headline, Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nitroctl.checks import Report
    from nitroctl.eif.measure import Measured
    from nitroctl.eif.signature import Certificate, Signature

OutputFile = Annotated[
    str | None,
    typer.Option(
        "--output-file",
        "--output",
        help="Write the image here and leave FILE as it is; FILE itself is replaced without this.",
        metavar="OUT",
        show_default=False,
    ),
]


def destination(file: str, output_file: str | None, *, keep: "Sequence[str]" = ()) -> str:
    """Return where the new image goes. ``keep``: files that it may not replace.

    Raises UsageError, and CannotAnswer ``file.*`` for what no image can be written to.
    """
    import os

    from nitroctl import safefile

    if output_file == "-":
        raise UsageError(
            "--output-file -: an image is not written to standard output", "usage.invalid", ["name a file"]
        )
    output = output_file or file
    target = safefile.require_replaceable(output)
    for path in keep:
        if os.path.exists(path) and target.exists() and os.path.samefile(path, target):  # noqa: PTH110, PTH121
            raise UsageError(
                f"--output-file {output}: it is {path}, which the image would replace",
                "usage.invalid",
                ["name another"],
            )
    return output


def certificate_json(certificate: "Certificate") -> dict[str, object]:
    """Return a signing certificate as JSON members."""
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial": certificate.serial,
        "curve": certificate.curve,
        "not_before": rfc3339(certificate.not_before),
        "not_after": rfc3339(certificate.not_after),
        "sha256": certificate.sha256,
        "pcr8": certificate.pcr8.hex(),
    }


def signature_json(signature: "Signature | None") -> dict[str, object] | None:
    """Return an image's signature as JSON members, None for none."""
    if signature is None:
        return None
    return {"algorithm": signature.algorithm, "certificate": certificate_json(signature.certificate)}


def who(certificate: "Certificate") -> str:
    """Return what to call a certificate in a sentence."""
    return certificate.subject or "a certificate without a name"


def certificate_rows(certificate: "Certificate") -> "list[tuple[str, Value]]":
    """Return a signing certificate as rows."""
    return [
        ("subject", certificate.subject),
        ("issuer", certificate.issuer),
        ("serial", certificate.serial),
        ("sha256", certificate.sha256),
        ("from", rfc3339(certificate.not_before)),
        ("to", rfc3339(certificate.not_after)),
    ]


def signature_before(signature: "Signature") -> Fields:
    """Return whose signature the image had."""
    rows: list[tuple[str, Value]] = [("algorithm", signature.algorithm), *certificate_rows(signature.certificate)]
    return Fields(rows, title="Signature before")


def image_json(file: str, output: str, old: "Measured", new: "Measured | None", report: "Report") -> dict[str, object]:
    """Return the JSON members that both verbs have. ``new``: None when nothing could be written."""
    from nitroctl import pcr

    after = new.pcrs.get(8) if new else None
    before = old.pcrs.get(8)
    return {
        "file": file,
        "output_file": output,
        "written": new is not None and new is not old,
        "size_bytes": new.size if new else None,
        "sha256": new.sha256 if new else None,
        "pcrs": pcr.as_hex(new.pcrs if new else {}),
        "pcr8": {"before": before and before.hex(), "after": after and after.hex()},
        "report": report.as_json(),
    }


def measurements(old: "Measured", new: "Measured") -> Fields:
    """Return the registers of the new image, and PCR8 as it was."""
    from nitroctl import pcr

    rows: list[tuple[str, Value]] = list(pcr.as_hex(new.pcrs).items())
    if old.pcrs.get(8) != new.pcrs.get(8):
        if 8 not in new.pcrs:  # noqa: PLR2004
            rows.append(("PCR8", "absent: the image is not signed"))
        before = old.pcrs.get(8)
        rows.append(("PCR8 before", before.hex() if before else "absent: the image was not signed"))
    return Fields(rows, title="Measurements")


def refused(
    schema: str, file: str, what: str, data: "Mapping[str, object]", report: "Report", old: "Measured"
) -> Result:
    """Return the no to an image that is not to be written: why, and what each kind of reader sees where they differ."""
    from nitroctl.checks import Outcome

    reason = report.refusals[0]
    view: list[Block] = [
        Headline(f"{file}: not {what}, and nothing is written: {reason.detail or reason.title}", Outcome.FAIL),
        Fields(identity(old)),
        Checks(told(report)),
        *([] if old.measurable else views(old)),
    ]
    return Result(schema=schema, data=data, view=view, refused=True, report=report, subject=file)
