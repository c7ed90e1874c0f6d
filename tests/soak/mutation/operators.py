# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small changes to a program that its tests should notice: a check that is left out, a bound that is one off.

What no test has to notice is left alone: annotations, documentation, the words of an error, what is only logged, and
methods that others have to define.
"""

from __future__ import annotations

import ast
import dataclasses
import re
import typing as t

Place = ast.AST | list[t.Any]
_Scope = ast.FunctionDef | ast.AsyncFunctionDef | None

CODE, DEFAULT, MODULE, CLASS = "code", "default", "module", "class"
"""Where a mutant is: in what a function does, in a default of it, in a value of a module, in the body of a class."""

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
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
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_FUNCTIONS = {"any": "all", "all": "any", "min": "max", "max": "min", "sorted": "list"}
_METHODS = {"startswith": "endswith", "endswith": "startswith"}
_IDENTITIES = ("strip", "lstrip", "rstrip", "lower", "upper", "casefold")
"""Methods without which a text often stays what it was."""
_LOGGING = ("v", "vv", "vvv", "vvvv", "debug")
_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")
_NEVER = (
    *_BODIES,
    "decorator_list",
    "annotation",
    "returns",
    "type_comment",
    "type_params",
    "ctx",
    "bases",
    "keywords",
)
_SENTENCE = re.compile(r"\S+ \S+ \S+")
_BOUND = re.compile(r"\{(\d+)(,?)(\d*)\}")


@dataclasses.dataclass(frozen=True, eq=False)
class Mutant:
    """One change, and how to make it in the tree that it comes from."""

    file: str
    """The path within the collection."""
    where: str
    """The qualified name of the function or class, or ``module``."""
    kind: str
    """What was done, in a word or two."""
    before: str
    after: str
    """The statement, without the block that it heads."""
    lines: tuple[int, int]
    """The first and the last line of the statement."""
    mode: str
    function: _Scope
    """The outermost function around it, where there is one."""
    names: tuple[str, ...]
    """What the statement gives a value to, in a module."""
    _place: Place
    _at: str | int
    _new: t.Any

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names the mutant in a table, wherever its lines have moved."""
        return self.file, self.where, self.before, self.after

    def make(self) -> t.Callable[[], None]:
        """Change the tree; what comes back changes it back."""
        old = _get(self._place, self._at)
        _set(self._place, self._at, self._new)
        return lambda: _set(self._place, self._at, old)


def mutants(file: str, tree: ast.Module) -> list[Mutant]:
    """All mutants of a file, in its order."""
    found: list[Mutant] = []
    _Walk(file, found).block(tree, "body", "module", MODULE, None)
    return found


def _get(place: Place, at: str | int) -> t.Any:
    return place[at] if isinstance(at, int) else getattr(place, at)  # type: ignore[index]


def _set(place: Place, at: str | int, value: t.Any) -> None:
    if isinstance(at, int):
        place[at] = value  # type: ignore[index]
    else:
        setattr(place, at, value)


def _head(statement: ast.AST) -> str:
    """A statement in one line, without the block that it heads."""
    if isinstance(statement, ast.ExceptHandler):
        return f"except {ast.unparse(statement.type)}:" if statement.type else "except:"
    if isinstance(statement, ast.Try):
        return "try: except " + " / ".join(ast.unparse(one.type) if one.type else "" for one in statement.handlers)
    fields = dict(ast.iter_fields(statement))
    if "body" not in fields:
        return ast.unparse(statement)
    kept: dict[str, list[ast.AST]] = {"orelse": [], "decorator_list": [], "finalbody": []}
    fields.update({name: value for name, value in kept.items() if name in fields}, body=[ast.Expr(ast.Constant(...))])
    bare = type(statement)(**fields)
    return ast.unparse(ast.copy_location(bare, statement)).partition("\n")[0]


