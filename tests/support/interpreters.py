# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the Pythons of this machine, and put real ones first on ``PATH``.

Version managers put small scripts named ``python3.N`` on ``PATH`` that only work in the right folder. ansible-test
takes any of them for an interpreter and dies. So one folder gets links to what such a name really runs, and that
folder goes first.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

VARIABLE = "COLLECTSSL_TEST_PYTHONS"
ASK = "import os, sys; print('%d.%d' % sys.version_info[:2], os.path.realpath(sys.executable))"


def _real(candidate: str, version: str) -> pathlib.Path | None:
    """Return what ``candidate`` really runs, or None where that isn't a working Python ``version``."""
    try:
        answer = subprocess.run([candidate, "-c", ASK], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found, _blank, path = answer.strip().partition(" ")
    return pathlib.Path(path) if found == version else None


def _managed() -> list[pathlib.Path]:
    """Return the folders with interpreters that pyenv holds, on ``PATH`` or not."""
    if not shutil.which("pyenv"):
        return []
    answer = subprocess.run(["pyenv", "root"], capture_output=True, text=True, timeout=30, check=False).stdout.strip()
    return sorted(pathlib.Path(answer, "versions").glob("*/bin"), reverse=True) if answer else []


def find(versions: t.Iterable[str]) -> dict[str, pathlib.Path]:
    """Return the interpreter for each of ``versions`` (such as ``3.11``) that this machine has."""
    found: dict[str, pathlib.Path] = {}
    managed = _managed()
    for version in versions:
        name = f"python{version}"
        on_path = shutil.which(name)
        candidates = ([on_path] if on_path else []) + [str(folder / name) for folder in managed]
        for candidate in candidates:
            real = _real(candidate, version)
            if real:
                found[version] = real
                break
    return found


def link(folder: pathlib.Path, versions: t.Iterable[str]) -> dict[str, pathlib.Path]:
    """Fill ``folder`` with links ``python3.N``, put it first on ``PATH``, and return the links by version.

    A link that still leads somewhere is taken as it is, so only the first call of a checkout has to search.
    """
    folder.mkdir(parents=True, exist_ok=True)
    links = {version: folder / f"python{version}" for version in versions}
    for version, real in find(version for version, path in links.items() if not os.access(path, os.X_OK)).items():
        fresh = folder / f".{version}.{os.getpid()}"
        fresh.symlink_to(real)
        fresh.replace(links[version])
    parts = [str(folder), *os.environ.get("PATH", os.defpath).split(os.pathsep)]
    os.environ["PATH"] = os.pathsep.join(dict.fromkeys(parts))
    return {version: path for version, path in links.items() if os.access(path, os.X_OK)}


def to_try(versions: t.Iterable[str]) -> dict[str, str]:
    """Return the interpreter for each of ``versions`` that tests can try as that of a managed host.

    Those that COLLECTSSL_TEST_PYTHONS names (``3.6=/path,3.8=/path``) come first; others are looked for.
    """
    pairs = (pair.strip().partition("=") for pair in os.environ.get(VARIABLE, "").split(","))
    named = {version: path for version, _sign, path in pairs if path and _real(path, version)}
    wanted = list(versions)
    found = {**find(version for version in wanted if version not in named), **named}
    return {version: str(found[version]) for version in wanted if version in found}


def describe(found: t.Mapping[str, pathlib.Path]) -> str:
    """Return ``found`` as one line for COLLECTSSL_TEST_PYTHONS."""
    return ",".join(f"{version}={path}" for version, path in found.items())


if __name__ == "__main__":
    sys.stdout.write(describe(find(sys.argv[1:])) + "\n")
