# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users get holds what they need and nothing else, comes out the same whoever builds it, and works as it is."""

from __future__ import annotations

import ast
import collections
import fnmatch
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import typing as t
import zlib

import pytest
from ansible_collections.certfleet.collectssl.tests.support import environment, places

# What builds it is of the scripts of `make test`, which import each other by bare names.
sys.path.insert(0, str(places.COLLECTION / "tests/dev"))

import build
import tree

_MOMENT = 1_700_000_000

_FOR_USERS = (
    "CHANGELOG.*",
    "COPYING",
    "LICENSES/*",
    "README.md",
    "SECURITY.md",
    "changelogs/changelog.yaml",
    "docs/docsite/*",
    "meta/*",
    "playbooks/*",
    "plugins/*",
    "roles/*",
    "tests/demo/*",
    "tests/simulator/*",
)
"""What users need, as patterns for paths. All else is for developers, but for what the last two import."""
_NOT_FOR_USERS = ("*/ruff.toml",)
_SUPPORT = "ansible_collections.certfleet.collectssl.tests.support"


def _imported() -> set[str]:
    """The files of ``tests/support`` that demonstration and simulator need, and that which makes them importable."""
    support = places.COLLECTION / "tests/support"
    waiting = [
        *(places.COLLECTION / "tests/demo").rglob("*.py"),
        *(places.COLLECTION / "tests/simulator").rglob("*.py"),
    ]
    found = {support / "__init__.py", places.IMPORTABLE}
    while waiting:
        path = waiting.pop()
        for node in ast.walk(ast.parse(path.read_bytes())):
            if not isinstance(node, ast.ImportFrom):
                continue
            module = node.module or ""
            if node.level == 1 and path.parent == support:
                module = f"{_SUPPORT}.{module}".rstrip(".")
            if module == _SUPPORT or module.startswith(f"{_SUPPORT}."):
                inside = module.removeprefix(_SUPPORT).strip(".")
                names = [inside] if inside else [alias.name for alias in node.names]
                new = {support / f"{name}.py" for name in names} - found
                found |= new
                waiting += new
    return {str(path.relative_to(places.COLLECTION)) for path in found}


def _is_for_users(name: str) -> bool:
    if any(fnmatch.fnmatch(name, pattern) for pattern in _NOT_FOR_USERS):
        return False
    return any(fnmatch.fnmatch(name, pattern) for pattern in _FOR_USERS)


Members = dict[str, tuple[tarfile.TarInfo, bytes]]


