"""``nitroctl eif inspect``: everything an image file says, down to the files in its ramdisks."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli import eif_contents
from nitroctl.cli.eif_image import Found, opened
from nitroctl.cli.eif_signature_view import signature_json
from nitroctl.cli.eif_view import ImageFile, identity, instant, section_json, section_table, view_json, views
from nitroctl.instants import rfc3339
from nitroctl.render.result import Export, Result, Stream
from nitroctl.render.view import Block, Checks, Fields, Heading, Headline, Text, Value

if TYPE_CHECKING:
    from datetime import datetime

    from nitroctl.checks import Report
    from nitroctl.eif.measure import Measured

EXAMPLES = """
nitroctl eif inspect image.eif
nitroctl eif inspect image.eif --ramdisk 1 --list
nitroctl eif inspect image.eif --ramdisk 1 --extract init --output init.bin
"""


def inspect(
    file: ImageFile,
    ramdisk: Annotated[
        int | None,
        typer.Option("--ramdisk", help="Which ramdisk to list or extract from: 1 is the first.", metavar="N"),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List what is in the ramdisk (without --ramdisk: in all of them).")
    ] = False,
    extract: Annotated[
        str | None, typer.Option("--extract", help="Write one file of the ramdisk to --output.", metavar="PATH")
    ] = None,
    output: Annotated[
        str, typer.Option(help="The file that --extract writes, whole or not at all; - is stdout.", metavar="FILE")
    ] = "-",
    extract_to: Annotated[
        str | None,
        typer.Option("--extract-to", help="Write all files of the ramdisk below a new directory.", metavar="DIRECTORY"),
    ] = None,
    at: Annotated[
        str,
        typer.Option("--at", help="The instant to judge the certificate's dates at: now, or RFC 3339.", metavar="TIME"),
    ] = "now",
) -> Result | Stream:
    """Show everything an image file says, and whether it is built so that every reader sees the same image.

    Metadata is whatever the builder wrote: it is neither measured nor signed. The signing certificate is whatever the
    signer chose: compare PCR8, or the fingerprint, with what you expect. A kernel and the files in a ramdisk are
    measured; what a kernel says of itself is its builder's word. --extract-to makes files and directories only: no
    links, devices or owners. --format nitro-cli prints what nitro-cli describe-eif does.
    """
    from nitroctl.cli import eif_extract

    wanted = eif_extract.wanted(ramdisk=ramdisk, path=extract, output=output, directory=extract_to, listed=list_)
    now = instant(at)
    with opened(file, ramdisk, listed=list_, needed=list_ or wanted is not None) as found:
        answer = _answer(found, now, listed=list_)
        return eif_extract.extract(found, wanted, answer) if wanted else answer


def _answer(found: Found, now: "datetime", *, listed: bool) -> Result:
    from nitroctl import pcr
    from nitroctl.checks import Outcome
    from nitroctl.cli.output import asked

    measured, report = found.measured, _report(found, now)
    entries = listed and asked().form == "json"  # for people they are drawn from the listing
    sections = measured.layout.sections if measured.layout.agreed else ()
    data = {
        "file": measured.path,
        "as_of": rfc3339(now),
        "size_bytes": measured.size,
        "sha256": measured.sha256 or None,
        "measurable": measured.measurable,
        "header": _header_json(measured),
        "sections": [section_json(section) for section in sections],
        "kernel": eif_contents.kernel_json(found.kernel) if found.kernel else None,
        "cmdline": _cmdline_json(measured),
        "ramdisks": [
            eif_contents.ramdisk_json(number, summary, found.listings.get(number) if entries else None)
            for number, summary in enumerate(found.summaries, 1)
        ],
        "metadata": _metadata_json(measured),
        "signature": signature_json(measured.signature),
        "pcrs": pcr.as_hex(measured.pcrs),
        "views": [] if measured.measurable else [view_json(view) for view in measured.views],
        "report": report.as_json(),
        "extracted": None,
        "unpacked": None,
    }
    if measured.measurable:
        headline = Headline(f"{measured.path} is well-formed: every known reader sees the same image", Outcome.PASS)
    else:
        headline = Headline(f"{measured.path} is refused: {report.refusals[0].detail}", Outcome.FAIL)
    return Result(
        schema="eif.inspect/1",
        data=data,
        view=[headline, *(_listed(found) if listed else _everything(found, report, now))],
        refused=not report.passed,
        report=report,
        subject=measured.path,
        exports={} if listed else {"nitro-cli": _as_nitro_cli(measured, report)},
    )


def _report(found: Found, now: "datetime") -> "Report":
    """Return the checks of the image, of the certificate's dates, and of what Linux makes of the ramdisks."""
    from nitroctl.checks import Report

    report = found.measured.report
    if found.summaries:
        report += Report((eif_contents.check(found.summaries),))
    if found.measured.signature:
        from nitroctl.eif.signature import dates

        report += Report((dates(found.measured.signature.certificate, now),))
    return report


def _as_nitro_cli(measured: "Measured", report: "Report") -> Export:
    """Return the answer in the words of nitro-cli, which has no word for most of what can be wrong."""
    from nitroctl.eif import describe

    note = (
        "as nitro-cli describe-eif prints it; that judges neither dates nor the header's table"
        if measured.measurable
        else f"nitroctl refuses this image: {report.refusals[0].detail}"
    )
    return Export(lambda: describe.text(describe.describe(measured)), note)


# -- for people


