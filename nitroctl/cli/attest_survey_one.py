"""The documents of a survey: each judged, in whichever process that happens, and what the survey takes from it."""

from typing import TYPE_CHECKING, Final, NamedTuple

from nitroctl.errors import NitroctlError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from nitroctl.appraisal.judge import Judge
    from nitroctl.evidence.sources import Source
    from nitroctl.evidence.survey import Facts

#: The most that is kept of a sentence about a document that was refused: it may quote what the document says.
_SENTENCE: Final = 500


class Refused(NamedTuple):
    """A document that is not authentic: the check that refused it, and why."""

    name: str
    check: str
    sentence: str


class Unread(NamedTuple):
    """An input that could not be read."""

    name: str
    error: NitroctlError


class Surveyor:
    """Judges documents for a survey; its answers go between processes as they are."""

    def __init__(self, judge: "Judge") -> None:
        self._judge = judge

    def answer(self, source: "Source", _width: int = 0) -> "Facts | Refused | Unread":
        """Judge what stands at ``source``."""
        from nitroctl.appraisal.judge import gravest
        from nitroctl.evidence.survey import facts

        try:
            cbor = source.unwrap().cbor
        except NitroctlError as error:
            return Unread(source.name, error)
        judgement = self._judge.judge(cbor)
        verified = judgement.verified
        if verified.report.passed:
            return facts(source.name, judgement.parsed, verified.chain)
        check = gravest(verified.report)
        sentence = check.detail
        if len(sentence) > _SENTENCE:
            sentence = f"{sentence[:_SENTENCE]}… ({len(sentence)} characters)"
        return Refused(source.name, check.id, sentence)

    def packed(self, answer: "Facts | Refused | Unread") -> object:
        """Return an answer as it is sent from one process to another."""
        return answer

    def unpacked(self, sent: "Facts | Refused | Unread") -> "Facts | Refused | Unread":
        """Return the answer that was sent."""
        return sent


def judged(judge: "Judge", documents: "Iterator[Source]", *, jobs: int) -> "Generator[Facts | Refused | Unread]":
    """Yield what is found of each document, in their order, by ``jobs`` processes."""
    surveyor = Surveyor(judge)
    if jobs > 1:
        from nitroctl.cli import attest_pool

        yield from attest_pool.answers(surveyor, ((source, 0) for source in documents), jobs=jobs)
    else:
        yield from map(surveyor.answer, documents)
