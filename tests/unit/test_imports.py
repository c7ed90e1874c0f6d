# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arrows of the architecture: who may import whom, and what runs on the oldest Python.

    action, filter, lookup, modules, doc_fragments  ->  plugin_utils  ->  module_utils  ->  standard library

Between packages they are finer; _ARROWS has them. What a module ships to managed hosts is what it imports: nothing of
the controller may come along, and it has to run under Pythons that are older than the one that runs this test.
"""

from __future__ import annotations

import ast
import base64
import functools
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import parser_runner
from ansible_collections.certfleet.collectssl.tests.support.interpreters import to_try
from ansible_collections.certfleet.collectssl.tests.support.response_damage import damaged, samples

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_PLUGINS = _ROOT / "plugins"
_COLLECTION = "ansible_collections.certfleet.collectssl."
_OLDEST_MINOR = 6
#: Those in which nothing runs but what a module ships; from the next one on ansible-test imports all of module_utils.
_SHIPPED_ALONE = ("3.6", "3.7")

#: Rooms, and the rooms that each may import from. A room is a package, or a file that stands by itself; the packages
#: of ``plugins`` that Ansible itself loads from are one room each. docs/architecture.md draws this.
_EVERYBODY = {f"module_utils/{name}" for name in ("_argspec", "_errors", "_names", "_pem", "_python", "_text")}
_ARROWS: dict[str, set[str]] = {
    "module_utils/_argspec": set(),
    "module_utils/_errors": set(),
    "module_utils/_names": set(),
    "module_utils/_text": set(),
    "module_utils/_pem": set(),
    "module_utils/_python": set(),
    "module_utils/_commands": {"module_utils/_errors", "module_utils/_text"},
    "module_utils/_deploy": _EVERYBODY
    | {"module_utils/_commands", "module_utils/_endpoint", "module_utils/_files", "module_utils/_install"},
    "module_utils/_wire": _EVERYBODY,
    "module_utils/_files": _EVERYBODY,
    "module_utils/_endpoint": _EVERYBODY | {"module_utils/_commands"},
    "module_utils/_install": _EVERYBODY | {"module_utils/_files"},
    "plugin_utils/_provider": _EVERYBODY,
    "plugin_utils/_layouts": _EVERYBODY,
    "plugin_utils/_quick_look": _EVERYBODY | {"module_utils/_endpoint", "module_utils/_files", "module_utils/_install"},
    "plugin_utils/_identifiers": _EVERYBODY,
    "plugin_utils/_file_options": _EVERYBODY,
    "plugin_utils/_validation": _EVERYBODY | {"plugin_utils/_identifiers"},
    "plugin_utils/_library": _EVERYBODY,
    "plugin_utils/_http": _EVERYBODY | {"module_utils/_wire", "plugin_utils/_library", "plugin_utils/_provider"},
    "plugin_utils/_chain": _EVERYBODY | {"module_utils/_wire", "plugin_utils/_library"},
    "plugin_utils/_sentences": _EVERYBODY | {"module_utils/_wire"},
    "plugin_utils/_outcome": _EVERYBODY | {"module_utils/_wire", "plugin_utils/_chain", "plugin_utils/_sentences"},
    "plugin_utils/_polling": {"plugin_utils/_outcome"},
    "plugin_utils/_options": _EVERYBODY
    | {"module_utils/_wire", "plugin_utils/_http", "plugin_utils/_provider", "plugin_utils/_validation"},
    "plugin_utils/_broker": _EVERYBODY
    | {"module_utils/_wire", "plugin_utils/_chain", "plugin_utils/_http", "plugin_utils/_outcome"}
    | {"plugin_utils/_polling", "plugin_utils/_provider", "plugin_utils/_sentences"},
    "plugin_utils/_report": _EVERYBODY
    | {"plugin_utils/_chain", "plugin_utils/_identifiers", "plugin_utils/_sentences", "plugin_utils/_states"},
    "plugin_utils/_states": set(),
    "plugin_utils/_table": _EVERYBODY,
    "plugin_utils/_order_table": _EVERYBODY
    | {"plugin_utils/_sentences", "plugin_utils/_states", "plugin_utils/_table"},
    "plugin_utils/_action": _EVERYBODY
    | {"plugin_utils/_broker", "plugin_utils/_http", "plugin_utils/_options", "plugin_utils/_polling"}
    | {"plugin_utils/_quick_look", "plugin_utils/_validation"},
    "plugin_utils/_target_action": _EVERYBODY | {"plugin_utils/_action", "plugin_utils/_chain"},
    "plugin_utils/_deploy_table": _EVERYBODY | {"plugin_utils/_states", "plugin_utils/_table"},
    "plugin_utils/_deployment": _EVERYBODY
    | {"module_utils/_deploy", "module_utils/_endpoint", "module_utils/_wire", "plugin_utils/_broker"}
    | {"plugin_utils/_chain", "plugin_utils/_file_options", "plugin_utils/_identifiers", "plugin_utils/_layouts"}
    | {"plugin_utils/_options", "plugin_utils/_outcome", "plugin_utils/_provider", "plugin_utils/_quick_look"}
    | {"plugin_utils/_sentences", "plugin_utils/_validation"},
    "doc_fragments": set(),
}
_MODULE_UTILS = {room for room in _ARROWS if room.startswith("module_utils/")}
_PLUGIN_UTILS = {room for room in _ARROWS if room.startswith("plugin_utils/")}
_ARROWS["modules"] = _MODULE_UTILS - {"module_utils/_wire"}
for _edge in ("action", "filter", "lookup"):
    _ARROWS[_edge] = _MODULE_UTILS | _PLUGIN_UTILS

_FOLDERS = {room.partition("/")[0] for room in _ARROWS}

#: Files of a package that nobody outside of it imports.
_PRIVATE = {"module_utils/_files": {"hidden", "interrupts", "journal", "recovery", "requirements"}}

#: What a room may import from elsewhere, besides the standard library, by the first word of its name.
_OTHERS = {
    "action": ("ansible",),
    "filter": ("ansible",),
    "lookup": ("ansible",),
    "modules": ("ansible.module_utils",),
    "doc_fragments": (),
    "plugin_utils": ("ansible", "requests", "urllib3", "cryptography"),
    "module_utils": (),
}

#: What travels to a managed host with each module, as rooms or as files of them.
_EVERYBODY_SHIPPED = {room.rpartition("/")[2] for room in _EVERYBODY}
_SHIPPED = {
    "collectssl_certificate": {"_argspec", "_errors", "_pem", "_python", "_text", "_files", "_install"},
    "collectssl_deploy": _EVERYBODY_SHIPPED | {"_commands", "_deploy", "_endpoint", "_files", "_install"},
    "collectssl_order_info": {"_argspec"},
    "tls_endpoint_info": _EVERYBODY_SHIPPED | {"_commands", "_endpoint"},
}


class _Import(t.NamedTuple):
    """An import: the file and line it stands in, and the module that it names."""

    path: pathlib.Path
    line: int
    module: str

    @property
    def of_collection(self) -> str | None:
        """The module's name inside the collection, if it is one of it."""
        return self.module[len(_COLLECTION) :] if self.module.startswith(_COLLECTION) else None

    def __str__(self) -> str:
        return f"{self.path.relative_to(_ROOT)}:{self.line} imports {self.module}"