def _everything(found: Found, report: "Report", now: "datetime") -> list[Block]:
    from nitroctl import pcr

    measured = found.measured
    view: list[Block] = [Fields([*identity(measured), *_header_rows(measured)])]
    if measured.measurable:
        view.append(Fields(list(pcr.as_hex(measured.pcrs).items()), title="Measurements"))
    if measured.layout.agreed and measured.layout.sections:
        view.append(section_table(measured.layout.sections, "Sections"))
    if found.kernel:
        view.append(eif_contents.kernel_block(found.kernel))
    view += _cmdline(measured)
    if found.summaries:
        view.append(eif_contents.ramdisks_block(found.summaries))
    if sum(len(summary.faults) + summary.more_faults for summary in found.summaries) > 1:  # one is told by the check
        view += eif_contents.faults_block(enumerate(found.summaries, 1))
    view += [*_metadata(measured), *_signature(measured, now), *_checks(report)]
    return view if measured.measurable else [*view, *views(measured)]


def _checks(report: "Report") -> list[Block]:
    """Return every check but those that others block: of a file that is no image, these are all the rest."""
    from nitroctl.checks import Outcome, Report

    blocked = [check for check in report.having(Outcome.SKIP) if check.required]
    blocks: list[Block] = [Heading("Checks"), Checks(Report.of(check for check in report if check not in blocked))]
    if blocked:
        many = "1 more check is" if len(blocked) == 1 else f"{len(blocked)} more checks are"
        blocks.append(Text(f"{many} blocked by what failed; --json has them all.", "dim"))
    return blocks


def _listed(found: Found) -> list[Block]:
    """Return the entries of the ramdisks that were asked for."""
    from nitroctl.cli.output import canvas

    width = canvas().width
    listed = found.listings.items()
    blocks = [block for number, listing in listed for block in eif_contents.listing_blocks(number, listing, width)]
    return [*blocks, *eif_contents.faults_block(listed)]


def _header_rows(measured: "Measured") -> "list[tuple[str, Value]]":
    header = measured.layout.header
    if header is None or not measured.layout.listed:
        return []
    return [
        ("format", f"version {header.version}, {header.architecture}, flags 0x{header.flags:04x}"),
        ("checksum", f"{header.crc32:08x}"),
        ("default memory", f"{header.default_memory} bytes"),
        ("default CPUs", str(header.default_cpus)),
    ]


def _cmdline(measured: "Measured") -> list[Block]:
    cmdline = _cmdline_json(measured)
    if not cmdline:
        return []
    more = f" (the first {len(measured.cmdline or b'')} bytes)" if cmdline["truncated"] else ""
    return [Fields([("text", str(cmdline["text"]))], title=f"Command line, {cmdline['size_bytes']} bytes{more}")]


def _metadata(measured: "Measured") -> list[Block]:
    found = measured.metadata
    if not found:
        return []
    rows: list[tuple[str, Value]] = [
        ("image name", found.image_name),
        ("image version", found.image_version),
        ("built at", found.build_time),
        ("built by", f"{found.build_tool} {found.build_tool_version}"),
        ("operating system", f"{found.operating_system} {found.kernel_version}"),
        ("Docker info", "null" if found.docker_info is None else "present (shown by --json)"),
        ("custom", "null" if found.custom is None else "present (shown by --json)"),
    ]
    return [Fields(rows, title="Metadata (neither measured nor signed)")]


def _signature(measured: "Measured", now: "datetime") -> list[Block]:
    if not measured.signature:
        return []
    certificate = measured.signature.certificate
    rows: list[tuple[str, Value]] = [
        ("algorithm", measured.signature.algorithm),
        ("subject", certificate.subject),
        ("issuer", certificate.issuer),
        ("serial", certificate.serial),
        ("sha256", certificate.sha256),
        ("PCR8", certificate.pcr8.hex()),
        ("from", rfc3339(certificate.not_before)),
        ("to", rfc3339(certificate.not_after)),
        ("as of", rfc3339(now)),
    ]
    return [Fields(rows, title="Signing certificate (trusted by nobody: chosen by the signer)")]


# -- for machines


def _header_json(measured: "Measured") -> dict[str, object] | None:
    header = measured.layout.header
    if header is None:
        return None
    return {
        "magic": header.magic.hex(),
        "version": header.version,
        "architecture": header.architecture,
        "flags": header.flags,
        "unknown_flag_bits": list(header.unknown_flags),
        "default_memory_bytes": header.default_memory,
        "default_cpus": header.default_cpus,
        "section_count": header.section_count,
        "crc32": f"{header.crc32:08x}",
    }


def _cmdline_json(measured: "Measured") -> dict[str, object] | None:
    from nitroctl.eif.format import SectionType

    if measured.cmdline is None or not measured.layout.agreed:
        return None
    size = measured.layout.of_type(SectionType.CMDLINE)[0].size
    return {
        "text": measured.cmdline.decode("utf-8", "backslashreplace"),
        "size_bytes": size,
        "truncated": size > len(measured.cmdline),
    }


def _metadata_json(measured: "Measured") -> dict[str, object] | None:
    found = measured.metadata
    if found is None:
        return None
    return {
        "image_name": found.image_name,
        "image_version": found.image_version,
        "build_time": found.build_time,
        "build_tool": found.build_tool,
        "build_tool_version": found.build_tool_version,
        "operating_system": found.operating_system,
        "kernel_version": found.kernel_version,
        "docker_info": found.docker_info,
        "custom": found.custom,
    }
