"""What ``nitroctl pcr reproduce`` answers: to machines, and to people."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nitroctl.render.result import Result
from nitroctl.render.view import Block, Cell, Checks, Fields, Heading, Headline, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nitroctl.checks import Report
    from nitroctl.cli.image_build import Made
    from nitroctl.eif.diff import Compared
    from nitroctl.errors import NitroctlError
    from nitroctl.records import Build, Entry, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of it. ``compared``: the recorded image and the new one, when the recorded one was given."""

    entry: "Entry"
    made: "Made"
    build: "Build"
    report: "Report"
    differing: tuple[int, ...]
    causes: tuple[str, ...]
    compared: "Compared | None"
    output: str | None

    @property
    def measured(self) -> bool:
        """Whether there is an image to compare."""
        return self.made.report.passed


def result(
    path: str, done: Done, step: "Step | None", trouble: "Sequence[NitroctlError]", notes: "Sequence[str]"
) -> Result:
    """Return the answer. ``step``: what --as recorded, None for nothing. ``trouble``: why it was not."""
    from nitroctl import pcr
    from nitroctl.cli import eif_diff_json
    from nitroctl.eif.diff_told import sentence

    entry, made = done.entry, done.made
    was = entry.build.inputs if entry.build else {}
    data = {
        "records": path,
        "entry": entry.id,
        "reproduced": done.report.passed,
        "pcrs": pcr.as_hex(made.measured.pcrs),
        "recorded_pcrs": pcr.as_hex(entry.pcrs),
        "differing": [pcr.name(index) for index in done.differing],
        "inputs": [
            {"role": role, "recorded": was.get(role), "found": done.build.inputs.get(role)}
            for role in sorted({*was, *done.build.inputs})
        ],
        "versions": {
            "recorded": dict(entry.build.versions) if entry.build else {},
            "found": dict(done.build.versions),
        },
        "source": made.request.called,
        "size_bytes": made.measured.size,
        "sha256": made.measured.sha256,
        "same_file": entry.artifact is not None and entry.artifact.sha256 == made.measured.sha256,
        "output_file": done.output,
        "causes": list(done.causes),
        "difference": done.compared and eif_diff_json.data(done.compared, sentence(done.compared)),
        "credited": None
        if step is None
        else {
            "unchanged": step.unchanged,
            "reproduced_by": list(step.after.build.reproduced_by if step.after.build else ()),
        },
        "report": done.report.as_json(),
    }
    return Result(
        schema="pcr.reproduce/1",
        data=data,
        view=_view(done, step),
        refused=not done.report.passed,
        notes=[*notes, *_notes(done)],
        report=done.report,
        subject=path,
        trouble=trouble,
    )


def _view(done: Done, step: "Step | None") -> list[Block]:
    from nitroctl.checks import Outcome
    from nitroctl.cli import eif_diff_view

    good = done.report.passed
    view: list[Block] = [Headline(f"{done.entry.id}: {_sentence(done)}", Outcome.PASS if good else Outcome.FAIL)]
    if done.measured:
        view.append(Fields(_rows(done, step)))
    if len(done.causes) > 1:
        view.append(Fields([(str(number), text) for number, text in enumerate(done.causes, 1)], title="Causes"))
    if done.compared:
        view += [Heading("A is the recorded image, B the new one"), *eif_diff_view.blocks(done.compared)]
    if any(check.outcome is not Outcome.PASS for check in done.report):
        view += [Heading("Checks"), Checks(done.report, every=False)]
    return view


def _sentence(done: Done) -> str:
    from nitroctl.eif.diff_told import registers

    if not done.measured:
        return f"not reproduced: {done.report.refusals[0].detail}"
    if not done.differing:
        return "reproduced: PCR0, PCR1 and PCR2 are the recorded ones"
    verb = "differs" if len(done.differing) == 1 else "differ"
    return f"not reproduced: {registers(done.differing)} {verb}: {done.causes[0]}"


def _rows(done: Done, step: "Step | None") -> list[tuple[str, Value]]:
    from nitroctl import pcr
    from nitroctl.records.reproduce import IMAGE

    entry, measured = done.entry, done.made.measured
    rows: list[tuple[str, Value]] = [
        (pcr.name(index), Cell("differs, see below", "dim") if index in done.differing else entry.pcrs[index].hex())
        for index in IMAGE
    ]
    rows.append(("source", done.made.request.called))
    if done.output:
        rows.append(("image", f"{done.output}, {measured.size} bytes"))
    if step and step.after.build:
        rows.append(("reproduced by", ", ".join(step.after.build.reproduced_by)))
    return rows


def _notes(done: Done) -> list[str]:
    entry = done.entry
    found = []
    if not done.differing and done.measured and entry.artifact and entry.artifact.sha256 != done.made.measured.sha256:
        found.append("the files differ in what is not measured: metadata, or the signature")
    if done.differing and done.compared is None:
        found.append(f"--image FILE, with the recorded image of {entry.id}, says down to the file what differs")
    if entry.status.value in ("retired", "revoked"):
        found.append(f"this version is {entry.status}: it accepts nothing")
    return found
