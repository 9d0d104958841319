"""Whether an image that was built again is the recorded one: which registers, and what the builds had otherwise.

An image file holds what PCR0, PCR1 and PCR2 measure. PCR8 is its signer's certificate, and the rest are of the parent
instance: a rebuild, which nobody signs, says nothing about them.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from nitroctl import pcr
from nitroctl.checks import Check, Outcome, blocked
from nitroctl.errors import CannotAnswer
from nitroctl.records.entry import NITRO_ENCLAVE, Build, Entry, Fault, Source, first_fault
from nitroctl.records.ledger import Ledger
from nitroctl.records.lifecycle import Step
from nitroctl.records.recipe import Recipe

IMAGE: Final = (0, 1, 2)
_CHECKS: Final = {0: "reproduce.pcr0", 1: "reproduce.pcr1", 2: "reproduce.pcr2"}
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: Which inputs decide which registers; a container image decides what is in the application's ramdisk.
_MOVES: Final = {"kernel": (0, 1), "cmdline": (0, 1), "init": (0, 1), "nsm.ko": (0, 1), "image": (0, 2)}


def recipe_of(entry: Entry) -> Recipe:
    """Return how ``entry`` is built again. Raises CannotAnswer ``records.recipe`` when it does not say."""
    builder = entry.build.builder if entry.build else ""
    if entry.platform != NITRO_ENCLAVE:
        raise _without(entry, f"is of {entry.platform}, and only enclave images are built again")
    if entry.build is None or entry.build.recipe is None:
        if builder == "nitro-cli":
            raise _without(
                entry, "was built by nitro-cli, which dates what it packs: no second build measures the same"
            )
        raise _without(entry, f"does not say how {builder or 'it was'} built{' it' if builder else ''}")
    return entry.build.recipe


def _without(entry: Entry, why: str) -> CannotAnswer:
    return CannotAnswer(
        f"{entry.id} {why}",
        "records.recipe",
        ["record builds of nitroctl: nitroctl eif build --record, or nitroctl enclave build --reproducible --record"],
    )


def committed(entry: Entry) -> Source:
    """Return the commit that ``entry`` was built from, and where in it.

    Raises CannotAnswer ``records.recipe`` when the entry names none, or a path that leads out of it.
    """
    source = entry.source or Source()
    if not _COMMIT.fullmatch(source.commit) or not source.path:
        raise CannotAnswer(
            f"{entry.id}: no full commit, with the place of the image's files in it, is recorded",
            "records.recipe",
            ["build from the files themselves with --source", "nitroctl eif build --record --source-git records it"],
        )
    path = PurePosixPath(source.path)
    if path.is_absolute() or ".." in path.parts or str(path) != source.path or source.path == ".":
        raise CannotAnswer(
            f"{entry.id}: the recorded place of the image's files is no path within the commit: {source.path!r}",
            "records.recipe",
        )
    return source


def source_check(entry: Entry, checkout: str | None) -> Check:
    """Return whether the source was the recorded commit. ``checkout``: that it was, which has been looked at."""
    commit = entry.source.commit if entry.source else ""
    return Check(
        id="reproduce.source",
        title="The source is as the recorded commit has it",
        outcome=Outcome.PASS if checkout else Outcome.SKIP,
        detail=f"{checkout} is at {commit}, without a change"
        if checkout
        else "not checked: not requested (--checkout DIR); the registers say whether its files are the same"
        if commit
        else "not checked: no commit is recorded",
        required=False,
    )


def judge(entry: Entry, build: Build, pcrs: Mapping[int, bytes], by: str = "") -> Iterator[Check]:
    """Yield whether an image measures what ``entry`` says: how it was built, then each register.

    ``build``: how it was built this time; ``pcrs``: what it measures. ``by``: the check because of which there is
    nothing measured, when there is not.
    """
    yield _builder(entry.build or Build(), build)
    yield _inputs(entry.build or Build(), build)
    for index in IMAGE:
        check_id, title = _CHECKS[index], f"{pcr.name(index)} of the new image is the recorded one"
        if by:
            yield blocked(check_id, title, by)
            continue
        same = pcrs.get(index) == entry.pcrs[index]
        yield Check(
            id=check_id,
            title=title,
            outcome=Outcome.PASS if same else Outcome.FAIL,
            detail="" if same else f"{pcr.meaning(index)}: not the recorded one",
            expected=None if same else entry.pcrs[index].hex(),
            actual=pcrs[index].hex() if index in pcrs else "absent",
        )
    others = [index for index in entry.pcrs if index not in IMAGE]
    if others:
        yield Check(
            id="reproduce.others",
            title="The other recorded registers are of the signer and of the parent instance",
            outcome=Outcome.SKIP,
            detail=f"not checked: {', '.join(map(pcr.name, others))}, which no rebuild has",
            required=False,
        )


def _builder(was: Build, now: Build) -> Check:
    other = [tool for tool, version in now.versions.items() if was.versions.get(tool) != version]
    return Check(
        id="reproduce.builder",
        title="The builder is of the recorded version",
        outcome=Outcome.WARN if other else Outcome.PASS,
        detail="; ".join(
            f"{tool} {now.versions[tool]}, was {was.versions.get(tool, 'not recorded')}" for tool in other
        ),
        remedy="build with the recorded version, should the registers differ" if other else None,
        required=False,
    )


def changed_inputs(was: Build, now: Build) -> tuple[str, ...]:
    """Return the roles in which another file, or none, went in."""
    roles = dict.fromkeys([*_MOVES, *sorted({*was.inputs, *now.inputs})])
    return tuple(role for role in roles if was.inputs.get(role) != now.inputs.get(role))


def _inputs(was: Build, now: Build) -> Check:
    roles = changed_inputs(was, now)
    first = roles[0] if roles else ""
    return Check(
        id="reproduce.inputs",
        title="What went in beside the source's files is what went in then",
        outcome=Outcome.WARN if roles else Outcome.PASS,
        detail=f"{_listed(roles)} {'differs' if len(roles) == 1 else 'differ'}" if roles else "",
        expected=f"{first} {was.inputs.get(first, 'none')}" if roles else None,
        actual=f"{first} {now.inputs.get(first, 'none')}" if roles else None,
        remedy="find the files with the recorded SHA-256, and name them with --blobs, --kernel, --init, --nsm, "
        "--cmdline or --source"
        if roles
        else None,
        required=False,
    )


def causes(entry: Entry, build: Build, differing: Sequence[int]) -> tuple[str, ...]:
    """Return why the registers ``differing`` differ, as far as the record tells; nothing for none."""
    was = entry.build or Build()
    roles = [role for role in changed_inputs(was, build) if {*_MOVES.get(role, IMAGE)} & {*differing}]
    found = [f"{_NAMES.get(role, role)} is another" for role in roles if role in was.inputs and role in build.inputs]
    found += [f"there was no {_NAMES.get(role, role)}, and now there is" for role in roles if role not in was.inputs]
    found += [
        f"there was a {_NAMES.get(role, role)}, and now there is none" for role in roles if role not in build.inputs
    ]
    explained = {index for role in roles for index in _MOVES.get(role, IMAGE)}
    if 2 in differing and 2 not in explained:  # noqa: PLR2004  (PCR2: the application's ramdisk)
        found.append("the source is not that of the recorded build: its files differ, or what it says to run")
    if 1 in differing and 1 not in explained:
        found.append("the boot ramdisk is packed otherwise")
    if differing and not found:
        found.append("the sections are put together otherwise")
    if differing and was.versions.get("nitroctl") != build.versions.get("nitroctl"):
        found.append(
            "nitroctl is another version: "
            f"{build.versions.get('nitroctl', 'unknown')}, was {was.versions.get('nitroctl', 'unknown')}"
        )
    return tuple(found)


_NAMES: Final = {"cmdline": "command line", "nsm.ko": "driver nsm.ko", "image": "container image"}


def _listed(roles: Sequence[str]) -> str:
    names = [_NAMES.get(role, role) for role in roles]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def credited(ledger: Ledger, entry: Entry, name: str) -> Step:
    """Return the step that adds ``name`` to who reproduced ``entry``, in the ledger as it is by now.

    Raises CannotAnswer ``records.no-such-entry`` or ``records.disagreement`` when the entry is gone by now or is
    another, ``records.text`` for a name that cannot be written.
    """
    standing = next((known for known in ledger if known.id == entry.id), None)
    if standing is None:
        raise CannotAnswer(f"{entry.id} is gone from the ledger since it was read", "records.no-such-entry")
    if standing.pcrs != entry.pcrs or standing.build is None:
        raise CannotAnswer(f"{entry.id} was rewritten since it was read", "records.disagreement", ["run it again"])
    if name in standing.build.reproduced_by:
        return Step(standing, standing)
    build = dataclasses.replace(standing.build, reproduced_by=(*standing.build.reproduced_by, name))
    after = dataclasses.replace(standing, build=build)
    require_name(name)
    fault: Fault | None = first_fault(after)
    if fault:
        raise CannotAnswer(f"{entry.id}: {fault.message}", fault.code, [fault.hint] if fault.hint else [])
    return Step(standing, after)


def require_name(name: str) -> None:
    """Refuse a name that says nothing or cannot be written: CannotAnswer ``records.text``."""
    if not name.strip() or name != name.strip() or not name.isprintable():
        raise CannotAnswer(
            f"--as: not a name that can be recorded: {name!r}",
            "records.text",
            ["a person's, a team's or a machine's name"],
        )
