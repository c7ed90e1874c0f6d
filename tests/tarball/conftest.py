# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tarball as users get it, built from the checkout, and the collection as it is once it is installed."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import environment, places

# What builds it is of the scripts of `make test`, which import each other by bare names.
sys.path.insert(0, str(places.COLLECTION / "tests/dev"))

import build
import tree

MOMENT = 1_700_000_000


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
        return build.build(collection, tmp_path_factory.mktemp("built"), MOMENT)


@pytest.fixture(scope="session")
def built_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The same from another folder, by somebody with another umask, from files of another time."""
    old = os.umask(0o077)
    try:
        with tree.copy() as collection:
            for path in [collection, *collection.rglob("*")]:
                path.chmod(path.stat().st_mode & ~0o077)
                os.utime(path, (1, 1))
            return build.build(collection, tmp_path_factory.mktemp("elsewhere"), MOMENT)
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
