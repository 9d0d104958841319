"""The small changes to a module's source that its tests have to notice: what ``tests.perf.mutants`` tries one by one.

A mutation changes what the code does, never how it is written: comparisons, conditions, operators, constants, returned
values, elements of tables, handlers, filters, keyword arguments, and statements that are only there for their effect.
A string is changed where the code tells things apart by it (a key, an element, something that is compared, a table at
the module's top). The words of messages, annotations and docstrings are left alone: tests compare words whole already.
"""

import ast
import contextlib
import marshal
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import CodeType
from typing import Any, Final

_COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}
#: Methods whose string arguments tell things apart.
_TELLING: Final = {"get", "pop", "partition", "rpartition", "removeprefix", "startswith", "endswith", "count", "split"}
#: Arguments that are words for people, wherever they are passed.
_WORDS: Final = {"remedy", "source", "where"}
#: What is not the module's behaviour: types, and the decorators of classes and functions.
_UNTOUCHED: Final = {"annotation", "returns", "decorator_list", "type_params", "bases", "format_spec"}
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: where it is, what it is in words, and the attribute of the syntax tree that it replaces."""

    line: int
    function: str  # as __qualname__ has it, empty at the module's top
    change: str
    node: ast.AST
    replaced: tuple[tuple[str, Any], ...]

    @property
    def name(self) -> str:
        """What it is called, which an edit elsewhere in the module does not change."""
        return f"{self.function}: {self.change}" if self.function else self.change


class Module:
    """A module's source and its mutants, in the order of its lines."""

    def __init__(self, source: str, path: str) -> None:
        self._tree = ast.parse(source)
        self._path = path
        self.code = self._compiled()
        self.mutants = self._distinct()

    def mutated(self, mutant: Mutant) -> CodeType:
        """Return the module's code with one change. Raises SyntaxError or ValueError when that is no program."""
        with self._changed(mutant):
            return self._compiled()

    def _compiled(self) -> CodeType:
        return compile(self._tree, self._path, "exec", dont_inherit=True)

    @contextlib.contextmanager
    def _changed(self, mutant: Mutant) -> Iterator[None]:
        before = [(name, getattr(mutant.node, name)) for name, _ in mutant.replaced]
        for name, value in mutant.replaced:
            setattr(mutant.node, name, value)
        try:
            yield
        finally:
            for name, value in before:
                setattr(mutant.node, name, value)

    def _distinct(self) -> list[Mutant]:
        """Return the mutants that are programs, each once, without those that come to the same byte code."""
        seen = {marshal.dumps(self.code)}
        times: Counter[str] = Counter()
        kept = []
        for mutant in _mutants(self._tree, "", in_function=False):
            try:
                code = marshal.dumps(self.mutated(mutant))
            except (SyntaxError, ValueError):
                continue
            if code not in seen:
                seen.add(code)
                times[mutant.name] += 1
                again = f" ({times[mutant.name]})" if times[mutant.name] > 1 else ""
                kept.append(replace(mutant, change=mutant.change + again))
        return sorted(kept, key=lambda mutant: mutant.line)


def _mutants(node: ast.AST, function: str, *, in_function: bool) -> Iterator[Mutant]:
    for child in _children(node, in_function=in_function):
        name, inside = function, in_function
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{function}.<locals>.{child.name}" if in_function and function else f"{function}.{child.name}"
            name, inside = name.removeprefix("."), not isinstance(child, ast.ClassDef)
        for change, owner, replaced in _changes(child, in_function=inside):
            yield Mutant(_line(owner, replaced), name, change, owner, tuple(replaced.items()))
        yield from _mutants(child, name, in_function=inside)


def _line(node: ast.AST, replaced: Mapping[str, Any]) -> int:
    """Return where what is replaced begins."""
    (name, new), *_ = replaced.items()
    old = getattr(node, name)
    gone = next((each for each in old if each not in new), node) if isinstance(old, list) else old
    located = (each for where in (gone, node) if isinstance(where, ast.AST) for each in ast.walk(where))
    return next((each.lineno for each in located if isinstance(each, ast.expr | ast.stmt)), 0)


def _children(node: ast.AST, *, in_function: bool) -> Iterator[ast.AST]:
    for name, value in ast.iter_fields(node):
        if name in _UNTOUCHED or (name == "slice" and not in_function):  # at a module's top it is a type
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_aside(child, in_function=in_function):
                yield child


def _is_aside(node: ast.AST, *, in_function: bool) -> bool:
    """Whether nothing under ``node`` runs: a docstring, an import for types alone, a type's other name."""
    match node:
        case ast.Expr(value=ast.Constant()) | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Call(func=ast.Name(id="TypeVar")):
            return True
        case ast.BinOp(op=ast.BitOr(), left=left, right=right) if not in_function:
            return all(isinstance(each, ast.Name | ast.BinOp | ast.Constant) for each in (left, right))
    return False


_Change = tuple[str, ast.AST, dict[str, Any]]


def _changes(node: ast.AST, *, in_function: bool) -> Iterator[_Change]:
    """Yield what can be changed at one node: words, the node whose attributes are replaced, and by what."""
    yield from _statements(node)
    yield from _conditions(node)
    yield from _operators(node)
    yield from _values(node)
    match node:
        case ast.Tuple() | ast.List() | ast.Set() | ast.Dict():
            yield from _elements(node)
        case ast.Call():
            yield from _arguments(node)
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value) if not (
            in_function or _is_aside(value, in_function=False)
        ):
            yield from _strings(*(each for each in ast.walk(value) if isinstance(each, ast.Constant)))


