"""The second opinion on an allocator file: what a YAML reader sees where the allocator's shell script reads lines."""

import re
from typing import Final

from nitroctl.checks import Check, Outcome
from nitroctl.host.allocator import KEYS, AllocatorFile

_ID: Final = "allocator.yaml-agrees"
_TITLE: Final = "a YAML reader sees what the allocator reads"
_SOURCE: Final = "YAML 1.1, as PyYAML reads it"
#: The form nitroctl writes: in it YAML and the allocator cannot differ, and no YAML reader is loaded to say so.
_PLAIN: Final = (
    rb"(?: *#[\x20-\x5b\x5d-\x7e]*\n)*---\n"  # a comment may not end in a backslash
    rb"(?: *#[\x20-\x5b\x5d-\x7e]*\n"
    rb"|(?:memory_mib|cpu_count): [1-9][0-9]*\n"
    rb"|cpu_pool: [1-9][0-9]*(?:,[1-9][0-9]*)+\n)*"
)


def yaml_check(file: AllocatorFile) -> Check:
    """Return whether YAML and the allocator take the same values from ``file``; a WARN at most."""
    problem = _disagreement(file)
    return Check(
        id=_ID,
        title=_TITLE,
        outcome=Outcome.WARN if problem else Outcome.PASS,
        detail=problem,
        remedy="write one `key: value` a line, unindented, each key once" if problem else None,
        source=_SOURCE,
        required=False,
    )


def _disagreement(file: AllocatorFile) -> str:
    if (
        re.fullmatch(_PLAIN, file.content)
        and all(len(file.entries(key)) <= 1 for key in KEYS)
        and file.entries(KEYS[0])
    ):
        return ""
    return by_yaml(file)


def by_yaml(file: AllocatorFile) -> str:
    """Return where YAML sees something else than the allocator takes from ``file``; empty when nowhere."""
    seen = _as_yaml(file.content)
    if isinstance(seen, str):
        return seen
    taken = {key: value for key in KEYS if (value := file.value(key)) is not None}
    keys = [key for key in KEYS if seen.get(key) != taken.get(key)] or sorted(set(seen) - set(KEYS))
    return "; ".join(
        f"{key}: the allocator takes {_shown(taken.get(key))}, YAML says {_shown(seen.get(key))}" for key in keys
    )


def _shown(value: str | None) -> str:
    return "nothing" if value is None else repr(value)


def _as_yaml(content: bytes) -> dict[str, str] | str:
    """Return what YAML says the keys hold, as text that the allocator would have to hold; or why it says nothing.

    The tree is composed but no object is made of it: the file is not ours.
    """
    import yaml  # noqa: PLC0415  (start-up: only a check reads YAML)

    try:
        node = yaml.compose(content.decode("utf-8"), yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        problem = getattr(error, "problem", None) or type(error).__name__
        mark = getattr(error, "problem_mark", None)
        return f"YAML cannot read it: {problem}" + (f", line {mark.line + 1}" if mark else "")
    if not isinstance(node, yaml.MappingNode):
        return "to YAML it is not a mapping"
    seen: dict[str, str] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.value in seen:
            return "to YAML a key is not text" if not isinstance(key, yaml.ScalarNode) else f"{key.value} stands twice"
        seen[key.value] = _yaml_text(value)
    return seen


def _yaml_text(node: object) -> str:
    """Return a scalar as its value's text: integers in decimal, as far as they are plain ones."""
    value, tag = getattr(node, "value", None), str(getattr(node, "tag", ""))
    if not isinstance(value, str):
        return f"a {type(node).__name__.removesuffix('Node').lower()}"
    plain = {"tag:yaml.org,2002:str": True, "tag:yaml.org,2002:int": bool(re.fullmatch(r"0|[1-9][0-9]*", value))}
    return value if plain.get(tag) else f"{value} ({tag.rpartition(':')[2]})"
