"""The calculators of ``nitroctl pcr``: registers made from a role, an instance, a certificate or a file."""

from typing import Annotated, Final

import typer

from nitroctl.render.result import Result
from nitroctl.render.view import Fields

EXAMPLES = {
    "role": "nitroctl pcr role arn:aws:iam::111122223333:role/signer",
    "instance": "nitroctl pcr instance i-0123456789abcdef0",
    "certificate": "nitroctl pcr certificate signing.pem",
    "file": "nitroctl pcr file app.bin",
}

_CERTIFICATE_LIMIT: Final = 1024 * 1024


def role(arn: Annotated[str, typer.Argument(help="The role's ARN.", metavar="ARN")]) -> Result:
    """Calculate PCR3: the IAM role that the parent instance carries."""
    from nitroctl.pcr import for_role

    value = for_role(arn).hex()
    return Result(
        schema="pcr.role/1",
        data={"role": arn.strip(), "pcrs": {"PCR3": value}},
        view=[Fields([("PCR3", value), ("role", arn.strip())])],
    )


def instance(
    instance_id: Annotated[str, typer.Argument(help="The EC2 instance's id.", metavar="ID")],
) -> Result:
    """Calculate PCR4: the EC2 instance that is the parent."""
    from nitroctl.pcr import for_instance

    value = for_instance(instance_id).hex()
    return Result(
        schema="pcr.instance/1",
        data={"instance": instance_id.strip(), "pcrs": {"PCR4": value}},
        view=[Fields([("PCR4", value), ("instance", instance_id.strip())])],
    )


def certificate(
    file: Annotated[str, typer.Argument(help="The signing certificate; - is stdin.", metavar="PEM")],
) -> Result:
    """Calculate PCR8: the certificate that signs the image."""
    import hashlib

    from nitroctl import safefile
    from nitroctl.pcr import certificate_der, for_certificate

    pem = safefile.read_bytes(file, limit=_CERTIFICATE_LIMIT)
    where = "standard input" if file == safefile.STDIN else file
    der = certificate_der(pem, where=where)
    value, fingerprint = for_certificate(der).hex(), hashlib.sha256(der).hexdigest()
    count = pem.count(b"-----BEGIN CERTIFICATE-----")
    notes = [f"{where} holds {count} certificates; nitro-cli signs with the first"] if count > 1 else []
    return Result(
        schema="pcr.certificate/1",
        data={"file": file, "certificate_sha256": fingerprint, "pcrs": {"PCR8": value}},
        view=[Fields([("PCR8", value), ("certificate", where), ("SHA-256", fingerprint)])],
        notes=notes,
    )


def file_(
    file: Annotated[str, typer.Argument(help="Any file, of any size.", metavar="FILE")],
) -> Result:
    """Calculate the register that holds one file's SHA-384, as nitro-cli pcr --input does."""
    import hashlib

    from nitroctl import safefile
    from nitroctl.pcr import from_digest

    with safefile.open_regular(file) as stream:
        try:
            digest, size = hashlib.file_digest(stream, "sha384").digest(), stream.tell()  # type: ignore[arg-type]
        except OSError as error:
            raise safefile.cannot_read(file, error) from error
    value = from_digest(digest).hex()
    return Result(
        schema="pcr.file/1",
        data={"file": file, "size_bytes": size, "sha384": digest.hex(), "register": value},
        view=[Fields([("register", value), ("SHA-384", digest.hex()), ("size", f"{size} bytes")])],
    )
