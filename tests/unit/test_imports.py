# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arrows of the architecture: who may import whom, and what runs on the oldest Python.

    action, filter, lookup, modules, doc_fragments  ->  plugin_utils  ->  module_utils  ->  standard library

Modules and module_utils travel to managed hosts: nothing of the controller may come along, and they have to run under
Pythons that are older than the one that runs this test.
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

#: Folders of the collection that the files of a folder may import from.
_ARROWS = {
    "action": {"plugin_utils", "module_utils"},
    "filter": {"plugin_utils", "module_utils"},
    "lookup": {"plugin_utils", "module_utils"},
    "modules": {"module_utils"},
    "doc_fragments": set[str](),
    "plugin_utils": {"plugin_utils", "module_utils"},
    "module_utils": {"module_utils"},
}
#: What they may import from elsewhere, besides the standard library.
_OTHERS = {
    "action": ("ansible",),
    "filter": ("ansible",),
    "lookup": ("ansible",),
    "modules": ("ansible.module_utils",),
    "doc_fragments": (),
    "plugin_utils": ("ansible", "requests", "urllib3", "cryptography"),
    "module_utils": ("ansible.module_utils",),
}
#: The request and response side, which knows nothing of Ansible at all.
_PURE = re.compile(r"module_utils/(_(errors|pem)\.py|_wire/.*)\Z")


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
    return sorted(path for folder in folders or _ARROWS for path in (_PLUGINS / folder).rglob("*.py"))


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


def _allowed(folder: str, found: _Import) -> bool:
    if found.of_collection is not None:
        parts = found.of_collection.split(".")
        return parts[0] == "plugins" and parts[1] in _ARROWS[folder]
    if _in_standard_library(found.module):
        return True
    if folder == "module_utils" and _PURE.search(found.path.as_posix()):
        return False
    return _is_part_of(found.module, _OTHERS[folder])


def _wrong(folder: str, imports: t.Iterable[_Import]) -> list[str]:
    return [str(found) for found in imports if not _allowed(folder, found)]


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


def test_every_folder_of_plugins_has_its_rule() -> None:
    folders = {path.relative_to(_PLUGINS).parts[0] for path in _PLUGINS.rglob("*.py")}
    assert folders <= set(_ARROWS)
    assert {"module_utils", "plugin_utils", "modules", "action", "lookup"} <= folders


@pytest.mark.parametrize("folder", _ARROWS)
def test_arrows_point_down(folder: str) -> None:
    assert [line for path in _files(folder) for line in _wrong(folder, _imports(path))] == []


@pytest.mark.parametrize(
    ("folder", "name", "line"),
    [
        ("module_utils", "_x", f"from {_COLLECTION}plugins.plugin_utils import _chain"),
        ("module_utils", "_x", f"from {_COLLECTION}plugins.plugin_utils._chain import bundle_of_pem"),
        ("module_utils", "_x", "import requests"),
        ("module_utils", "_x", "from ansible.utils.display import Display"),
        ("module_utils", "_wire/request", "from ansible.module_utils.basic import AnsibleModule"),
        ("module_utils", "_wire/lines", "import ansible.module_utils.basic"),
        ("modules", "x", f"import {_COLLECTION}plugins.plugin_utils._chain.bundle"),
        ("modules", "x", "from cryptography import x509"),
        ("modules", "x", "def f():\n    import yaml"),
        ("plugin_utils", "_x", f"from {_COLLECTION}plugins.action import collectssl_certificate"),
        ("plugin_utils", "_x", f"from {_COLLECTION}tests.unit import conftest"),
        ("plugin_utils", "_x", "import yaml"),
        ("action", "x", "import requests"),
        ("lookup", "x", f"from {_COLLECTION}plugins.action.collectssl_certificate import ActionModule"),
        ("doc_fragments", "x", f"from {_COLLECTION}plugins.module_utils import _argspec"),
    ],
)
def test_the_rule_finds_what_it_forbids(folder: str, name: str, line: str) -> None:
    source = f"import os\n{line}\n".encode("ascii")
    assert len(_wrong(folder, _imports_in(_PLUGINS / folder / f"{name}.py", source))) == 1


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


@pytest.mark.parametrize("path", _files("modules"), ids=lambda path: path.stem)
def test_what_travels_to_managed_hosts(path: pathlib.Path) -> None:
    """Ansible packs a module with all that it imports; nothing else may be needed there."""
    closure = _closure(path)
    assert all(_PLUGINS / "module_utils" in reached.parents for reached in closure - {path})
    strangers = [
        str(found)
        for reached in closure
        for found in _imports(reached)
        if found.of_collection is None
        and not _in_standard_library(found.module)
        and not _is_part_of(found.module, ["ansible.module_utils"])
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
    tests = [path for folder in ("unit", "simulator") for path in (_ROOT / "tests" / folder).rglob("*.py")]
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


def test_what_travels_compiles_under_every_older_python(older_pythons: dict[str, str], tmp_path: pathlib.Path) -> None:
    paths = json.dumps([str(path) for path in _files("modules", "module_utils")])
    for version, python in older_pythons.items():
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
        given = json.loads(_run(python, tmp_path, parser_runner.__file__, stdin=json.dumps(cases)))
        assert len(given) == len(wanted)
        for case, ours, theirs in zip(cases, wanted, given, strict=True):
            assert theirs == ours, f"Python {version}: {case}"
