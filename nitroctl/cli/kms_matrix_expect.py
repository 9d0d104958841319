"""An earlier answer of ``nitroctl kms matrix --json``, and in what a new one differs."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from nitroctl.errors import CannotAnswer

#: The answer to one question: principal, what it attests (empty where that does not matter), action.
Answers = Mapping[tuple[str, str, str], str]
_LIMIT: Final = 64 * 1024 * 1024


class Change(NamedTuple):
    """One answer that is another now; an empty one where the question is not asked."""

    principal: str
    attests: str
    action: str
    before: str
    now: str


def read(path: str) -> Answers:
    """Return the answers in a file. Raises CannotAnswer ``file.*``, ``json.*`` or ``kms.matrix``."""
    from nitroctl import safefile, strict_json

    where = "standard input" if path == "-" else path
    document: Any = strict_json.parse(safefile.read_text(path, limit=_LIMIT), where=where)
    if isinstance(document, dict) and "schema" in document:
        if document["schema"] != "nitroctl/kms.matrix/1" or not isinstance(document.get("data"), dict):
            raise _refused(where)
        document = document["data"]
    try:
        return dict(answers(document))
    except (KeyError, TypeError, AttributeError) as error:
        raise _refused(where) from error


def answers(data: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str, str], str]]:
    """Yield the answers of a document's data."""
    for row in data["principals"]:
        for state in row["attested"]:
            for action, answer in state["answers"].items():
                yield (str(row["principal"]), str(state["attests"]), str(action)), str(answer)
        for action, answer in row["whatever_is_attested"].items():
            yield (str(row["principal"]), "", str(action)), str(answer)


def changes(before: Answers, now: Answers) -> list[Change]:
    """Return in what two answers differ, in the order of the new one."""
    return [
        Change(*place, before.get(place, ""), now.get(place, ""))
        for place in dict.fromkeys([*now, *before])
        if before.get(place) != now.get(place)
    ]


def _refused(where: str) -> CannotAnswer:
    return CannotAnswer(
        f"{where}: no answer of kms matrix", "kms.matrix", ["give what nitroctl kms matrix POLICY --json printed"]
    )
