"""``nitroctl eif verify`` of several images: a line for each as it is verified, and what they come to."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from nitroctl.cli.output import FOR_CHECKS, Canvas, asked, canvas
from nitroctl.errors import CannotAnswer, NitroctlError
from nitroctl.render.result import Result, Stream, Subject
from nitroctl.render.view import Headline, Row, Text

if TYPE_CHECKING:
    from nitroctl.cli.eif_question import Answer, Question

_SCHEMA: Final = "eif.verify.line/1"
#: The column of names is as wide as the longest of them, up to this.
_MOST_NAME: Final = 48


def verify_many(files: Sequence[str], question: "Question") -> Stream:
    """Ask ``question`` of each of ``files``.

    Exit status: 1 when any image is refused; else 3 when any could not be read; else 0.
    """
    from nitroctl.render.plain import visible

    width = min(_MOST_NAME, max(len(visible(file)) for file in files))
    teller = _Teller(question, asked().form, canvas(), width)
    return Stream(chunks=(teller.line(file) for file in files), sanitise=False, summary=teller.summary)


class _Teller:
    """Writes a line about each image, and counts."""

    def __init__(self, question: "Question", form: str, look: Canvas, width: int) -> None:
        self._question = question
        self._form = form
        self._look = look
        self._width = width
        self._outcomes: Counter[str] = Counter()
        self._subjects: list[Subject] = []

    def line(self, file: str) -> bytes:
        """Verify one image and return its line; CI systems are told everything at the end."""
        try:
            answer = self._question.ask(file)
        except NitroctlError as error:
            self._outcomes["unread"] += 1
            self._subjects.append(Subject(file, (), refused=False, trouble=error))
            return self._written(self._unread(file, error))
        from nitroctl.render import ci

        passed = answer.report.passed
        self._outcomes["sound" if passed else "refused"] += 1
        self._subjects.append(Subject(file, tuple(ci.findings(answer.report)), refused=not passed))
        return self._written(self._told(answer))

    def _told(self, answer: "Answer") -> Result:
        from nitroctl import pcr
        from nitroctl.checks import Outcome

        refused = not answer.report.passed
        if refused:
            said = f"{answer.reason} [{answer.report.refusals[0].id}]"
        else:
            entries = ", ".join(entry.id for entry in answer.compared.matches) if answer.compared else ""
            said = f"{entries or 'sound'}  {pcr.name(0)} {answer.measured.pcrs[0].hex()}"
        row = Row(Outcome.FAIL if refused else Outcome.PASS, [(answer.file, self._width), (said, 0)])
        return Result(schema=_SCHEMA, data=answer.data(every=False), view=[row], refused=refused)

    def _unread(self, file: str, error: NitroctlError) -> Result:
        from nitroctl.checks import Outcome

        said = f"not read: {error.message.removeprefix(f'{file}: ')} [{error.code}]"
        row = Row(Outcome.SKIP, [(file, self._width), (said, 0)])
        return Result(schema=_SCHEMA, data={"file": file}, view=[row], trouble=[error])

    def _written(self, result: Result) -> bytes:
        if self._form in FOR_CHECKS:
            return b""
        if self._form == "json":
            from nitroctl.render import envelope

            return envelope.line(envelope.of_result(result)).encode("ascii")
        from nitroctl.render.human import Screen

        screen = Screen(colour=self._look.colour, width=self._look.width, encoding=self._look.encoding)
        return screen.draw(result.view).encode(self._look.encoding)

    def summary(self) -> Result:
        """Return what they come to: refused when any is, trouble when none is and any could not be read."""
        from nitroctl.checks import Outcome
        from nitroctl.instants import rfc3339

        sound, refused, unread = (self._outcomes[name] for name in ("sound", "refused", "unread"))
        outcome = Outcome.FAIL if refused else Outcome.WARN if unread else Outcome.PASS
        notes = list(self._question.notes) if sound else []
        trouble: list[NitroctlError] = []
        if unread and not refused:
            trouble = [_some_unread(unread, self._outcomes.total())]
        elif unread:
            notes.append(f"{unread} could not be read; of what cannot be read nothing is said")
        sentence = self._sentence(sound, refused, unread)
        return Result(
            schema="eif.verify.many/1",
            data={
                "sentence": sentence,
                "as_of": rfc3339(self._question.at),
                "images": self._outcomes.total(),
                "sound": sound,
                "refused": refused,
                "unread": unread,
            },
            view=[Text(""), Headline(sentence, outcome)],
            refused=bool(refused),
            notes=notes,
            trouble=trouble,
            subjects=self._subjects,
        )

    def _sentence(self, sound: int, refused: int, unread: int) -> str:
        from nitroctl.instants import rfc3339

        total = self._outcomes.total()
        question = self._question
        expected = question.recorded or question.expected.pcrs or question.expected.signer
        what = "sound, and the image expected" if expected else "sound"
        of = (
            f"all {total} images are"
            if sound == total
            else f"{sound} of {total} images {'is' if sound == 1 else 'are'}"
        )
        rest = [f"{refused} refused"] if refused else []
        rest += [f"{unread} could not be read"] if unread else []
        return "; ".join([f"{of} {what}, as of {rfc3339(question.at)}", *([", ".join(rest)] if rest else [])])


def _some_unread(unread: int, total: int) -> CannotAnswer:
    return CannotAnswer(
        f"{unread} of {total} images could not be read",
        "eif.unread",
        ["the answer about each says why"],
    )
