"""``nitroctl eif inspect``: everything an image file says."""

from typing import TYPE_CHECKING

from nitroctl.cli.eif_view import ImageFile, identity, section_json, section_table, time, view_json, views
from nitroctl.render.result import Result
from nitroctl.render.view import Block, Checks, Fields, Heading, Headline, Value

if TYPE_CHECKING:
    from datetime import datetime

    from nitroctl.eif.measure import Measured

EXAMPLES = """
nitroctl eif inspect image.eif
nitroctl eif inspect image.eif --json
"""


def inspect(file: ImageFile) -> Result:
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
        "as_of": time(now),
        "size_bytes": measured.size,
        "sha256": measured.sha256 or None,
        "measurable": measured.measurable,
        "header": _header_json(measured),
        "sections": [section_json(section) for section in sections],
        "cmdline": _cmdline_json(measured),
        "metadata": _metadata_json(measured),
        "signature": _signature_json(measured),
        "pcrs": pcr.as_hex(measured.pcrs),
        "views": [] if measured.measurable else [view_json(view) for view in measured.views],
        "report": report.as_json(),
    }
    if measured.measurable:
        headline = Headline(f"{file} is well-formed: every known reader sees the same image", Outcome.PASS)
    else:
        headline = Headline(f"{file} is refused: {report.refusals[0].detail}", Outcome.FAIL)
    view: list[Block] = [headline, Fields([*identity(measured), *_header_rows(measured)])]
    if measured.measurable:
        view.append(Fields(list(pcr.as_hex(measured.pcrs).items()), title="Measurements"))
    if sections:
        view.append(section_table(sections, "Sections"))
    view += _contents(measured, now)
    view += [Heading("Checks"), Checks(report)]
    if not measured.measurable:
        view += views(measured)
    return Result(schema="eif.inspect/1", data=data, view=view, refused=not report.passed, report=report)


# -- for people


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
                    ("from", time(certificate.not_before)),
                    ("to", time(certificate.not_after)),
                    ("as of", time(now)),
                ],
                title="Signing certificate (chosen by the signer)",
            )
        )
    return blocks


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
            "not_before": time(certificate.not_before),
            "not_after": time(certificate.not_after),
            "sha256": certificate.sha256,
            "pcr8": certificate.pcr8.hex(),
        },
    }
