"""``nitroctl attest open`` and ``request``: the exchange with KMS for which documents are made, in tests and drills."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli import attest_file
from nitroctl.cli.output import asked
from nitroctl.errors import CannotAnswer, UsageError
from nitroctl.render.result import Result, Stream
from nitroctl.render.view import Fields, Headline, Raw

if TYPE_CHECKING:
    from nitroctl.kms.exchange import Blob, Operation

EXAMPLES = {
    "open": """
nitroctl attest open answer.json --key recipient.pem --output data.key
nitroctl attest open answer.json --key recipient.pem | sha256sum
""",
    "request": """
nitroctl attest request --operation decrypt --document document.cbor --ciphertext secret.bin
nitroctl attest request --operation generate-data-key --document document.cbor --key-id alias/signer
""",
}
_KEY_LIMIT = 64 * 1024
_OTHERS = 0o077
_MEMBER = "CiphertextForRecipient"


def open_(
    file: Annotated[
        str,
        typer.Argument(
            help="What KMS answered: CiphertextForRecipient raw or in base64, or the JSON of aws kms; - is stdin.",
            metavar="FILE",
        ),
    ],
    *,
    key: Annotated[str, typer.Option("--key", help="The recipient's RSA private key, unencrypted.", metavar="PEM")],
    output: Annotated[
        str | None,
        typer.Option("--output", help="Write the plaintext to this new file, mode 0600.", metavar="FILE"),
    ] = None,
) -> Result | Stream:
    """Open what KMS encrypted to a document's public key, with the private key; for tests and drills.

    A real enclave's private key never leaves it. The plaintext goes to --output, or to standard output when that is
    not a terminal. Needs the optional dependency asn1crypto: pip install 'nitroctl[recipient]'.
    """
    import sys

    from nitroctl import safefile
    from nitroctl.evidence import recipient
    from nitroctl.kms import exchange

    if output is None:
        _refuse_showing(terminal=sys.stdout.isatty())
    if key == safefile.STDIN:
        raise UsageError("--key: a private key is read from a file only", "usage.invalid")
    blob = _blob(file, _MEMBER, exchange.MAX_FILE)
    private = recipient.load_key(safefile.read_bytes(key, limit=_KEY_LIMIT), where=key)
    with _naming(file):
        message = recipient.parse(blob.content)
        plaintext = recipient.open_message(message, private)
    notes = _exposed(key)
    if output is None:
        return Stream(chunks=iter([plaintext]), sanitise=False, notes=notes)
    safefile.create_private(output, plaintext)
    return Result(
        schema="attest.open/1",
        data={
            "file": file,
            "encoding": blob.encoding,
            "message_size_bytes": len(blob.content),
            "recipient": message.recipient,
            "key_bits": private.key_size,
            "output": output,
            "plaintext_size_bytes": len(plaintext),
        },
        view=[
            Headline(f"opened: {len(plaintext)} bytes of plaintext in {output}"),
            Fields(
                [
                    ("file", f"{file}, {blob.encoding}, {len(blob.content)} bytes of CMS"),
                    ("recipient", message.recipient),
                    ("key", f"RSA, {private.key_size} bits"),
                ]
            ),
        ],
        notes=notes,
    )


def _refuse_showing(*, terminal: bool) -> None:
    """Refuse to put a secret where people or logs would keep it."""
    form = asked().form
    if form != "human":
        raise UsageError(
            f"--format {form} would hold the plaintext, and logs keep such answers",
            "usage.invalid",
            ["name a file for the plaintext: --output FILE"],
        )
    if terminal:
        raise UsageError(
            "the plaintext is not shown on a terminal",
            "usage.invalid",
            ["name a file for it: --output FILE; or pipe it on"],
        )


def _exposed(key: str) -> list[str]:
    """Return a note when others than the owner may read the key's file, or change it."""
    import os

    try:
        mode = os.stat(key).st_mode & 0o777  # noqa: PTH116  (a string all the way)
    except OSError:
        return []
    if not mode & _OTHERS:
        return []
    return [f"{key} has mode {mode:04o}: others than its owner can use the key; chmod 600 it, and take a new one"]