class Installed(t.NamedTuple):
    """A controller on which the tarball was installed."""

    folder: pathlib.Path
    """The collection's own folder."""
    environment: dict[str, str]

    def run(self, program: str, *arguments: str) -> str:
        """The output of a program, which must end well."""
        done = subprocess.run(
            [program, *arguments],
            env=self.environment,
            cwd=self.folder.parents[2],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """What the checkout makes."""
    with tree.copy() as collection:
        return build.build(collection, tmp_path_factory.mktemp("built"), _MOMENT)


@pytest.fixture(scope="session")
def built_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The same from another folder, by somebody with another umask, from files of another time."""
    old = os.umask(0o077)
    try:
        with tree.copy() as collection:
            for path in [collection, *collection.rglob("*")]:
                path.chmod(path.stat().st_mode & ~0o077)
                os.utime(path, (1, 1))
            return build.build(collection, tmp_path_factory.mktemp("elsewhere"), _MOMENT)
    finally:
        os.umask(old)


@pytest.fixture(scope="session")
def installed(tarball: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The tarball in a folder of collections, and a user who has nothing but that."""
    scratch = tmp_path_factory.mktemp("controller")
    collections = scratch / "collections"
    surroundings = {
        **environment.clean(),
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_HOME": str(scratch / "home"),
        "ANSIBLE_NOCOLOR": "true",
        "LC_ALL": "C.UTF-8",
        # With it, the checkout would do what the tarball lacks.
        "PYTHONPATH": "",
    }
    there = Installed(collections / "ansible_collections/certfleet/collectssl", surroundings)
    galaxy = [places.program("ansible-galaxy"), "collection", "install", "--offline", str(tarball)]
    subprocess.run([*galaxy, "-p", str(collections)], env=surroundings, check=True, timeout=300)
    return there


@pytest.fixture(name="members", scope="module")
def fixture_members(tarball: pathlib.Path) -> Members:
    """What is in it, in its order: heads and contents; a folder has none."""
    with tarfile.open(tarball) as archive:
        return {
            member.name: (member, (archive.extractfile(member) or io.BytesIO()).read() if member.isfile() else b"")
            for member in archive
        }


def test_who_builds_it_makes_no_difference(tarball: pathlib.Path, built_elsewhere: pathlib.Path) -> None:
    assert tarball.name == built_elsewhere.name
    assert tarball.read_bytes() == built_elsewhere.read_bytes()


def test_no_library_has_a_part_in_its_bytes(tarball: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What compresses differs from Python to Python, and makes other bytes of the same."""
    made = tarball.read_bytes()

    def other(*_arguments: t.Any, **_named: t.Any) -> t.NoReturn:
        raise AssertionError("compressed")

    monkeypatch.setattr(zlib, "compressobj", other)
    monkeypatch.setattr(zlib, "compress", other)
    assert build.packed_anew(made, _MOMENT) == made
    # What this machine has is no smaller than all that is in it.
    assert len(made) > len(gzip.decompress(made))


@pytest.mark.parametrize("size", [0, 1, 0xFFFE, 0xFFFF, 0x10000, 3 * 0xFFFF + 7])
def test_what_is_wrapped_is_what_gzip_unwraps(size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    assert gzip.decompress(build.gzipped(content, _MOMENT)) == content


def test_it_holds_what_users_need_and_nothing_else(members: Members) -> None:
    expected = {name for name in map(str, tree.files()) if _is_for_users(name) and (places.COLLECTION / name).exists()}
    expected |= _imported() | {"MANIFEST.json", "FILES.json"}
    files = {name for name, (head, _content) in members.items() if head.isfile()}
    # What is too much belongs into build_ignore of galaxy.yml; if it is for users, into the list above.
    assert (files - expected, expected - files) == (set(), set())
    folders = {name for name, (head, _content) in members.items() if head.isdir()}
    assert folders == {str(parent) for name in files for parent in pathlib.PurePath(name).parents} - {"."}


def test_nothing_of_whoever_built_it_is_in_it(members: Members) -> None:
    heads = [head for head, _content in members.values()]
    assert {(head.mtime, head.uid, head.gid, head.uname, head.gname) for head in heads} == {(_MOMENT, 0, 0, "", "")}
    assert collections.Counter(head.mode for head in heads if head.isdir()).keys() == {0o755}
    assert {head.mode for head in heads if head.isfile()} <= {0o644, 0o755}
    assert all(head.isfile() or head.isdir() for head in heads)
    assert list(members) == ["MANIFEST.json", "FILES.json", *sorted(members.keys() - {"MANIFEST.json", "FILES.json"})]


def test_what_is_neither_file_nor_folder_is_not_packed() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in (("MANIFEST.json", b'{"file_manifest_file": {}}'), ("FILES.json", b'{"files": []}')):
            head = tarfile.TarInfo(name)
            head.size = len(content)
            archive.addfile(head, io.BytesIO(content))
        link = tarfile.TarInfo("plugins/link")
        link.type, link.linkname = tarfile.SYMTYPE, "../README.md"
        archive.addfile(link)
    with pytest.raises(SystemExit, match=r"^plugins/link is neither a file nor a folder"):
        build.packed_anew(made.getvalue(), _MOMENT)


def test_the_time_is_that_of_the_commit_unless_somebody_says_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    log = ["git", "-C", str(places.COLLECTION), "log", "-1", "--format=%ct"]
    assert build.moment_of_commit() == int(subprocess.run(log, capture_output=True, check=True).stdout)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert build.moment_of_commit() == 86400


def test_its_checksums_are_right(members: Members) -> None:
    manifest = json.loads(members["MANIFEST.json"][1])
    assert manifest["file_manifest_file"]["chksum_sha256"] == hashlib.sha256(members["FILES.json"][1]).hexdigest()
    listed = {entry["name"]: entry for entry in json.loads(members["FILES.json"][1])["files"]}
    assert listed.keys() == members.keys() - {"MANIFEST.json", "FILES.json"} | {"."}
    for name, (head, content) in members.items():
        if head.isfile() and name in listed:
            assert listed[name]["chksum_sha256"] == hashlib.sha256(content).hexdigest(), name


def test_links_within_it_lead_somewhere(members: Members) -> None:
    broken = []
    for name, (_head, content) in members.items():
        if name.endswith(".md"):
            for target in re.findall(r"\]\(([^)#]+)", content.decode("utf-8")):
                path = pathlib.PurePath(name).parent / target
                if "://" not in target and str(path) not in members:
                    broken.append((name, target))
    assert broken == []


def test_faults_are_reported_to_the_repository_that_it_comes_from(members: Members) -> None:
    said = json.loads(members["MANIFEST.json"][1])["collection_info"]
    policy = members["SECURITY.md"][1].decode("utf-8")
    addresses = set(re.findall(r"\]\((https:[^)]+)\)", policy))
    assert addresses == {f"{said['repository']}/security/advisories/new", said["issues"]}
    assert "@" not in policy
    assert "(SECURITY.md)" in members["README.md"][1].decode("utf-8")


def test_ansible_galaxy_installs_and_verifies_it(installed: Installed) -> None:
    said = installed.run(
        *(places.program("ansible-galaxy"), "collection", "verify", "--offline", "certfleet.collectssl"),
        *("-p", str(installed.folder.parents[2])),
    )
    assert "successfully verified" in " ".join(said.lower().split()), said


def test_its_simulator_tells_how_it_is_used(installed: Installed) -> None:
    said = installed.run(sys.executable, "-B", str(installed.folder / "tests/simulator"), "--help")
    assert "--orders" in said


def test_its_demonstration_runs_to_its_end(installed: Installed) -> None:
    """Playbooks and an ad-hoc command, against its simulator, with nothing of the checkout."""
    said = installed.run(sys.executable, "-B", str(installed.folder / "tests/demo/run.py"))
    for line in ("ansible localhost -m certfleet.collectssl.collectssl_order_info", "=> order 4712 is pending"):
        assert line in said
    assert str(places.COLLECTION) not in said
    assert "That was all of it." in said
