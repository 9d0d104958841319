"""``nitroctl pcr export`` and ``sign``: recorded measurements for others' signers, and a signature of our own."""

from typing import Annotated

import typer

from nitroctl.cli.pcr_options import EntryName, Records, ledger_path, one
from nitroctl.errors import UsageError
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Fields, Headline, Raw

EXAMPLES = {
    "export": """
nitroctl pcr export signer-1.4.2@prod
nitroctl pcr export signer-1.4.2@prod --predicate --output predicate.json
""",
    "sign": """
nitroctl pcr sign --key ledger.key
nitroctl pcr sign --key ledger.key --output measurements.json.sig
""",
}


def export(
    entry: EntryName,
    *,
    predicate: Annotated[
        bool, typer.Option("--predicate", help="The predicate alone, for a signer that makes the statement.")
    ] = False,
    output: Annotated[str | None, typer.Option("--output", help="Write it to this file.", metavar="FILE")] = None,
    records: Records = None,
) -> Result:
    """Print one recorded version as an in-toto statement about its image file.

    Sign it with the signer you have (cosign attest-blob, actions/attest with --predicate, a key of your own). It says
    what the image measures to and where it came from; statuses and times stay in the ledger.
    """
    import json

    from nitroctl import records as ledgers
    from nitroctl import safefile
    from nitroctl.records.statement import PREDICATE_TYPE, statement

    path = ledger_path(records)
    found = one(ledgers.load(path), entry, path)
    document = statement(found)
    text = json.dumps(document["predicate"] if predicate else document, indent=2) + "\n"
    notes = [f"nobody has signed this; its predicate type is {PREDICATE_TYPE}"]
    if output is not None:
        _refuse_same(output, path)
        safefile.replace(output, text.encode("ascii"))
    view: list[Block] = [Raw(text)] if output is None else [Headline(f"{found.id} written to {output}")]
    data = {"records": path, "entry": found.id, "output": output, "statement": document}
    return Result(schema="pcr.export/1", data=data, view=view, notes=notes)


def _refuse_same(output: str, *sources: str) -> None:
    """Refuse to write over what was read, by whatever name: the ledger's history, or a key, would be lost."""
    import os.path

    for source in sources:
        if os.path.realpath(output) == os.path.realpath(source):
            raise UsageError(
                f"--output {output}: this would write over {source}", "usage.invalid", ["name another file"]
            )


def sign(
    *,
    key: Annotated[
        str, typer.Option("--key", help="The private key, P-384 or Ed25519 (PEM).", metavar="FILE", show_default=False)
    ],
    output: Annotated[
        str | None,
        typer.Option("--output", help="The signature's file; otherwise the ledger's name and .sig.", metavar="FILE"),
    ] = None,
    records: Records = None,
) -> Result:
    """Sign the file of recorded measurements with a key of your own, into a file beside it.

    The bytes that are signed are the file's, which has one canonical form; openssl verifies the signature too. Verify
    it with pcr verify --key.
    """
    import hashlib

    from nitroctl import safefile
    from nitroctl.errors import CannotAnswer
    from nitroctl.records import form, signature, store

    path = ledger_path(records)
    if safefile.STDIN in (path, output):
        raise UsageError("the ledger and its signature are files, not standard input", "usage.invalid", ["name a file"])
    text = safefile.read_text(path, limit=store.SIZE_LIMIT)
    if form.dumps(form.loads(text, where=path)) != text:
        raise CannotAnswer(
            f"{path}: not in the canonical form, so the next recording would break the signature",
            "records.canonical",
            ["see nitroctl pcr verify", f"write it again: nitroctl pcr merge {path} {path} {path}"],
        )
    target = output if output is not None else f"{path}.sig"
    _refuse_same(target, path, key)
    signed, public = signature.sign(text.encode("utf-8"), key)
    safefile.replace(target, signed)
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    data = {"records": path, "sha256": digest, "signature": target, "public_key": public.decode("ascii")}
    view: list[Block] = [Headline(f"{path} signed into {target}"), Fields([("SHA-256", digest), ("of the file", path)])]
    return Result(schema="pcr.sign/1", data=data, view=view)
