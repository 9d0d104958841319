"""``nitroctl attest extract``: one part of a captured document, byte for byte."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli import attest_file
from nitroctl.cli.attest_file import DocumentFile
from nitroctl.errors import UsageError
from nitroctl.render.result import Result, Stream
from nitroctl.render.view import Block, Fields, Headline

if TYPE_CHECKING:
    from nitroctl.evidence.container import Unwrapped
    from nitroctl.evidence.document import Parsed

EXAMPLES = """
nitroctl attest extract document.cbor public-key --pem --output key.pem
nitroctl attest extract document.cbor certificates | openssl storeutl -noout -text -certs /dev/stdin
nitroctl attest extract document.cbor user-data --output user-data.bin
"""

_UNVERIFIED = (
    "not verified: anybody can write a document with these bytes; nitroctl attest verify says if it is authentic"
)


class Part(StrEnum):
    """What can be taken out."""

    PUBLIC_KEY = "public-key"
    USER_DATA = "user-data"
    NONCE = "nonce"
    CERTIFICATES = "certificates"
    PAYLOAD = "payload"


def extract(
    file: DocumentFile,
    part: Annotated[Part, typer.Argument(help="What to take out.", metavar="PART")],
    output: Annotated[
        str, typer.Option(help="The file to write, whole or not at all; - is stdout.", metavar="FILE")
    ] = "-",
    pem: Annotated[bool, typer.Option("--pem", help="Write the public key as PEM, whichever form it has.")] = False,
) -> Result | Stream:
    """Write one part of an attestation document, byte for byte, without verifying the document.

    PART is public-key, user-data or nonce (as the software put it there), certificates (PEM, the one that signs the
    document first and the root last), or payload (the CBOR that is signed). Exit status 1: the document does not have
    it. nitroctl attest verify says whether the document is authentic.
    """
    import hashlib

    from nitroctl import safefile
    from nitroctl.cli.output import asked

    if pem and part not in (Part.PUBLIC_KEY, Part.CERTIFICATES):
        raise UsageError(f"--pem is for public-key, and {part.value} is not a key", "usage.invalid", ["leave it out"])
    unwrapped, parsed = attest_file.read(file)
    content = _content(part, parsed, pem=pem)
    if isinstance(content, str):
        return _result(file, unwrapped, part, None, refusal=content)
    if output != safefile.STDIN:
        safefile.replace(output, content)
        view: list[Block] = [
            Headline(f"wrote {len(content)} bytes of {part.value} to {output}"),
            Fields([("SHA-256", hashlib.sha256(content).hexdigest())]),
        ]
        return _result(file, unwrapped, part, content, output=output, view=view)
    if asked().form != "human":
        return _result(file, unwrapped, part, content)
    if sys.stdout.isatty() and not _harmless(content):
        raise UsageError(
            f"{part.value} is {len(content)} bytes that are not text, and standard output is a terminal",
            "attest.binary-terminal",
            ["write it to a file: --output FILE", "or pipe it on: | xxd", "nitroctl attest show prints it in hex"],
        )
    warning = Result(schema="attest.extract/1", data={}, view=[], notes=[_UNVERIFIED])
    return Stream(chunks=iter([content]), sanitise=False, preface=warning)


def _harmless(content: bytes) -> bool:
    """Whether a terminal shows ``content`` as text: printable UTF-8 and line ends."""
    from nitroctl.evidence.contents import text_of

    return all(text_of(line) for line in content.split(b"\n") if line)


def _content(part: Part, parsed: "Parsed", *, pem: bool) -> bytes | str:
    """Return the bytes asked for, or why there are none."""
    if part is Part.PAYLOAD:
        return parsed.envelope.payload if parsed.envelope else _unreadable(parsed)
    document = parsed.document
    if document is None:
        return _unreadable(parsed)
    if part is Part.CERTIFICATES:
        return b"".join(_pem(der) for der in reversed(document.chain))
    fields = {Part.PUBLIC_KEY: document.public_key, Part.USER_DATA: document.user_data, Part.NONCE: document.nonce}
    content = fields[part]
    if content is None:
        return f"the document has no {part.value.replace('-', ' ')}"
    return _as_pem(content) if pem else content


def _unreadable(parsed: "Parsed") -> str:
    return f"not a well-formed attestation document: {attest_file.reason(parsed.report)}"


def _as_pem(content: bytes) -> bytes | str:
    from nitroctl.evidence.contents import public_key

    key = public_key(content)
    if key is None:
        return f"the public key is {len(content)} bytes that are not a key in a form that can be read; leave --pem out"
    return key.pem


def _pem(der: bytes) -> bytes:
    import base64

    text = base64.b64encode(der)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""])


def _result(
    file: str,
    unwrapped: "Unwrapped",
    part: Part,
    content: bytes | None,
    *,
    output: str | None = None,
    refusal: str | None = None,
    view: list[Block] | None = None,
) -> Result:
    """Return the answer; nothing goes to stdout with a refusal: what reads it expects the bytes."""
    import base64
    import hashlib

    data: dict[str, object] = {
        **attest_file.members(file, unwrapped),
        "verified": False,
        "part": part.value,
        "found": content is not None,
        "reason": refusal,
        "content": {
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "base64": base64.b64encode(content).decode("ascii") if output is None else None,
        }
        if content is not None
        else None,
        "output": output,
    }
    note = f"{file}: {refusal}" if refusal else _UNVERIFIED
    return Result(
        schema="attest.extract/1", data=data, view=view or [], refused=content is None, notes=[note], subject=file
    )