def request(
    *,
    operation: Annotated[
        str,
        typer.Option(
            "--operation",
            help="The KMS operation.",
            metavar="[decrypt|generate-data-key|generate-data-key-pair|generate-random|derive-shared-secret]",
        ),
    ],
    document: Annotated[str, typer.Option("--document", help="The attestation document; - is stdin.", metavar="FILE")],
    ciphertext: Annotated[
        str | None,
        typer.Option(
            "--ciphertext",
            help="What to decrypt: CiphertextBlob raw or in base64, or the JSON of aws kms encrypt.",
            metavar="FILE",
        ),
    ] = None,
    key_id: Annotated[
        str | None, typer.Option("--key-id", help="The KMS key's id, ARN or alias.", metavar="ID")
    ] = None,
    encryption_context: Annotated[
        list[str] | None,
        typer.Option("--encryption-context", help="A pair of the encryption context. Repeatable.", metavar="KEY=VALUE"),
    ] = None,
    key_spec: Annotated[
        str | None,
        typer.Option(
            "--key-spec",
            help="The data key to make: AES_256 (the default) or AES_128; or the pair's, such as RSA_2048.",
            metavar="SPEC",
            show_default=False,
        ),
    ] = None,
    number_of_bytes: Annotated[
        int | None, typer.Option("--bytes", help="How many random bytes to ask for.", metavar="N")
    ] = None,
    peer_key: Annotated[
        str | None, typer.Option("--peer-key", help="The other side's public key in DER.", metavar="FILE")
    ] = None,
) -> Result:
    """Make the body of an attested KMS request: the operation, and the document as its Recipient.

    Use it with aws kms OPERATION --cli-input-json file://FILE (AWS CLI 2). The document's public key must be one that
    KMS can encrypt to. Whether the document is authentic is not looked at here: KMS does, and so does attest verify.
    """
    from nitroctl.evidence import recipient
    from nitroctl.kms import exchange
    from nitroctl.render import envelope

    wanted = _operation(operation)
    unwrapped, parsed = attest_file.read(document)
    with _naming(document):
        if parsed.document is None or not parsed.report.passed:
            raise CannotAnswer(
                f"not a well-formed attestation document: {attest_file.reason(parsed.report)}",
                "recipient.document",
                ["nitroctl attest show lists every check"],
            )
        found = recipient.recipient_key(parsed.document.public_key)
    parts = exchange.Parts(
        key_id=key_id,
        ciphertext=_blob(ciphertext, "CiphertextBlob", exchange.MAX_FILE).content if ciphertext else None,
        context=exchange.context(encryption_context or []),
        key_spec=key_spec,
        random_bytes=number_of_bytes,
        peer_key=_blob(peer_key, "PublicKey", exchange.MAX_FILE).content if peer_key else None,
    )
    body = exchange.request(wanted, unwrapped.cbor, parts)
    ends = _ends(parsed.document.certificate)
    return Result(
        schema="attest.request/1",
        data={
            "operation": wanted.value,
            "request": body,
            **attest_file.members(document, unwrapped),
            "public_key": {"kind": "RSA", "bits": found.bits, "sha256": found.fingerprint},
            "certificate_ends": ends,
        },
        view=[Raw(envelope.dumps(body))],
        notes=[f"the document was not verified; its certificate ends at {ends}, and KMS refuses it after that"]
        if ends
        else ["the document was not verified, and its certificate cannot be read"],
    )


def _operation(name: str) -> "Operation":
    from nitroctl.kms.exchange import Operation as Known

    try:
        return Known(name)
    except ValueError as error:
        names = ", ".join(Known)
        raise UsageError(f"--operation: not one of {names}: {name!r}", "usage.invalid") from error


def _ends(der: bytes) -> str | None:
    """Return when the document's own certificate ends, or None when it cannot be read."""
    from nitroctl.evidence import certificate
    from nitroctl.evidence.chain import instant

    try:
        return instant(certificate.load(der).not_after)
    except certificate.CertificateFault:
        return None


def _blob(file: str, member: str, limit: int) -> "Blob":
    from nitroctl import safefile
    from nitroctl.kms import exchange

    raw = safefile.read_bytes(file, limit=limit)
    with _naming(file):
        return exchange.blob(raw, member)


@contextlib.contextmanager
def _naming(file: str) -> Iterator[None]:
    """Begin the errors of the block with the file's name, except that an extra is not installed."""
    try:
        yield
    except CannotAnswer as error:
        if error.code == "recipient.extra":
            raise
        name = "standard input" if file == "-" else file
        raise CannotAnswer(f"{name}: {error.message}", error.code, error.hints) from error
