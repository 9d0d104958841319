"""What every question answers with: checks with outcomes, never a bare boolean.

A :class:`Check` is one property looked at. A :class:`Report` is the ordered checks of one question; its verdict is
derived from them and cannot be set. Fail closed: no checks at all is a no, and so is a required check that was skipped.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn


class Outcome(StrEnum):
    """What became of one check."""

    PASS = "pass"  # noqa: S105  (no password)
    FAIL = "fail"
    WARN = "warn"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One property that was looked at, or why it was not.

    ``id``: dotted lower-case nouns, stable (``chain.root-pinned``); has an entry in the catalogue.
    ``title``: what the check establishes, as a statement that is true when it passes.
    ``detail``: one sentence: what was found. ``expected``/``actual``: the two values compared, as text.
    ``remedy``: what to do about a FAIL or WARN. ``source``: the clause the rule comes from (RFC section, AWS page).
    ``required``: a required check must be PASS for the verdict to be yes. ``line``: in the file that was judged,
    from 1, where one line is to blame.
    """

    id: str
    title: str
    outcome: Outcome
    detail: str = ""
    expected: str | None = None
    actual: str | None = None
    remedy: str | None = None
    source: str | None = None
    required: bool = True
    line: int | None = None

    def as_json(self) -> dict[str, object]:
        """Return the check as JSON members, absent ones left out (schema: check/1)."""
        members: dict[str, object] = {
            "id": self.id,
            "title": self.title,
            "outcome": self.outcome.value,
            "required": self.required,
            "detail": self.detail,
            "expected": self.expected,
            "actual": self.actual,
            "remedy": self.remedy,
            "source": self.source,
            "line": self.line,
        }
        return {key: value for key, value in members.items() if value not in (None, "")}


def blocked(check_id: str, title: str, by: str, *, source: str | None = None) -> Check:
    """Return a required check that could not be made because the check ``by`` did not pass."""
    return Check(id=check_id, title=title, outcome=Outcome.SKIP, detail=f"not checked: blocked by {by}", source=source)


def not_requested(check_id: str, title: str, how: str) -> Check:
    """Return a check nobody asked for; ``how`` says which option asks for it. Does not weigh in the verdict."""
    return Check(
        id=check_id, title=title, outcome=Outcome.SKIP, detail=f"not checked: not requested ({how})", required=False
    )


@dataclass(frozen=True, slots=True)
class Report:
    """The checks that answer one question, in the order they were made."""

    checks: tuple[Check, ...]

    @classmethod
    def of(cls, checks: Iterable[Check]) -> "Report":
        """Return a report of ``checks`` in their order."""
        return cls(tuple(checks))

    @property
    def verdict(self) -> Outcome:
        """PASS, or FAIL when there is no check, any check failed, or a required one is not PASS."""
        return Outcome.PASS if self.checks and not self.refusals else Outcome.FAIL

    @property
    def passed(self) -> bool:
        """Whether the verdict is PASS. The long form of what ``bool()`` refuses to say."""
        return self.verdict is Outcome.PASS

    @property
    def refusals(self) -> tuple[Check, ...]:
        """The checks because of which the verdict is FAIL."""
        passed, failed = Outcome.PASS, Outcome.FAIL  # looked up once: verdicts are asked for again and again
        return tuple(
            check
            for check in self.checks
            if check.outcome is not passed and (check.required or check.outcome is failed)
        )

    def having(self, outcome: Outcome) -> tuple[Check, ...]:
        """Return the checks with ``outcome``."""
        return tuple(check for check in self.checks if check.outcome is outcome)

    def __getitem__(self, check_id: str) -> Check:
        """Return the one check with ``check_id``; KeyError when it was not made."""
        for check in self.checks:
            if check.id == check_id:
                return check
        raise KeyError(check_id)

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)

    def __len__(self) -> int:
        return len(self.checks)

    def __add__(self, other: "Report") -> "Report":
        return Report(self.checks + other.checks)

    def __bool__(self) -> NoReturn:
        message = "a Report is not a boolean: ask for .verdict or .passed"
        raise TypeError(message)

    def as_json(self, *, every: bool = True) -> dict[str, object]:
        """Return verdict, counts and checks as JSON members (schema: report/1); without ``every`` no PASS ones."""
        outcomes = [check.outcome for check in self.checks]
        counts = {outcome.value: outcomes.count(outcome) for outcome in Outcome}
        passed = Outcome.PASS
        told = [check.as_json() for check in self.checks if every or check.outcome is not passed]
        return {"verdict": self.verdict.value, "counts": counts, "checks": told}


def first_of(checks: Sequence[Check], outcome: Outcome) -> Check | None:
    """Return the first check with ``outcome``, or None."""
    return next((check for check in checks if check.outcome is outcome), None)
