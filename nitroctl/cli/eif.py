"""``nitroctl eif``: what an image file is, and its measurements, without nitro-cli."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli.tree import noun, verb
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Cell, Checks, Fields, Heading, Headline, Table, Value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nitroctl.checks import Report
    from nitroctl.eif.format import Section
    from nitroctl.eif.measure import Measured, View

app = noun("Read and measure enclave image files without nitro-cli.")

_File = Annotated[str, typer.Argument(help="The enclave image file (EIF).", metavar="FILE")]
_READERS = {
    "sequence": "A reader that follows the section sizes (nitro-cli)",
    "table": "A reader that follows the header's table (QEMU)",
}


@verb(
    app,
    "measure",
    """
nitroctl eif measure image.eif
nitroctl eif measure image.eif --json
""",
)
def measure(file: _File) -> Result:
    """Compute an image's PCR0, PCR1, PCR2 and, when it is signed, PCR8 from the file alone.

    The registers are those that nitro-cli prints and that the enclave's attestation documents carry. A file that not
    every reader would take for the same image has none: the answer is no, and what each reader would compute is shown.
    """
    from nitroctl import pcr
    from nitroctl.checks import Outcome
    from nitroctl.eif.measure import measure as measure_file

    measured = measure_file(file)
    told = _told(measured.report)
    data = {
        "file": file,
        "size_bytes": measured.size,
        "sha256": measured.sha256 or None,
        "measurable": measured.measurable,
        "pcrs": pcr.as_hex(measured.pcrs),
        "views": [] if measured.measurable else [_view_json(view) for view in measured.views],
        "report": measured.report.as_json(),
    }
    view: list[Block]
    if measured.measurable:
        view = [Fields([*pcr.as_hex(measured.pcrs).items(), *_identity(measured)]), Checks(told)]
    else:
        headline = Headline(f"{file} cannot be measured: {measured.report.refusals[0].detail}", Outcome.FAIL)
        view = [headline, Fields(_identity(measured)), Heading("Checks"), Checks(told), *_views(measured)]
    return Result(schema="eif.measure/1", data=data, view=view, refused=not measured.measurable, report=measured.report)


@verb(
    app,
    "inspect",
    """
