"""``nitroctl eif sign``: put a signature over PCR0 into an image, by a key in a file or in KMS."""

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.eif_signature_view import (
    OutputFile,
    certificate_json,
    certificate_rows,
    destination,
    image_json,
    measurements,
    refused,
    signature_before,
    signature_json,
    who,
)
from nitroctl.cli.eif_view import ImageFile, identity, instant, told
from nitroctl.errors import UsageError
from nitroctl.instants import rfc3339
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Checks, Fields, Headline, Value

if TYPE_CHECKING:
    from datetime import datetime

    from nitroctl.checks import Report
    from nitroctl.eif.measure import Measured
    from nitroctl.eif.sign import Signer

EXAMPLES = """
nitroctl eif sign image.eif --private-key key.pem --signing-certificate certificate.pem
nitroctl eif sign image.eif --private-key key.pem --signing-certificate certificate.pem --output-file signed.eif
nitroctl eif sign image.eif --private-key arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab \
--signing-certificate certificate.pem
"""
_SCHEMA = "eif.sign/1"


def sign(
    file: ImageFile,
    *,
    private_key: Annotated[
        str,
        typer.Option(
            "--private-key",
            help="The key on P-256, P-384 or P-521: a PEM file, - for standard input, or a KMS key's ARN.",
            metavar="KEY|ARN",
            show_default=False,
        ),
    ],
    signing_certificate: Annotated[
        str,
        typer.Option("--signing-certificate", help="The key's certificate.", metavar="PEM", show_default=False),
    ],
    output_file: OutputFile = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            help="Refuse to sign unless the certificate is within its dates at this instant: now, or RFC 3339. "
            "Without it the dates are held against the clock, and a warning is all.",
            metavar="TIME",
            show_default=False,
        ),
    ] = None,
) -> Result:
    """Sign an image, or sign it again, and change nothing else in it.

    The signature covers PCR0, and the certificate gives the image its PCR8; PCR0, PCR1 and PCR2 stay. The image must be
    one that every reader sees the same; one whose signature does not hold is not signed over. The new file is measured
    before it takes its name, and what was there before stays until then. An older signature is replaced, and the
    answer says whose. With a key in KMS, kms:GetPublicKey and kms:Sign are called in the ARN's region; what comes back
    is verified with the certificate before it is written.
    """
    from nitroctl import aws
    from nitroctl.eif import rewrite
    from nitroctl.eif.measure import measure
    from nitroctl.eif.sign import signer

    if private_key == "-" and signing_certificate == "-":
        raise UsageError("standard input can be the key or the certificate, not both", "usage.invalid")
    when = instant(at or "now")
    output = destination(file, output_file, keep=(private_key, signing_certificate))
    old = measure(file)
    if not old.measurable:
        data = {**image_json(file, output, old, None, old.report), **_nobody(when)}
        return refused(_SCHEMA, file, "signed", data, old.report, old)
    rewrite.require_signable(old)
    by = signer(private_key, signing_certificate, kms=aws.kms_key)
    report = old.report + _dates(by, when, required=at is not None)
    if not report.passed:
        data = {**image_json(file, output, old, None, report), **_nobody(when)}
        return refused(_SCHEMA, file, "signed", data, report, old)
    new = rewrite.rewrite(old, output, by.sign(old.pcrs[0]), pcr8=by.certificate.pcr8)
    replaced = old.signature if new is not old else None
    data = {
        **image_json(file, output, old, new, report),
        "as_of": rfc3339(when),
        "signature": {
            "algorithm": by.algorithm,
            "deterministic": by.deterministic,
            "key": {"kind": by.kind, "name": by.key},
            "certificate": certificate_json(by.certificate),
        },
        "replaced": signature_json(replaced),
        "remarks": list(by.remarks),
    }
    source: list[tuple[str, Value]] = [("image", file)] if output != file else []
    view: list[Block] = [
        _headline(output, old, new, by),
        Fields([*source, *identity(new)]),
        _signature(by, when),
        *([signature_before(replaced)] if replaced else []),
        measurements(old, new),
        Checks(told(report)),
    ]
    notes = [*by.remarks]
    if replaced and old.pcrs[8] != new.pcrs[8]:
        notes.append("what asks for the old PCR8 (key policies, records) does not accept this image")
    return Result(schema=_SCHEMA, data=data, view=view, notes=notes, report=report, subject=file)


def _dates(by: "Signer", at: "datetime", *, required: bool) -> "Report":
    """Return whether the certificate is within its dates, as a check that refuses when ``required``."""
    from nitroctl.checks import Outcome, Report
    from nitroctl.eif.signature import dates

    check = dates(by.certificate, at)
    if required:
        check = dataclasses.replace(check, required=True)
    if required and check.outcome is not Outcome.PASS:
        detail, remedy = f"the certificate's dates are {check.detail}", "sign with a certificate that holds then"
        check = dataclasses.replace(check, outcome=Outcome.FAIL, detail=detail, remedy=remedy)
    return Report.of([check])


def _nobody(at: "datetime") -> dict[str, object]:
    return {"as_of": rfc3339(at), "signature": None, "replaced": None, "remarks": []}


# -- for people


def _headline(output: str, old: "Measured", new: "Measured", by: "Signer") -> Headline:
    from nitroctl.checks import Outcome

    stay = "PCR0, PCR1 and PCR2 are what they were"
    name = who(by.certificate)
    if new is old:
        sentence = f"is signed by {name} already, with these very bytes; it is not touched"
    elif old.signature is None:
        sentence = f"signed by {name}; {stay}"
    elif old.pcrs[8] == new.pcrs[8]:
        sentence = f"signed again by {name}; every register is what it was"
    else:
        sentence = f"signed by {name} in place of {who(old.signature.certificate)}; {stay}"
    return Headline(f"{output}: {sentence}", Outcome.PASS)


def _signature(by: "Signer", at: "datetime") -> Fields:
    once = "deterministic (RFC 6979)" if by.deterministic else "not deterministic: signing again gives other bytes"
    rows: list[tuple[str, Value]] = [
        ("algorithm", f"{by.algorithm}, {once}"),
        ("key", by.key),
        *certificate_rows(by.certificate),
        ("as of", rfc3339(at)),
    ]
    return Fields(rows, title="Signature")
