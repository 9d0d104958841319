"""What is said about an image that nitroctl built itself: to machines, and to people."""

import shlex
from typing import TYPE_CHECKING

from nitroctl.cli import image_output
from nitroctl.cli.image_build import Made
from nitroctl.instants import rfc3339_of
from nitroctl.render.view import Block, Cell, Checks, Fields, Heading, Headline

if TYPE_CHECKING:
    from nitroctl.eif.tree import Remark
    from nitroctl.records import Recorded


def outcome(made: Made, recorded: "Recorded | None") -> dict[str, object]:
    """Return the members of the answer that are about the finished file."""
    from nitroctl import pcr

    measured = made.measured
    return {
        "output_file": made.request.output,
        "written": made.report.passed,
        "size_bytes": measured.size,
        "sha256": measured.sha256,
        "pcrs": pcr.as_hex(measured.pcrs),
        "signed": measured.signature is not None,
        "recorded": recorded and {"id": recorded.entry.id, "outcome": recorded.outcome.value},
    }


def view(made: Made, recorded: "Recorded | None", *, explain: bool) -> list[Block]:
    """Return the answer for people."""
    from nitroctl.checks import Outcome

    output, report = made.request.output, made.report
    blocks: list[Block]
    if report.passed:
        blocks = [Headline(f"{output}: built, and it measures what was written", Outcome.PASS)]
        blocks += [Fields(image_output.rows(made.measured, recorded)), _made_of(made)]
        blocks += [Heading("Checks"), Checks(report, every=False)] if report.having(Outcome.WARN) else []
    else:
        blocks = [Headline(f"{output}: not written: {report.refusals[0].detail}", Outcome.FAIL)]
        blocks += [Checks(report, every=True)]
    return [*blocks, _explained(made)] if explain else blocks


def details(made: Made) -> dict[str, object]:
    """Return the members of the answer that are about how the image was made (schema: eif.build/1)."""
    import hashlib

    plan, parts = made.plan, made.plan.parts
    config = plan.source.config
    return {
        "architecture": parts.architecture,
        "source": {
            "path": made.request.called,
            "kind": plan.source.kind,
            "image_id": config.id if config else None,
            "manifest": (config.manifest or None) if config else None,
            "names": list(config.names) if config else [],
            "files": len(plan.source.nodes),
        },
        "kernel": {"format": parts.identity.format, "version": parts.identity.version},
        "parts": [
            *(
                {"role": part.role, "path": part.path, "size_bytes": part.size, "sha256": part.sha256}
                for part in parts.inputs
            ),
            {
                "role": "cmdline",
                "path": parts.cmdline_path,
                "size_bytes": len(parts.cmdline),
                "sha256": hashlib.sha256(parts.cmdline).hexdigest(),
            },
        ],
        "command": list(plan.start.words),
        "environment": list(plan.start.environment),
        "source_date_epoch": plan.epoch,
        "remarks": [
            {
                "id": remark.id,
                "concern": remark.concern.value,
                "detail": remark.detail,
                "count": remark.count,
                "examples": [example.decode("utf-8", "backslashreplace") for example in remark.examples],
            }
            for remark in made.remarks
        ],
    }


def _made_of(made: Made) -> Fields:
    """Return what the image was made of, for people."""
    from nitroctl.eif.kernel import UNKNOWN

    plan, parts = made.plan, made.plan.parts
    config = plan.source.config
    named = f" ({', '.join(config.names)})" if config and config.names else ""
    form = "not recognised" if parts.identity.format == UNKNOWN else parts.identity.format
    kernel = " ".join(part for part in (form, parts.identity.version) if part)
    return Fields(
        [
            ("source", f"{made.request.called}: {plan.source.kind}, {len(plan.source.nodes)} files{named}"),
            ("command", shlex.join(plan.start.words)),
            ("kernel", f"{parts.kernel.path}: {kernel}, {parts.architecture}"),
            ("init", parts.init.path),
            ("driver", parts.nsm.path if parts.nsm else Cell("none", "dim")),
            ("times", f"no later than {rfc3339_of(plan.epoch)}"),
        ],
        title="Made of",
    )


_CONCERNS = {"unpinned": "not pinned", "lost": "not carried over", "changed": "set by nitroctl"}


def _explained(made: Made) -> Fields:
    """Return all remarks, for people."""
    rows = [(_CONCERNS[remark.concern.value], _told(remark)) for remark in made.remarks]
    return Fields(rows, title="Reproducibility")


def _told(remark: "Remark") -> str:
    if not remark.count:
        return remark.detail
    names = ", ".join(example.decode("utf-8", "backslashreplace") for example in remark.examples)
    more = ", …" if remark.count > len(remark.examples) else ""
    return f"{remark.detail} ({remark.count}: {names}{more})"
