"""One line of ``nitroctl kms trail``: for people, or as JSON."""

from typing import TYPE_CHECKING, Final

from nitroctl.cli.output import Canvas
from nitroctl.errors import NitroctlError
from nitroctl.render.result import Result
from nitroctl.render.view import Row

if TYPE_CHECKING:
    from nitroctl.kms.trail import Line

_SCHEMA: Final = "kms.trail.line/1"
#: Columns: an instant, the longest name of a use, a key's id.
_TIME, _NAME, _KEY = 20, 19, 36


class Writer:
    """Writes lines. ``form``: after ``--format``. ``every``: people are shown each, not only the first of its kind."""

    def __init__(self, form: str, look: Canvas, *, every: bool) -> None:
        self._json = form == "json"
        self._look = look
        self._every = every

    def line(self, line: "Line | NitroctlError") -> bytes:
        """Return one line, or nothing for what people are not shown."""
        if isinstance(line, NitroctlError):
            return self._written(_unread(line))
        if self._json:
            from nitroctl.checks import Outcome

            result = Result(schema=_SCHEMA, data=members(line), view=[], refused=line.outcome is Outcome.FAIL)
            return self._written(result)
        if not line.new and not self._every:
            return b""
        return self._written(Result(schema=_SCHEMA, data={}, view=[row(line)]))

    def _written(self, result: Result) -> bytes:
        if self._json:
            from nitroctl.render import envelope

            return envelope.line(envelope.of_result(result)).encode("ascii")
        from nitroctl.render.human import Screen

        look = self._look
        screen = Screen(colour=look.colour, width=look.width, encoding=look.encoding)
        return screen.draw(result.view).encode(look.encoding)


def _unread(error: NitroctlError) -> Result:
    from nitroctl.checks import Outcome

    view = [Row(Outcome.SKIP, [(f"not read: {error.message} [{error.code}]", 0)])]
    return Result(schema=_SCHEMA, data={}, view=view, trouble=[error])


def row(line: "Line") -> Row:
    """Return a line for people."""
    from nitroctl.checks import Outcome

    event = line.event
    said = line.said
    if event.attested and event.attested.module_id:
        image = line.judged.said if line.judged else said
        said = f"{image}, in {event.attested.module_id}{said.removeprefix(image)}"  # the remarks after it
    if line.outcome is not Outcome.PASS:
        said += f" [{line.id}]"
    return Row(
        line.outcome,
        [(event.time, _TIME), (event.name, _NAME), (event.key_id or event.key or "no key", _KEY), (said, 0)],
    )


def members(line: "Line") -> dict[str, object]:
    """Return the members of kms.trail.line/1."""
    event = line.event
    return {
        "time": event.time,
        "event": event.name,
        "event_id": event.id or None,
        "outcome": line.outcome.value,
        "finding": line.id,
        "remarks": [{"finding": name, "said": said} for name, said in line.remarks],
        "said": line.said,
        "first_of_its_kind": line.new,
        "key": event.key or None,
        "key_id": event.key_id or None,
        "region": event.region or None,
        "principal": event.principal or None,
        "role": event.role or None,
        "source_address": event.address or None,
        "user_agent": event.agent or None,
        "error_code": event.error or None,
        "attestation": _attestation(line),
        "image": _image(line),
        "policy": line.policy and line.policy._asdict(),
        "where": event.where,
    }


def _attestation(line: "Line") -> dict[str, object] | None:
    from nitroctl import pcr

    attested = line.event.attested
    if attested is None:
        return None
    return {
        "platform": attested.platform,
        "module_id": attested.module_id or None,
        "instance_id": attested.instance or None,
        "pcrs": pcr.as_hex(dict(attested.registers)),
        "unreadable": attested.fault or None,
    }


def _image(line: "Line") -> dict[str, object] | None:
    from nitroctl import pcr

    judged = line.judged
    if judged is None:
        return None
    return {
        "entry": judged.entry.id if judged.entry else None,
        "status_now": judged.entry.status.value if judged.entry else None,
        "compared": [pcr.name(index) for index in judged.compared],
        "not_logged": [pcr.name(index) for index in judged.not_logged],
        "nearest": judged.nearest or None,
    }
