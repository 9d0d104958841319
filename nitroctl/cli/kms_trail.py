"""``nitroctl kms trail``: which image used which key when, as CloudTrail tells it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.errors import UsageError
from nitroctl.render.result import Stream

if TYPE_CHECKING:
    from nitroctl.cli.kms_trail_line import Writer
    from nitroctl.kms.trail import Trail
    from nitroctl.kms.trail_files import Files
    from nitroctl.records import Ledger

EXAMPLES = """nitroctl kms trail AWSLogs --records measurements.json
aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventSource,AttributeValue=kms.amazonaws.com | nitroctl kms trail -
nitroctl kms trail AWSLogs --environment prod --json
nitroctl kms trail --lookup --key arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"""  # noqa: E501  (a command is one line)


def trail(
    *,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="CloudTrail's files (JSON, .gz), directories of them, or what lookup-events printed; - for stdin.",
            metavar="FILES...",
        ),
    ] = None,
    lookup: Annotated[
        bool,
        typer.Option("--lookup", help="Ask AWS for CloudTrail's event history in place of files.", show_default=False),
    ] = False,
    region: Annotated[
        list[str] | None,
        typer.Option("--region", help="With --lookup: all that KMS did in this Region. Repeatable.", metavar="NAME"),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="With --lookup: from this time on; 90 days ago otherwise.", metavar="TIME"),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="With --lookup: up to this time; now otherwise.", metavar="TIME")
    ] = None,
    records: Annotated[
        str | None, typer.Option("--records", help="The file of recorded measurements.", metavar="FILE")
    ] = None,
    no_records: Annotated[bool, typer.Option("--no-records", help="Compare the images with nothing.")] = False,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            help="Look only at this key, which may be used with attestation only. Repeatable.",
            metavar="ARN",
        ),
    ] = None,
    component: Annotated[
        str | None, typer.Option("--component", help="Accept the images of this component only.", metavar="NAME")
    ] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", help="Accept the images for this environment only.", metavar="NAME")
    ] = None,
    every: Annotated[
        bool, typer.Option("--every", help="A line for each call, not only for the first of its kind.")
    ] = False,
) -> Stream:
    """Say which image used which key when, and what went past attestation, from the logs of CloudTrail.

    A key counts as bound to attestation when --key names it, when a logged policy of it names attestation, or when it
    was used with attestation. The answer is no when such a key was used without attestation, by an image that was not
    recorded and active at the time, or in debug mode. Offline, but for --lookup, which asks for the events of the keys
    that --key names, or of Regions. With --json a line for each call.
    """
    from nitroctl.cli import kms_trail_lookup
    from nitroctl.cli.kms_trail_line import Writer
    from nitroctl.cli.kms_trail_summary import summary
    from nitroctl.cli.output import asked, canvas
    from nitroctl.kms.trail import Trail
    from nitroctl.kms.trail_event import key_id
    from nitroctl.kms.trail_files import Files
    from nitroctl.kms.trail_image import Images

    if no_records and (records is not None or component is not None or environment is not None):
        raise UsageError("--no-records leaves nothing to choose from: leave the other options out", "usage.invalid")
    named = [key_id(text) for text in key or []]
    where, ledger = (None, None) if no_records else _ledger(records, component, environment)
    looked_up = kms_trail_lookup.asked(files, lookup, region, key or [], since, until)
    read = Files(files or [], looked_up.answers() if looked_up else ())
    followed = Trail(Images(ledger), named)
    writer = Writer(asked().form, canvas(), every=every)
    return Stream(
        chunks=_told(read, followed, writer),
        sanitise=False,
        summary=lambda: summary(followed, read, where, ledger, looked_up),
    )


def _ledger(records: str | None, component: str | None, environment: str | None) -> "tuple[str, Ledger]":
    """Return where the recorded images are, and those that are accepted. Raises CannotAnswer ``records.*``."""
    from nitroctl import records as ledgers
    from nitroctl import settings

    path = settings.load({"records": records})["records"]
    ledger = ledgers.load(path)
    chosen = ledger.concerning(component, environment)
    if not ledger.select(component, environment).entries:
        from nitroctl.errors import CannotAnswer

        of = " ".join(word for word in (component, environment and f"for {environment}") if word)
        raise CannotAnswer(
            f"{path}: no image {f'of {of} ' if component else f'{of} ' if of else ''}is recorded",
            "kms.trail-records",
            ["nitroctl pcr list shows what is", "or compare with nothing: --no-records"],
        )
    return path, chosen


def _told(read: "Files", followed: "Trail", writer: "Writer") -> Iterator[bytes]:
    for line in followed.lines(read.found()):
        text = writer.line(line)
        if text:
            yield text
