"""How ``tests.perf.mutants`` runs tests against a mutant: in a copy of a session, or in a process that imports it.

Nothing here imports nitroctl: the process from which the others are forked must not have seen the module unchanged.
"""

import functools
import gc
import importlib.machinery
import importlib.util
import json
import os
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, Final

import pytest

from tests.perf.mutants_forks import CRASHED, TOO_LONG, forked
from tests.perf.mutations import Module, Mutant

PYTEST: Final = (
    *("-q", "--capture=no", "--import-mode=importlib", "--rootdir=.", "-c", os.devnull, "-W", "ignore"),
    *("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:timeout"),
    *("-p", "no:unraisableexception", "-p", "no:threadexception"),  # both collect garbage for longer than a test runs
)
#: A test that takes longer is left out, and said. Seconds.
_LONG: Final = 3.0
#: What a child may take beside its tests, in seconds; how much more slowly they may run.
_GRACE, _SLACK = 15.0, 4.0

ALIVE, KILLED, TIMEOUT = "alive", "killed", "timeout"
_PASSED, _FAILED, _NO_TESTS = 0, 1, 5


@dataclass(frozen=True, slots=True)
class Subject:
    """A module whose mutants are tried, by its dotted name and its file."""

    name: str
    path: str
    sha256: str
    module: Module

    def near(self, files: Iterable[str]) -> list[str]:
        """Return the test files that name the module: first those called like it, those of commands last."""
        package, _, stem = self.name.rpartition(".")
        naming = re.compile(rf"\b{re.escape(self.name)}\b|\bfrom {re.escape(package)} import .*\b{stem}\b")
        found = [file for file in files if naming.search(Path(file).read_text(encoding="utf-8"))]
        return sorted(found, key=lambda file: ("/cli/" in file, stem not in file))