def _files(*folders: str) -> list[pathlib.Path]:
    everything = [
        path for path in _PLUGINS.rglob("*.py") if path.relative_to(_PLUGINS).parts[0] in folders or not folders
    ]
    return sorted(everything)


def _room(path: pathlib.Path) -> str:
    """The room that a file of ``plugins`` is in, whether it exists or not."""
    parts = path.relative_to(_PLUGINS).with_suffix("").parts
    return "/".join(parts[:2]) if parts[0] in ("module_utils", "plugin_utils") else parts[0]


@functools.cache
def _imports(path: pathlib.Path) -> tuple[_Import, ...]:
    return tuple(_imports_in(path, path.read_bytes()))


def _imports_in(path: pathlib.Path, source: bytes) -> t.Iterator[_Import]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _Import(path, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: imports are spelled out in this collection"
            for alias in node.names:
                # What is imported may be a module of the collection, or a name in one.
                module = f"{node.module}.{alias.name}"
                inner = module.startswith(_COLLECTION) and not _path_of(module).is_file()
                yield _Import(path, node.lineno, str(node.module) if inner or not _in_collection(module) else module)


def _in_collection(module: str) -> bool:
    return module.startswith(_COLLECTION)


def _path_of(module: str) -> pathlib.Path:
    return _ROOT.joinpath(*module[len(_COLLECTION) :].split(".")).with_suffix(".py")


def _in_standard_library(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def _is_part_of(module: str, packages: t.Iterable[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _allowed(found: _Import) -> bool:
    room = _room(found.path)
    if found.of_collection is None:
        return _in_standard_library(found.module) or _is_part_of(found.module, _OTHERS[room.partition("/")[0]])
    if not found.of_collection.startswith("plugins."):
        return False
    imported = _path_of(found.module)
    if _room(imported) == room:
        return True
    return _room(imported) in _ARROWS[room] and imported.stem not in _PRIVATE.get(_room(imported), ())


def _wrong(imports: t.Iterable[_Import]) -> list[str]:
    return [str(found) for found in imports if not _allowed(found)]


def _closure(path: pathlib.Path) -> set[pathlib.Path]:
    """A file and all files of the collection that it imports, at any remove."""
    reached: set[pathlib.Path] = set()
    waiting = [path]
    while waiting:
        current = waiting.pop()
        if current not in reached:
            reached.add(current)
            waiting += [_path_of(found.module) for found in _imports(current) if found.of_collection is not None]
    return reached


# --- arrows ----------------------------------------------------------------------------------------------------------


def test_every_room_has_its_rule() -> None:
    assert {_room(path) for path in _files() if path.stat().st_size} == set(_ARROWS)


@pytest.mark.parametrize("room", _ARROWS)
def test_arrows_point_down(room: str) -> None:
    assert _wrong(found for path in _files() if _room(path) == room for found in _imports(path)) == []


@pytest.mark.parametrize("room", _ARROWS)
def test_every_arrow_is_of_use(room: str) -> None:
    if room in ("action", "filter", "lookup", "modules"):
        return
    found = {
        _room(_path_of(found.module))
        for path in _files()
        if _room(path) == room
        for found in _imports(path)
        if found.of_collection is not None
    }
    assert _ARROWS[room] - found - _EVERYBODY == set()


def test_the_picture_shows_these_arrows() -> None:
    text = (_ROOT / "docs/architecture.md").read_text(encoding="utf-8").partition("```text")[2].partition("```")[0]
    drawn = {room: set(others.split(", ")) for room, others in re.findall(r"(_\w+) +-> ((?:_\w+, )*_\w+)", text)}
    names = {room: room.rpartition("/")[2] for room in _ARROWS}
    arrows = {
        names[room]: {names[other] for other in _ARROWS[room] - _EVERYBODY} for room in _MODULE_UTILS | _PLUGIN_UTILS
    }
    assert drawn == {room: others for room, others in arrows.items() if others}
    rows = text.partition(" _action    ->")[0].splitlines()
    height = {word: -at for at, row in enumerate(rows) for word in row.split()}
    assert all(height[room] > height[other] for room, others in drawn.items() for other in others)


def test_every_file_that_the_architecture_names_is_there() -> None:
    text = (_ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/.-]+\.py)`", text)
    assert len(named) > 30
    # After a whole path, the files beside it are named by what is left of theirs.
    there = [path.relative_to(_ROOT).as_posix() for path in [*_files(), *(_ROOT / "tests/unit").glob("*.py")]]
    assert [name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in there)] == []


@pytest.mark.parametrize(("upper", "lower"), [(upper, lower) for upper in _ARROWS for lower in _ARROWS[upper]])
def test_an_arrow_that_is_turned_round_is_found(upper: str, lower: str) -> None:
    """A file of a lower room that imports one of an upper room."""
    inside = [path for path in _files() if _room(path) == lower and path.stat().st_size]
    for path in (path for path in _files() if _room(path) == upper and path.stat().st_size):
        name = _COLLECTION + ".".join(path.relative_to(_ROOT).with_suffix("").parts)
        assert len(_wrong(_imports_in(inside[0], f"import {name}\n".encode("ascii")))) == 1


@pytest.mark.parametrize(
    ("folder", "name", "line"),
    [
        ("module_utils", "_pem", f"from {_COLLECTION}plugins.plugin_utils._chain import bundle"),
        ("module_utils", "_pem", "import requests"),
        ("module_utils", "_pem", "from ansible.utils.display import Display"),
        ("module_utils", "_wire/request", "from ansible.module_utils.basic import AnsibleModule"),
        ("module_utils", "_wire/lines", "import ansible.module_utils.basic"),
        ("module_utils", "_install/plan", f"from {_COLLECTION}plugins.module_utils._files import journal"),
        ("module_utils", "_install/plan", f"from {_COLLECTION}plugins.module_utils._files.hidden import locked"),
        ("module_utils", "_files/disk", f"from {_COLLECTION}plugins.module_utils._install.plan import Plan"),
        ("module_utils", "_endpoint/probe", f"from {_COLLECTION}plugins.module_utils._files import disk"),
        ("modules", "x", f"import {_COLLECTION}plugins.plugin_utils._outcome"),
        ("modules", "x", f"from {_COLLECTION}plugins.module_utils._wire.response import parse"),
        ("modules", "x", "from cryptography import x509"),
        ("modules", "x", "def f():\n    import yaml"),
        ("plugin_utils", "_action", f"from {_COLLECTION}plugins.action import collectssl_certificate"),
        ("plugin_utils", "_action", f"from {_COLLECTION}tests.unit import conftest"),
        ("plugin_utils", "_http/client", f"from {_COLLECTION}plugins.plugin_utils._options import provider_of"),
        ("plugin_utils", "_http/client", f"from {_COLLECTION}plugins.plugin_utils._chain import building"),
        ("plugin_utils", "_chain/building", "import yaml"),
        ("action", "x", "import requests"),
        ("lookup", "x", f"from {_COLLECTION}plugins.action.collectssl_certificate import ActionModule"),
        ("doc_fragments", "x", f"from {_COLLECTION}plugins.module_utils import _argspec"),
    ],
)
def test_the_rule_finds_what_it_forbids(folder: str, name: str, line: str) -> None:
    source = f"import os\n{line}\n".encode("ascii")
    assert len(_wrong(_imports_in(_PLUGINS / folder / f"{name}.py", source))) == 1


def test_no_import_is_hidden_from_this_test() -> None:
    hidden = []
    for path in _files():
        for node in ast.walk(ast.parse(path.read_bytes())):
            name = getattr(node, "id", None) or getattr(node, "attr", None)
            if name in ("__import__", "import_module", "exec", "eval") and isinstance(node, (ast.Name, ast.Attribute)):
                hidden.append(f"{path.relative_to(_ROOT)}:{node.lineno} uses {name}")
    assert hidden == []


def test_no_import_goes_round_in_circles() -> None:
    for path in _files():
        below = [_path_of(found.module) for found in _imports(path) if found.of_collection is not None]
        for other in below:
            assert path not in _closure(other), f"{path} and {other} import each other"


# --- what travels to managed hosts -----------------------------------------------------------------------------------


def _shipped(module: str) -> set[pathlib.Path]:
    """What Ansible packs with a module: all that it imports."""
    return _closure(_PLUGINS / "modules" / f"{module}.py")


def test_every_module_says_what_it_ships() -> None:
    assert {path.stem for path in _files("modules")} == set(_SHIPPED)


@pytest.mark.parametrize("module", _SHIPPED)
def test_what_travels_to_managed_hosts(module: str) -> None:
    others = _shipped(module) - {_PLUGINS / "modules" / f"{module}.py"}
    assert {_room(path) for path in others} == {f"module_utils/{room}" for room in _SHIPPED[module]}
    strangers = [
        str(found)
        for path in others
        for found in _imports(path)
        if found.of_collection is None and not _in_standard_library(found.module)
    ]
    assert strangers == []


# --- names and headers -----------------------------------------------------------------------------------------------


def test_internal_files_begin_with_an_underscore() -> None:
    internal = [path for folder in ("module_utils", "plugin_utils", "doc_fragments") for path in _files(folder)]
    # What is in a package has its name from that.
    names = {path.relative_to(_PLUGINS).parts[1] for path in internal}
    assert [name for name in names if not name.startswith("_")] == []
    public = _files("action", "lookup", "modules")
    assert [path.name for path in public if path.name.startswith("_")] == []


def test_every_action_has_a_module_that_documents_it() -> None:
    assert {path.name for path in _files("action")} <= {path.name for path in _files("modules")}


def test_every_file_has_its_licence() -> None:
    header = [
        "# Copyright (c) 2026, certfleet.collectssl contributors",
        "# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)",
        # In two parts, since a checker of licences would take it for one.
        "# SPDX-License-" + "Identifier: GPL-3.0-or-later",
    ]
    tests = [
        path for folder in ("unit", "support", "simulator", "soak") for path in (_ROOT / "tests" / folder).rglob("*.py")
    ]
    without = [
        str(path.relative_to(_ROOT))
        for path in [*_files(), *tests]
        if path.stat().st_size
        # The interpreter line and the encoding of old may stand above it.
        and not any(path.read_text(encoding="utf-8").splitlines()[at : at + 3] == header for at in range(3))
    ]
    assert without == []


# --- the oldest Python -----------------------------------------------------------------------------------------------


@pytest.fixture(name="older_pythons", scope="module")
def fixture_older_pythons() -> dict[str, str]:
    found = to_try(f"3.{minor}" for minor in range(_OLDEST_MINOR, sys.version_info.minor))
    if not found:
        pytest.skip(
            f"no Python from 3.{_OLDEST_MINOR} on that is older than {sys.version_info.major}.{sys.version_info.minor} "
            "is on PATH or in COLLECTSSL_TEST_PYTHONS"
        )
    return found


def _run(python: str, folder: pathlib.Path, *arguments: str, stdin: str) -> str:
    """The output of another Python that sees its own library and what is in a folder."""
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PYTHONIOENCODING"] = "utf-8"
    done = subprocess.run(
        [python, "-s", *arguments],
        input=stdin.encode("utf-8"),
        capture_output=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{python}: {done.stderr.decode('utf-8', 'replace')}"
    return done.stdout.decode("utf-8")


_COMPILE = """
import json, sys
for path in json.load(sys.stdin):
    with open(path, "rb") as stream:
        compile(stream.read(), path, "exec")
print("compiled by %d.%d" % sys.version_info[:2])
"""


def test_it_compiles_under_every_older_python(older_pythons: dict[str, str], tmp_path: pathlib.Path) -> None:
    shipped = {path for module in _SHIPPED for path in _shipped(module)}
    everything = shipped.union(_files("modules", "module_utils"))
    assert _PLUGINS / "module_utils/_wire/request.py" in everything - shipped
    for version, python in older_pythons.items():
        paths = json.dumps([str(path) for path in (shipped if version in _SHIPPED_ALONE else everything)])
        assert _run(python, tmp_path, "-c", _COMPILE, stdin=paths).strip() == f"compiled by {version}"


def _cases() -> list[dict[str, t.Any]]:
    whole = samples()
    rng = random.Random(20260615)  # noqa: S311
    answers = [*whole, *(damaged(rng, whole) for _count in range(1500))]
    parsed = [
        {"request": request.as_record(), "body": base64.b64encode(body).decode("ascii")} for request, body in answers
    ]
    wrong: list[dict[str, t.Any]] = [
        {"identifier_kind": "certificate_id", "identifier": "12a"},
        {"identifier_kind": "order_number", "identifier": ""},
        {"identifier_kind": "order_number", "identifier": "1", "response_type": "zip", "query_type": 0},
        {"identifier_kind": "order_number", "identifier": "1", "response_type": "zip", "product": "ccc"},
        {"identifier_kind": "order_number", "identifier": "1", "response_encoding": "binary"},
    ]
    return [*parsed, *({"request": case["request"]} for case in parsed[:20]), *({"request": case} for case in wrong)]


def test_the_parser_gives_the_same_under_every_older_python(
    older_pythons: dict[str, str], tmp_path: pathlib.Path
) -> None:
    package = tmp_path / "ansible_collections" / "certfleet"
    package.mkdir(parents=True)
    (package / "collectssl").symlink_to(_ROOT, target_is_directory=True)
    cases = _cases()
    wanted = parser_runner.outcomes(cases)
    kinds = {outcome[0] if isinstance(outcome[0], str) else type(outcome[0]).__name__ for outcome in wanted}
    assert kinds == {"dict", "list", "OptionError", "ProtocolError"}
    for version, python in older_pythons.items():
        if version in _SHIPPED_ALONE:
            continue
        given = json.loads(_run(python, tmp_path, parser_runner.__file__, stdin=json.dumps(cases)))
        assert len(given) == len(wanted)
        for case, ours, theirs in zip(cases, wanted, given, strict=True):
            assert theirs == ours, f"Python {version}: {case}"