def _conditions(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.If(test=test) | ast.IfExp(test=test):
            yield f"condition {_text(test)} never", node, {"test": _like(test, ast.Constant(value=False))}
            if not isinstance(test, ast.Compare) and not _is_not(test):
                yield f"condition {_text(test)} negated", node, {"test": _like(test, ast.UnaryOp(ast.Not(), test))}
        case ast.comprehension(ifs=ifs):
            for index, test in enumerate(ifs):
                yield f"filter {_text(test)} dropped", node, {"ifs": _without(ifs, index)}
        case ast.match_case(guard=ast.expr() as guard):
            yield f"guard {_text(guard)} dropped", node, {"guard": None}
        case ast.ExceptHandler(type=ast.expr() as caught):
            yield f"handler of {_text(caught)} dropped", node, {"type": _like(caught, ast.Tuple([], ast.Load()))}


def _operators(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            for index, op in enumerate(ops):
                other = _COMPARED[type(op)]
                ops_then = [*ops[:index], other(), *ops[index + 1 :]]
                yield f"{_text(node)}: {type(op).__name__} to {other.__name__}", node, {"ops": ops_then}
            yield from _strings(left, *comparators)
        case ast.BoolOp():
            yield from _operands(node)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield f"{_text(node)}: not dropped", node, {"operand": _like(operand, ast.UnaryOp(ast.Not(), operand))}
        case ast.BinOp(op=binary) if type(binary) in _COMPUTED and not _is_texty(node):
            computed = _COMPUTED[type(binary)]
            yield f"{_text(node)}: {type(binary).__name__} to {computed.__name__}", node, {"op": computed()}


def _values(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.Constant(value=bool(truth)):
            yield f"{truth} to {not truth}", node, {"value": not truth}
        case ast.Constant(value=int(number)):
            for near in (number + 1, *([number - 1] if number else [])):
                yield f"{number} to {near}", node, {"value": near}
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield f"return None, not {_text(value)}", node, {"value": _like(value, ast.Constant(value=None))}


def _arguments(node: ast.Call) -> Iterator[_Change]:
    for index, keyword in enumerate(node.keywords):
        if keyword.arg is not None and keyword.arg not in _WORDS:
            yield f"{_text(node.func)}({keyword.arg}=) dropped", node, {"keywords": _without(node.keywords, index)}
    if isinstance(node.func, ast.Attribute) and node.func.attr in _TELLING:
        yield from _strings(*node.args)


def _statements(node: ast.AST) -> Iterator[_Change]:
    """Yield the statements of a body that are there for their effect, each left out."""
    if isinstance(node, ast.ClassDef):
        return
    for name in ("body", "orelse", "finalbody"):
        body = getattr(node, name, None)
        if not isinstance(body, list):
            continue
        for index, statement in enumerate(body):
            match statement:
                case ast.Raise() | ast.AugAssign() | ast.Continue() | ast.Break() | ast.Delete():
                    pass
                case ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom()):
                    pass
                case _:
                    continue
            then = [*body[:index], _like(statement, ast.Pass()), *body[index + 1 :]]
            yield f"statement {_text(statement)} dropped", node, {name: then}


def _operands(node: ast.BoolOp) -> Iterator[_Change]:
    is_and = isinstance(node.op, ast.And)
    yield f"{_text(node)}: and, or exchanged", node, {"op": ast.Or() if is_and else ast.And()}
    for index, operand in enumerate(node.values):
        neutral = _like(node, ast.Constant(value=is_and))
        yield f"operand {_text(operand)} dropped", node, {"values": [neutral, *_without(node.values, index)]}


def _elements(node: ast.Tuple | ast.List | ast.Set | ast.Dict) -> Iterator[_Change]:
    if isinstance(node, ast.Dict):
        for index, (key, value) in enumerate(zip(node.keys, node.values, strict=True)):
            what = f"entry {_text(key)} dropped" if key else f"entries **{_text(value)} dropped"
            yield what, node, {"keys": _without(node.keys, index), "values": _without(node.values, index)}
        yield from _strings(*(key for key in node.keys if key), *node.values)
        return
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
        return
    if len(node.elts) > 1:
        for index, element in enumerate(node.elts):
            yield f"element {_text(element)} dropped", node, {"elts": _without(node.elts, index)}
    if not isinstance(node, ast.Tuple):
        yield from _strings(*node.elts)


def _strings(*nodes: ast.expr) -> Iterator[_Change]:
    for node in nodes:
        match node:
            case ast.Constant(value=str(text)) if text:
                yield f"{_text(node)} changed", node, {"value": f"{text}X"}
            case ast.Constant(value=bytes(octets)) if octets:
                yield f"{_text(node)} changed", node, {"value": octets + b"X"}


def _is_not(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def _is_texty(node: ast.AST) -> bool:
    return any(
        isinstance(each, ast.JoinedStr) or (isinstance(each, ast.Constant) and isinstance(each.value, str))
        for each in ast.walk(node)
    )


def _without(items: list[Any], index: int) -> list[Any]:
    return items[:index] + items[index + 1 :]


def _like(old: ast.AST, new: ast.AST) -> ast.AST:
    """Return ``new`` at the place of ``old``."""
    for each in ast.walk(new):
        if isinstance(each, ast.expr | ast.stmt) and not hasattr(each, "lineno"):
            ast.copy_location(each, old)
    return new


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