@dataclass
class Watched:
    """What a session saw of the tests: how long they take, which functions they call, and which cannot be believed."""

    seconds: dict[str, float] = field(default_factory=dict)
    calls: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    left_out: dict[str, str] = field(default_factory=dict)

    def calling(self, path: str, functions: Collection[str] | None = None) -> set[str]:
        """Return the tests that call any of the functions of a file."""
        found = ((name, tests) for (file, name), tests in self.calls.items() if file == path)
        return {test for name, tests in found if functions is None or name in functions for test in tests}

    def within(self, tests: Sequence[str], seconds: float) -> list[str]:
        """Return as many of the first tests as take no more than ``seconds``, but one at least."""
        kept: list[str] = []
        for test in tests:
            seconds -= self.seconds[test]
            if kept and seconds < 0:
                break
            kept.append(test)
        return kept

    def limit(self, tests: Sequence[str]) -> float:
        """Return after how many seconds these tests do not end any more."""
        return _GRACE + _SLACK * sum(self.seconds[test] for test in tests)

    def as_json(self) -> dict[str, Any]:
        return {
            "seconds": self.seconds,
            "calls": [[*key, tests] for key, tests in self.calls.items()],
            "left_out": self.left_out,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Watched":
        calls = {(file, name): tests for file, name, tests in data["calls"]}
        return cls(data["seconds"], calls, data["left_out"])


# -- in a copy of a session


class Session:
    """A plugin that runs every test once, and then those that a mutant concerns, again and again, in copies."""

    def __init__(
        self,
        subjects: Sequence[tuple[Subject, Sequence[Mutant]]],
        put: Callable[[Subject, Mutant, str, str], None],
        say: Callable[[str], None],
        *,
        seconds: float,
        file: Path,
    ) -> None:
        self._subjects, self._put, self._say, self._seconds, self._file = subjects, put, say, seconds, file
        self._watched = Watched()
        self._wins: Counter[tuple[str, str]] = Counter()
        self._items: dict[str, pytest.Item] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the session's tests, watched; write what was seen to the file; then try the mutants."""
        if session.testsfailed:
            raise pytest.UsageError("the tests cannot be collected")
        self._items = {item.nodeid: item for item in session.items}
        self._caches = [each for each in gc.get_objects() if isinstance(each, functools._lru_cache_wrapper)]
        began = time.monotonic()
        self._watch(session)
        self._doubt(session)
        self._say(f"{len(self._items)} tests watched in {time.monotonic() - began:.0f} s")
        for test, why in self._watched.left_out.items():
            self._say(f"left out: {test}: {why}")
        self._file.write_text(json.dumps(self._watched.as_json()), encoding="utf-8")
        files = {_file(test) for test in self._items}
        for subject, mutants in self._subjects:
            live = _live(subject.path, subject.module.code)
            near = set(subject.near(files))
            for mutant in mutants:
                self._try(session, subject, mutant, live, near)
            self._say(f"{subject.name}: {time.monotonic() - began:.0f} s")
        return True

    def _watch(self, session: pytest.Session) -> None:
        paths = {subject.path for subject, _ in self._subjects}
        called: set[tuple[str, str]] = set()

        def profile(frame: FrameType, event: str, _: object) -> None:
            if event == "call" and frame.f_code.co_filename in paths:
                called.add((frame.f_code.co_filename, frame.f_code.co_qualname))

        for test, next_test in _pairs(list(self._items)):
            called.clear()
            self._forget()
            began = time.perf_counter()
            sys.setprofile(profile)
            failed = self._failed(session, test, next_test)
            sys.setprofile(None)
            taken = self._watched.seconds[test] = time.perf_counter() - began
            if failed or taken > _LONG:
                self._watched.left_out[test] = "it fails" if failed else f"it takes {taken:.0f} s"
                continue
            for each in called:
                self._watched.calls[each].append(test)

    def _doubt(self, session: pytest.Session) -> None:
        """Leave out the tests that do not pass a second time, in another order, with nothing changed."""
        tests = [test for test in reversed(self._items) if test not in self._watched.left_out]
        status = _FAILED
        while status != _PASSED:
            status, test = forked(functools.partial(self._run, session, tests), self._watched.limit(tests))
            if status != _PASSED:
                if test not in tests:
                    raise pytest.UsageError("the tests do not run in a copy of the session")
                self._watched.left_out[test] = "it fails in a copy of the session"
                tests = tests[tests.index(test) + 1 :]
        for key, calling in self._watched.calls.items():
            self._watched.calls[key] = [test for test in calling if test not in self._watched.left_out]

    def _try(
        self,
        session: pytest.Session,
        subject: Subject,
        mutant: Mutant,
        live: Mapping[str, Sequence[FunctionType]],
        near: Collection[str],
    ) -> None:
        swaps = _swaps(subject.module.code, subject.module.mutated(mutant), live)
        if swaps is None:
            return
        functions = set(swaps).union(*(_names(code) for code in swaps.values()))
        tests = sorted(
            self._watched.calling(subject.path, functions),
            key=lambda test: (
                -self._wins[test, mutant.function],
                _file(test) not in near,
                self._watched.seconds[test],
            ),
        )
        tests = self._watched.within(tests, self._seconds)
        if not tests:
            return

        def work(said: int) -> int:
            for name, code in swaps.items():
                for function in live[name]:
                    function.__code__ = code
            return self._run(session, tests, said)

        status, test = forked(work, self._watched.limit(tests))
        if status == _PASSED:
            self._put(subject, mutant, ALIVE, "")
        if status == _PASSED or (status != TOO_LONG and not test):  # no test noticed, so importing it has to tell
            return
        self._wins[test, mutant.function] += 1
        self._put(subject, mutant, TIMEOUT if status == TOO_LONG else KILLED, test)

    def _run(self, session: pytest.Session, tests: Sequence[str], said: int) -> int:
        """Run tests until one fails, and write its name."""
        self._forget()
        for test, next_test in _pairs(tests):
            if self._failed(session, test, next_test):
                os.write(said, test.encode()[:1024])
                return _FAILED
        return _PASSED

    def _failed(self, session: pytest.Session, test: str, next_test: str | None) -> bool:
        session.testsfailed = 0
        item = self._items[test]
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=self._items[next_test] if next_test else None)
        failed = bool(session.testsfailed)
        session.testsfailed = 0
        return failed

    def _forget(self) -> None:
        for cache in self._caches:
            if (getattr(cache, "__module__", None) or "").startswith("nitroctl.") and "standin" not in cache.__module__:
                cache.cache_clear()