nitroctl eif inspect image.eif
nitroctl eif inspect image.eif --json
""",
)
def inspect(file: _File) -> Result:
    """Show everything an image file says, and whether it is built so that every reader sees the same image.

    Metadata is whatever the builder wrote: it is neither measured nor signed. The signing certificate is whatever the
    signer chose: compare PCR8, or the fingerprint, with what you expect.
    """
    from datetime import UTC, datetime

    from nitroctl import pcr
    from nitroctl.checks import Outcome, Report
    from nitroctl.eif.measure import measure as measure_file

    now = datetime.now(UTC).replace(microsecond=0)
    measured = measure_file(file)
    report = measured.report
    if measured.signature:
        from nitroctl.eif.signature import dates

        report += Report((dates(measured.signature.certificate, now),))
    sections = measured.layout.sections if measured.layout.agreed else ()
    data = {
        "file": file,
        "as_of": _time(now),
        "size_bytes": measured.size,
        "sha256": measured.sha256 or None,
        "measurable": measured.measurable,
        "header": _header_json(measured),
        "sections": [_section_json(section) for section in sections],
        "cmdline": _cmdline_json(measured),
        "metadata": _metadata_json(measured),
        "signature": _signature_json(measured),
        "pcrs": pcr.as_hex(measured.pcrs),
        "views": [] if measured.measurable else [_view_json(view) for view in measured.views],
        "report": report.as_json(),
    }
    if measured.measurable:
        headline = Headline(f"{file} is well-formed: every known reader sees the same image", Outcome.PASS)
    else:
        headline = Headline(f"{file} is refused: {report.refusals[0].detail}", Outcome.FAIL)
    view: list[Block] = [headline, Fields([*_identity(measured), *_header_rows(measured)])]
    if measured.measurable:
        view.append(Fields(list(pcr.as_hex(measured.pcrs).items()), title="Measurements"))
    if sections:
        view.append(_section_table(sections, "Sections"))
    view += _contents(measured, now)
    view += [Heading("Checks"), Checks(report)]
    if not measured.measurable:
        view += _views(measured)
    return Result(schema="eif.inspect/1", data=data, view=view, refused=not report.passed, report=report)


# -- for people


def _told(report: "Report") -> "Report":
    """Return the checks that failed or warn: what an answer about registers has to mention."""
    from nitroctl.checks import Outcome, Report

    return Report.of(check for check in report if check.outcome in (Outcome.FAIL, Outcome.WARN))


def _identity(measured: "Measured") -> "list[tuple[str, Value]]":
    unread = Cell("not computed: the headers are those of no readable image", "dim")
    return [("sha256", measured.sha256 or unread), ("size", f"{measured.size} bytes")]


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


def _section_table(sections: "Sequence[Section]", title: str) -> Table:
    rows = [
        (str(number), section.kind, str(section.offset), str(section.size), f"0x{section.flags:04x}")
        for number, section in enumerate(sections)
    ]
    return Table(("#", "section", "offset", "bytes", "flags"), rows, title=title, empty="no section")


def _contents(measured: "Measured", now: "datetime") -> list[Block]:
    blocks: list[Block] = []
    cmdline = _cmdline_json(measured)
    if cmdline:
        more = f" (the first {len(measured.cmdline or b'')} bytes)" if cmdline["truncated"] else ""
        blocks.append(
            Fields([("text", str(cmdline["text"]))], title=f"Command line, {cmdline['size_bytes']} bytes{more}")
        )
    if measured.metadata:
        found = measured.metadata
        rows: list[tuple[str, Value]] = [
            ("image name", found.image_name),
            ("image version", found.image_version),
            ("built at", found.build_time),
            ("built by", f"{found.build_tool} {found.build_tool_version}"),
            ("operating system", f"{found.operating_system} {found.kernel_version}"),
            ("Docker info", "null" if found.docker_info is None else "present (shown by --json)"),
            ("custom", "null" if found.custom is None else "present (shown by --json)"),
        ]
        blocks.append(Fields(rows, title="Metadata (neither measured nor signed)"))
    if measured.signature:
        certificate = measured.signature.certificate
        blocks.append(
            Fields(
                [
                    ("algorithm", measured.signature.algorithm),
                    ("subject", certificate.subject),
                    ("issuer", certificate.issuer),
                    ("serial", certificate.serial),
                    ("sha256", certificate.sha256),
                    ("PCR8", certificate.pcr8.hex()),
                    ("from", _time(certificate.not_before)),
                    ("to", _time(certificate.not_after)),
                    ("as of", _time(now)),
                ],
                title="Signing certificate (chosen by the signer)",
            )
        )
    return blocks


def _views(measured: "Measured") -> list[Block]:
    """Show what each kind of reader would make of a file that has no measurements of its own."""
    from nitroctl import pcr

    if not any(view.walk.sections or view.pcrs for view in measured.views):
        return []
    table, sequence = measured.views
    if table.walk == sequence.walk and table.pcrs == sequence.pcrs:
        rows = list(pcr.as_hex(table.pcrs).items())
        return [Fields(rows, title="What readers that do not check would compute")]
    blocks: list[Block] = []
    for view in measured.views:
        blocks.append(Heading(_READERS[view.name]))
        if view.walk.sections:
            blocks.append(_section_table(view.walk.sections, ""))
        if view.pcrs:
            blocks.append(Fields(list(pcr.as_hex(view.pcrs).items())))
        else:
            reason = "; ".join(problem.text for problem in view.walk.problems) or "not computed"
            blocks.append(Fields([("no registers", Cell(reason, "dim"))]))
    return blocks


# -- for machines


def _time(instant: "datetime") -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")


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


def _section_json(section: "Section") -> dict[str, object]:
    return {
        "type": section.type,
        "kind": section.kind,
        "offset": section.offset,
        "size_bytes": section.size,
        "flags": section.flags,
    }


def _view_json(view: "View") -> dict[str, object]:
    from nitroctl import pcr

    return {
        "reader": view.name,
        "sections": [_section_json(section) for section in view.walk.sections],
        "problems": [problem.text for problem in view.walk.problems],
        "crc32": None if view.crc32 is None else f"{view.crc32:08x}",
        "pcrs": pcr.as_hex(view.pcrs),
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


def _signature_json(measured: "Measured") -> dict[str, object] | None:
    if measured.signature is None:
        return None
    certificate = measured.signature.certificate
    return {
        "algorithm": measured.signature.algorithm,
        "certificate": {
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "serial": certificate.serial,
            "curve": certificate.curve,
            "not_before": _time(certificate.not_before),
            "not_after": _time(certificate.not_after),
            "sha256": certificate.sha256,
            "pcr8": certificate.pcr8.hex(),
        },
    }
