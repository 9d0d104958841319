"""One document among many: judged, and written as one line, for people or as JSON.

A :class:`Clerk` does both where the document is, so that a process that judges also does the writing, and only lines
and what they add to the summary come back.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nitroctl.cli.output import FOR_CHECKS, Canvas
from nitroctl.errors import NitroctlError
from nitroctl.render.result import Result, Subject
from nitroctl.render.view import Row

if TYPE_CHECKING:
    from nitroctl.appraisal.judge import Judge, Judgement
    from nitroctl.evidence.container import Unwrapped
    from nitroctl.evidence.sources import Source

SCHEMA = "attest.verify.line/1"


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one document.

    ``text``: its line or lines, ready for stdout. ``outcome``: ``accepted``, ``refused`` or ``unread``. ``reason``: the
    id of the check that refused it, or the code of the error why it could not be read. ``title``: that check's.
    ``root``: the accepted root it is under, name and SHA-256. ``notes``: what there is to know beside the answer.
    ``subject``: what a CI system is told of it, when the answer is for one; there is no text then.
    """

    text: bytes
    outcome: str
    reason: str = ""
    title: str = ""
    root: tuple[str, str] | None = None
    notes: tuple[str, ...] = ()
    subject: Subject | None = None


@dataclass(frozen=True, slots=True)
class Clerk:
    """Judges documents and writes the answers. ``form``: after ``--format``; ``canvas``: what stdout can show."""

    judge: "Judge"
    form: str
    canvas: Canvas

    def answer(self, source: "Source", width: int) -> Line:
        """Judge what stands at ``source``; ``width``: of the column of names, for people."""
        try:
            unwrapped = source.unwrap()
        except NitroctlError as error:
            if self.form in FOR_CHECKS:
                return Line(b"", "unread", error.code, subject=Subject(source.name, (), False, error))
            return Line(self._written(_unread(source.name, error, width)), "unread", error.code)
        judgement = self.judge.judge(unwrapped.cbor)
        if self.form in FOR_CHECKS:
            return _for_ci(source.name, judgement)
        if judgement.passed:
            result = self._judged(source.name, unwrapped, judgement, None, width)
            root = judgement.root
            under = (root.name, root.fingerprint) if root else None
            return Line(self._written(result), "accepted", root=under, notes=_notes(judgement))
        from nitroctl.appraisal.judge import gravest

        report = judgement.verified.report
        authentic = report.passed
        if authentic and judgement.appraised:
            report = judgement.appraised.report
        check = gravest(report)
        said = f"not {'acceptable' if authentic else 'authentic'}: {check.detail} [{check.id}]"
        result = self._judged(source.name, unwrapped, judgement, said, width)
        return Line(self._written(result), "refused", check.id, check.title, notes=_notes(judgement))

    def packed(self, line: Line) -> tuple[object, ...]:
        """Return a line as it is sent from one process to another."""
        return line.text, line.outcome, line.reason, line.title, line.root, line.notes, line.subject

    def unpacked(self, sent: tuple[Any, ...]) -> Line:
        """Return the line that was sent."""
        return Line(*sent)

    def _judged(
        self, name: str, unwrapped: "Unwrapped", judgement: "Judgement", refusal: str | None, width: int
    ) -> Result:
        """Return the answer with data or a view, whichever is asked for. ``refusal``: None when it is accepted."""
        from nitroctl.checks import Outcome

        refused = refusal is not None
        if self.form == "json":
            data, view = _members(name, unwrapped, judgement), []
        else:
            values = [(refusal, 0)] if refusal is not None else _facts(judgement)
            data, view = {}, [Row(Outcome.FAIL if refused else Outcome.PASS, [(name, width), *values])]
        return Result(schema=SCHEMA, data=data, view=view, refused=refused, notes=judgement.notes)

    def _written(self, result: Result) -> bytes:
        if self.form == "json":
            from nitroctl.render import envelope

            return envelope.line(envelope.of_result(result)).encode("ascii")
        from nitroctl.render.human import Screen

        look = self.canvas
        screen = Screen(colour=look.colour, width=look.width, encoding=look.encoding)
        return screen.draw(result.view).encode(look.encoding)


def _notes(judgement: "Judgement") -> tuple[str, ...]:
    """Return what there is to know beside the line, which has no room for warnings: of lists that somebody gave."""
    from nitroctl.checks import Outcome
    from nitroctl.evidence.rules import CHAIN_REVOCATION

    warned = judgement.verified.report.having(Outcome.WARN)
    lists = [
        f"{_LISTED if check.actual else _UNUSED}; --json has why [{check.id}]"
        for check in warned
        if check.id == CHAIN_REVOCATION.id
    ]
    return (*judgement.notes, *lists)


_LISTED = "a revocation list that was given names a certificate of the chain, and does not count as its issuer's word"
_UNUSED = "a revocation list that was given could not be used"


def _for_ci(name: str, judgement: "Judgement") -> Line:
    """Return what became of a document without a line of its own: CI systems are told everything at the end."""
    from nitroctl.render import ci

    root = judgement.root
    return Line(
        b"",
        "accepted" if judgement.passed else "refused",
        root=(root.name, root.fingerprint) if root else None,
        notes=_notes(judgement),
        subject=Subject(name, tuple(ci.findings(judgement.report)), not judgement.passed),
    )


#: Columns: the widths of the module id of an enclave, the longest region, and an instant with milliseconds.
_MODULE_ID, _REGION, _TIME = 39, 14, 24


def _facts(judgement: "Judgement") -> list[tuple[str, int]]:
    """Return what people see of a document that is accepted: whose, where, when, and what it was compared with."""
    from nitroctl.evidence.chain import instant
    from nitroctl.evidence.derived import derive

    document = judgement.parsed.document
    if document is None:  # nothing is accepted without one
        return []
    region = derive(document, judgement.verified.chain.certificates).region
    comparison = judgement.appraised.comparison if judgement.appraised else None
    return [
        (document.module_id, _MODULE_ID),
        (region or "-", _REGION),
        (instant(document.time), _TIME),
        (comparison.reference.label if comparison else "not appraised", 0),
    ]


def _unread(name: str, error: NitroctlError, width: int) -> Result:
    from nitroctl.checks import Outcome

    reason = error.message.removeprefix(f"{name}: ").removeprefix("standard input: ")
    view = [Row(Outcome.SKIP, [(name, width), (f"not read: {reason} [{error.code}]", 0)])]
    return Result(schema=SCHEMA, data={"file": name}, view=view, trouble=[error])


def _members(name: str, unwrapped: "Unwrapped", judgement: "Judgement") -> Mapping[str, object]:
    """Return the members of attest.verify/1; of the checks only those that did not pass."""
    return {
        "file": name,
        "encoding": unwrapped.encoding,
        "size_bytes": len(unwrapped.cbor),
        "sha256": hashlib.sha256(unwrapped.cbor).hexdigest(),
        **judgement.as_json(every=False),
    }