class _Walk:
    """Goes through a file and collects its mutants."""

    def __init__(self, file: str, found: list[Mutant]) -> None:
        self._file = file
        self._found = found
        self._seen: set[tuple[tuple[str, str, str, str], int]] = set()
        self._statement: ast.AST
        self._context: tuple[str, str, _Scope]

    def block(self, parent: ast.AST, field: str, where: str, mode: str, function: _Scope) -> None:
        """The statements of a block, and what is in them."""
        statements = getattr(parent, field)
        for at, statement in enumerate(statements):
            self._statement = statement
            self._context = (where, mode, function)
            if isinstance(statement, (ast.Import, ast.ImportFrom, ast.Pass, ast.Global, ast.Nonlocal)):
                continue
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._function(statement, where, mode, function)
            elif isinstance(statement, ast.ClassDef):
                inner = CODE if mode == CODE else CLASS
                self.block(statement, "body", _joined(where, statement.name), inner, function)
            elif mode == CODE:
                self._change_statement(statements, at, statement)
                self._expressions(statement)
                self._blocks(statement)
            elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
                self._expressions(statement)

    def _function(self, statement: t.Any, where: str, mode: str, function: _Scope) -> None:
        outermost = function or statement
        self._context = (_joined(where, statement.name), CODE if mode == CODE else DEFAULT, outermost)
        for field in ("defaults", "kw_defaults"):
            values = getattr(statement.args, field)
            for at, value in enumerate(values):
                if value is not None:
                    self._expression(values, at, value)
        self.block(statement, "body", _joined(where, statement.name), CODE, outermost)

    def _blocks(self, statement: ast.AST) -> None:
        context = self._context
        for field in _BODIES:
            for one in getattr(statement, field, []) if field == "handlers" else []:
                self.block(one, "body", *context)
            if field != "handlers" and getattr(statement, field, None):
                self.block(statement, field, *context)

    def _add(self, kind: str, place: Place, at: str | int, new: t.Any) -> None:
        statement = self._statement
        where, mode, function = self._context
        first: int = statement.lineno  # type: ignore[attr-defined]
        body = getattr(statement, "body", None)
        last = max(first, body[0].lineno - 1) if isinstance(body, list) and body else statement.end_lineno  # type: ignore[attr-defined]
        old = _get(place, at)
        before = _head(statement)
        if isinstance(new, ast.AST) and isinstance(old, ast.AST):
            new = ast.fix_missing_locations(ast.copy_location(new, old))
        if old is statement:
            after = " ".join(_head(one) for one in (new if isinstance(new, list) else [new]))
        else:
            _set(place, at, new)
            after = _head(statement)
            _set(place, at, old)
        names = tuple(
            node.id
            for target in getattr(statement, "targets", [getattr(statement, "target", None)])
            if target is not None
            for node in ast.walk(target)
            if isinstance(node, ast.Name)
        )
        mutant = Mutant(self._file, where, kind, before, after, (first, last), mode, function, names, place, at, new)
        # Two ways may lead to the same change.
        if after != before and (mutant.key, first) not in self._seen:
            self._seen.add((mutant.key, first))
            self._found.append(mutant)

    # Statements

    def _change_statement(self, block: list[t.Any], at: int, statement: t.Any) -> None:
        if isinstance(statement, ast.Expr):
            if isinstance(statement.value, (ast.Call, ast.Await)) and not _is_logging(statement.value):
                self._add("left out", block, at, ast.Pass())
        elif isinstance(statement, (ast.Raise, ast.Delete, ast.Continue, ast.Break)):
            if not _is_abstract(statement):
                self._add("left out", block, at, ast.Pass())
        elif isinstance(statement, ast.AugAssign):
            self._add("left out", block, at, ast.Pass())
            if type(statement.op) in _ARITHMETIC:
                self._add("operator", statement, "op", _ARITHMETIC[type(statement.op)]())
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if not all(isinstance(target, ast.Name) for target in targets):
                if not any(isinstance(target, ast.Tuple) for target in targets):
                    self._add("left out", block, at, ast.Pass())
            elif not _is_constant(statement.value):
                self._add("nothing", statement, "value", ast.Constant(None))
        elif isinstance(statement, ast.Return):
            if statement.value is not None and not _is_constant(statement.value):
                self._add("nothing", statement, "value", ast.Constant(None))
        elif isinstance(statement, (ast.If, ast.While)):
            if isinstance(statement, ast.If):
                self._add("always", statement, "test", ast.Constant(True))
            self._add("never", statement, "test", ast.Constant(False))
        elif isinstance(statement, ast.For):
            self._add("never", statement, "iter", ast.Tuple([], ast.Load()))
        elif isinstance(statement, ast.With):
            self._change_with(block, at, statement)
        elif isinstance(statement, ast.Try):
            self._change_try(statement)

    def _change_with(self, block: list[t.Any], at: int, statement: ast.With) -> None:
        for number, item in enumerate(statement.items):
            if item.optional_vars is not None:
                continue
            others = statement.items[:number] + statement.items[number + 1 :]
            if others:
                self._add("left out", statement, "items", others)
            else:
                self._add("left out", block, at, ast.If(ast.Constant(True), statement.body, []))

    def _change_try(self, statement: ast.Try) -> None:
        for number, handler in enumerate(statement.handlers):
            others = statement.handlers[:number] + statement.handlers[number + 1 :]
            if others or statement.finalbody:
                self._add("left out", statement, "handlers", others)
            if isinstance(handler.type, ast.Tuple) and len(handler.type.elts) > 1:
                for one in range(len(handler.type.elts)):
                    kept = handler.type.elts[:one] + handler.type.elts[one + 1 :]
                    self._add("left out", handler.type, "elts", kept)
            elif handler.type is not None and not others and not statement.finalbody:
                self._add("left out", handler, "type", ast.Tuple([], ast.Load()))

    # Expressions

    def _expressions(self, statement: ast.AST) -> None:
        """What stands in the head of a statement."""
        if isinstance(statement, (ast.Raise, ast.Try)):
            return
        if isinstance(statement, ast.Expr) and _is_logging(statement.value):
            return
        self._children(statement)

    def _children(self, node: ast.AST) -> None:
        for field, value in ast.iter_fields(node):
            # What an expression calls its body is no block.
            if field in _NEVER and not isinstance(node, (ast.Call, ast.Lambda, ast.IfExp)):
                continue
            if isinstance(value, list):
                for at, one in enumerate(value):
                    if isinstance(one, ast.AST):
                        self._expression(value, at, one)
            elif isinstance(value, ast.AST):
                self._expression(node, field, value)

    def _expression(self, place: Place, at: str | int, node: t.Any) -> None:
        if isinstance(node, (ast.JoinedStr, ast.arguments, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)):
            return
        if isinstance(node, ast.Call) and _is_message(node):
            return
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("t.cast", "cast"):
            self._expression(node.args, 1, node.args[1])
            return
        change = getattr(self, "_change_" + type(node).__name__.lower(), None)
        if change is not None:
            change(place, at, node)
        self._children(node)

    def _change_compare(self, place: Place, at: str | int, node: ast.Compare) -> None:
        for number, operator in enumerate(node.ops):
            self._add("comparison", node.ops, number, _COMPARISONS[type(operator)]())

    def _change_boolop(self, place: Place, at: str | int, node: ast.BoolOp) -> None:
        for number in range(len(node.values)):
            kept = node.values[:number] + node.values[number + 1 :]
            if len(kept) == 1:
                self._add("left out", place, at, kept[0])
            else:
                self._add("left out", node, "values", kept)
        self._add("operator", node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())

    def _change_unaryop(self, place: Place, at: str | int, node: ast.UnaryOp) -> None:
        if isinstance(node.op, (ast.Not, ast.USub)):
            self._add("left out", place, at, node.operand)

    def _change_binop(self, place: Place, at: str | int, node: ast.BinOp) -> None:
        texts = [side for side in (node.left, node.right) if _is_text(side)]
        if isinstance(node.op, (ast.BitOr, ast.BitAnd)):
            self._add("left out", place, at, node.left)
            self._add("left out", place, at, node.right)
        elif texts:
            if isinstance(node.op, ast.Add):
                self._add("left out", place, at, node.right if texts[0] is node.left else node.left)
        elif type(node.op) in _ARITHMETIC:
            self._add("operator", node, "op", _ARITHMETIC[type(node.op)]())

    def _change_constant(self, place: Place, at: str | int, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._add("constant", place, at, ast.Constant(not value))
        elif isinstance(value, int):
            self._add("constant", place, at, ast.Constant(value + 1))
            if value > 0:
                self._add("constant", place, at, ast.Constant(value - 1))
        elif isinstance(value, float):
            self._add("constant", place, at, ast.Constant(value * 2 + 1))
        elif isinstance(value, bytes):
            self._add("constant", place, at, ast.Constant(value + b"XX"))
        elif isinstance(value, str) and not _SENTENCE.search(value):
            self._add("constant", place, at, ast.Constant(value + "XX"))

    def _change_call(self, place: Place, at: str | int, node: ast.Call) -> None:
        for number, keyword in enumerate(node.keywords):
            if keyword.arg is not None:
                self._add("left out", node, "keywords", node.keywords[:number] + node.keywords[number + 1 :])
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in _FUNCTIONS and not (name == "sorted" and node.keywords):
            self._add("function", node, "func", ast.Name(_FUNCTIONS[name], ast.Load()))
        if isinstance(node.func, ast.Attribute):
            name = node.func.attr
            if name in _METHODS:
                self._add("function", node.func, "attr", _METHODS[name])
            if name in _IDENTITIES:
                self._add("left out", place, at, node.func.value)
            if ast.unparse(node.func) == "re.compile" and node.args and isinstance(node.args[0], ast.Constant):
                self._change_pattern(node.args)

    def _change_pattern(self, arguments: list[t.Any]) -> None:
        pattern = arguments[0].value
        end = "\\Z" if isinstance(pattern, str) else b"\\Z"
        if pattern.endswith(end):
            self._add("pattern", arguments, 0, ast.Constant(pattern[: -len(end)]))
        if isinstance(pattern, str):
            for bound in _BOUND.finditer(pattern):
                least, comma, most = bound.groups()
                more = f"{{{least}{comma}{int(most) + 1}}}" if most else f"{{{int(least) + 1}{comma}}}"
                self._add(
                    "pattern", arguments, 0, ast.Constant(pattern[: bound.start()] + more + pattern[bound.end() :])
                )

    def _change_ifexp(self, place: Place, at: str | int, node: ast.IfExp) -> None:
        self._add("always", place, at, node.body)
        self._add("never", place, at, node.orelse)

    def _change_comprehension(self, place: Place, at: str | int, node: ast.comprehension) -> None:
        for number in range(len(node.ifs)):
            self._add("left out", node, "ifs", node.ifs[:number] + node.ifs[number + 1 :])

    def _change_slice(self, place: Place, at: str | int, node: ast.Slice) -> None:
        if node.lower is not None:
            self._add("left out", node, "lower", None)
        if node.upper is not None:
            self._add("left out", node, "upper", None)


def _joined(where: str, name: str) -> str:
    return name if where == "module" else f"{where}.{name}"


def _is_constant(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in ("True", "False", "None"))


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)))


def _is_message(node: ast.Call) -> bool:
    """Whether a call makes an error, or puts words together."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name.endswith(("Error", "Fault", "Interrupted")):
        return True
    return name == "format" and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Constant)


def _is_logging(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LOGGING


def _is_abstract(statement: ast.AST) -> bool:
    """Whether it only says that somebody else has to define what is done."""
    return isinstance(statement, ast.Raise) and getattr(statement.exc, "id", "") == "NotImplementedError"
