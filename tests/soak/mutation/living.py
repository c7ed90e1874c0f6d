# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing a program that is loaded already, so that neither it nor its tests have to be loaded again.

What a function does is changed in the function itself, which all who imported it have in their hands. A value of a
module is changed under its name, wherever that was imported, and so is what was made of it. What neither can do, the
body of a class, needs the modules loaded anew.
"""

from __future__ import annotations

import ast
import functools
import gc
import importlib
import importlib.abc
import importlib.machinery
import pathlib
import sys
import types
import typing as t

from ansible_collections.certfleet.collectssl.tests.soak.mutation import operators

_COLLECTION = "ansible_collections.certfleet.collectssl"
_PLUGINS = f"{_COLLECTION}.plugins."


class NotLivingError(Exception):
    """A change that cannot be made in what is loaded."""


class StillbornError(Exception):
    """A change with which the program cannot be loaded."""


class Source(t.NamedTuple):
    """A file whose mutants are tried."""

    file: str
    """Its path within the collection."""
    path: str
    """Where it lies, as tracebacks have it."""
    tree: ast.Module
    module: types.ModuleType
    mutants: list[operators.Mutant]


def sources(collection: pathlib.Path, packages: t.Iterable[str]) -> dict[str, Source]:
    """The files of packages, by their paths; each is imported."""
    found = {}
    for package in packages:
        for path in sorted((collection / package).glob("[!_]*.py")):
            file = path.relative_to(collection).as_posix()
            name = f"{_COLLECTION}.{file.removesuffix('.py').replace('/', '.')}"
            module = importlib.import_module(name)
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found[file] = Source(file, str(path), tree, module, operators.mutants(file, tree))
    return found


class Functions:
    """All functions of some files, as they live in this process."""

    def __init__(self, paths: t.Collection[str]) -> None:
        self._found: dict[tuple[str, str, int], list[types.FunctionType]] = {}
        self._caches = []
        for thing in gc.get_objects():
            if isinstance(thing, types.FunctionType) and thing.__code__.co_filename in paths:
                code: t.Any = thing.__code__
                self._found.setdefault((code.co_filename, code.co_qualname, code.co_firstlineno), []).append(thing)
            elif isinstance(thing, functools._lru_cache_wrapper) and thing.__module__.startswith(_PLUGINS):
                self._caches.append(thing)

    def codes(self) -> t.Iterator[types.CodeType]:
        """The code of all, with what is within."""
        for functions in self._found.values():
            yield from _codes(functions[0].__code__)

    def forget(self) -> None:
        """Empty the caches of the program."""
        for cache in self._caches:
            cache.cache_clear()

    def change(self, source: Source, mutant: operators.Mutant) -> None:
        """Make the change; it is not taken back."""
        mutant.make()
        if mutant.mode == operators.CODE:
            self._change_code(source, mutant)
        elif mutant.mode == operators.DEFAULT:
            self._change_defaults(source, mutant)
        elif mutant.mode == operators.MODULE:
            _rebind(source, mutant)
        else:
            raise NotLivingError(mutant.mode)
        self.forget()

    def _living(self, source: Source, mutant: operators.Mutant) -> list[types.FunctionType]:
        function = t.cast(ast.FunctionDef, mutant.function)
        first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
        found = [
            one
            for (path, name, line), functions in self._found.items()
            if path == source.path and line == first and name.rpartition(".")[2] == function.name
            for one in functions
        ]
        if not found:
            raise NotLivingError("no such function")
        return found

    def _change_code(self, source: Source, mutant: operators.Mutant) -> None:
        living = self._living(source, mutant)
        whole = compile(source.tree, source.path, "exec", dont_inherit=True)
        old: t.Any = living[0].__code__
        for code in _codes(whole):
            if (code.co_qualname, code.co_firstlineno) == (old.co_qualname, old.co_firstlineno):
                break
        else:
            raise NotLivingError("no such code")
        if code.co_freevars != old.co_freevars:
            raise NotLivingError("closure")
        for function in living:
            function.__code__ = code

    def _change_defaults(self, source: Source, mutant: operators.Mutant) -> None:
        living = self._living(source, mutant)
        function = t.cast(ast.FunctionDef, mutant.function)
        made: dict[str, t.Any] = {}
        alone = type(function)(**{**dict(ast.iter_fields(function)), "decorator_list": []})
        body = ast.Module([ast.fix_missing_locations(ast.copy_location(alone, function))], [])
        _run(compile(body, source.path, "exec", dont_inherit=True), dict(vars(source.module)), made)
        for one in living:
            one.__defaults__ = made[function.name].__defaults__
            one.__kwdefaults__ = made[function.name].__kwdefaults__


def _codes(code: types.CodeType) -> t.Iterator[t.Any]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _rebind(source: Source, mutant: operators.Mutant) -> None:
    """Give a name of a module another value, and everything that was made of it at the time of import."""
    todo = [(source.module, name) for name in mutant.names]
    loaded = [module for name, module in sys.modules.items() if name.startswith(f"{_COLLECTION}.")]
    statement = next(one for one in source.tree.body if one.lineno == mutant.lines[0])
    before = {name: vars(source.module)[name] for name in mutant.names}
    _execute(statement, source.module, source.path)
    done = set()
    while todo:
        module, name = todo.pop()
        if (module.__name__, name) in done:
            continue
        done.add((module.__name__, name))
        old, new = before[name], vars(module)[name]
        for other in loaded:
            if other is not module and vars(other).get(name) is old:
                setattr(other, name, new)
            if vars(other).get(name) is not new or ".plugins." not in other.__name__:
                continue
            path = t.cast(str, other.__file__)
            body = source.tree.body if other is source.module else ast.parse(pathlib.Path(path).read_bytes()).body
            for later in [one for one in body if one is not statement and _mentions(one, name)]:
                if isinstance(later, (ast.Assign, ast.AnnAssign)):
                    for node in ast.walk(later):
                        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in vars(other):
                            before.setdefault(node.id, vars(other)[node.id])
                            todo.append((other, node.id))
                    _execute(later, other, path)
                elif isinstance(later, ast.ClassDef) or (
                    isinstance(later, ast.FunctionDef) and _at_import(later, name)
                ):
                    raise NotLivingError("made into a class or a default")


def _mentions(statement: ast.AST, name: str) -> bool:
    if isinstance(statement, ast.ClassDef):
        return any(_mentions(one, name) for one in statement.body if not isinstance(one, ast.FunctionDef)) or any(
            _at_import(one, name) for one in statement.body if isinstance(one, ast.FunctionDef)
        )
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        for node in ast.walk(statement)
    )


def _at_import(function: ast.FunctionDef, name: str) -> bool:
    defaults = [*function.args.defaults, *(one for one in function.args.kw_defaults if one), *function.decorator_list]
    return any(_mentions(one, name) for one in defaults)


def _execute(statement: ast.stmt, module: types.ModuleType, path: str) -> None:
    _run(compile(ast.Module([statement], []), path, "exec", dont_inherit=True), vars(module))


def _run(code: types.CodeType, names: dict[str, t.Any], made: dict[str, t.Any] | None = None) -> None:
    try:
        exec(code, names, made)  # noqa: S102
    except Exception as exc:
        raise StillbornError(repr(exc)) from exc


class _Loader(importlib.abc.Loader):
    def __init__(self, source: Source) -> None:
        self._source = source

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(self._source.tree, self._source.path, "exec", dont_inherit=True), vars(module))  # noqa: S102


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, source: Source) -> None:
        self._source = source

    def find_spec(self, fullname: str, *_others: t.Any) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._source.module.__name__:
            return None
        return importlib.machinery.ModuleSpec(fullname, _Loader(self._source), origin=self._source.path)


def load_anew(source: Source) -> None:
    """Have the collection imported anew by whoever asks for it, with the tree of one file as it is now."""
    for name in list(sys.modules):
        if name.startswith(f"{_COLLECTION}.") and not name.startswith(f"{_COLLECTION}.tests.soak"):
            del sys.modules[name]
    sys.meta_path.insert(0, _Finder(source))