def _file(test: str) -> str:
    return test.partition("::")[0]


def _pairs(tests: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    return zip(tests, [*tests[1:], *([None] if tests else [])], strict=True)


def _children(code: CodeType) -> list[CodeType]:
    return [each for each in code.co_consts if isinstance(each, CodeType)]


def _names(code: CodeType) -> Iterator[str]:
    for each in _children(code):
        yield each.co_qualname
        yield from _names(each)


def _own(code: CodeType) -> tuple[object, ...]:
    """Return what a code object does itself, whatever the functions in it do and wherever its lines are."""
    constants = [(type(each), repr(each)) for each in code.co_consts if not isinstance(each, CodeType)]
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    inner = [each.co_qualname for each in _children(code)]
    return code.co_code, code.co_exceptiontable, code.co_flags, code.co_argcount, names, constants, inner


def _same(one: CodeType, other: CodeType) -> bool:
    return _own(one) == _own(other) and all(map(_same, _children(one), _children(other)))


def _swaps(base: CodeType, new: CodeType, live: Mapping[str, Sequence[FunctionType]]) -> dict[str, CodeType] | None:
    """Return the new code by the functions that get it, None when the change is not in a function that is there."""
    if _own(base) != _own(new):
        return None
    swaps: dict[str, CodeType] = {}
    for before, after in zip(_children(base), _children(new), strict=True):
        if _same(before, after):
            continue
        deeper = {before.co_qualname: after} if before.co_qualname in live else _swaps(before, after, live)
        if deeper is None or before.co_freevars != after.co_freevars:
            return None
        swaps |= deeper
    return swaps


def _live(path: str, code: CodeType) -> dict[str, list[FunctionType]]:
    """Return the functions of a file by their qualified names, without those that share a name."""
    times = Counter(_names(code))
    live: dict[str, list[FunctionType]] = defaultdict(list)
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename == path:
            name = each.__code__.co_qualname
            if times[name] == 1 and "<locals>" not in name:
                live[name].append(each)
    return dict(live)


# -- imported from the beginning


class _Finder(MetaPathFinder):
    """Finds one module, and gives it other code."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        class Loader(importlib.machinery.SourceFileLoader):
            def get_code(self, _: str) -> CodeType:
                return code

        self._name, self._path, self._loader = name, path, Loader(name, path)

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self._loader)


class _Chosen:
    """A plugin that runs the tests of a list alone, in its order, writes which one fails, and ends the process.

    A test that was not there before runs too: it has another name because of what changed.
    """

    def __init__(self, tests: Sequence[str], known: Collection[str], said: int) -> None:
        self._order = {test: index for index, test in enumerate(tests)}
        self._known = known
        self._said = said

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if item.nodeid in self._order or item.nodeid not in self._known]
        items[:] = sorted(chosen, key=lambda item: self._order.get(item.nodeid, -1))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os.write(self._said, report.nodeid.encode()[:1024])

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        os._exit(int(exitstatus))  # what is tidied up after it takes longer than most tests


def imported(
    subject: Subject, code: CodeType, tests: Sequence[str], limit: float, known: Collection[str]
) -> tuple[str, str]:
    """Return the verdict of ``tests`` in a process in which the module has this code, and the test that fails.

    ``known``: the names of all tests while nothing is changed.
    """

    def work(said: int) -> int:
        sys.meta_path.insert(0, _Finder(subject.name, subject.path, code))
        files = sorted({_file(test) for test in tests})
        return int(pytest.main([*PYTEST, "-x", *files], plugins=[_Chosen(tests, known, said)]))

    status, test = forked(work, limit)
    if status == TOO_LONG:
        return TIMEOUT, test
    stopped = status == CRASHED and not test  # from outside, perhaps: nobody can say that a test noticed
    return (ALIVE if stopped or status in {_PASSED, _NO_TESTS} else KILLED), test
