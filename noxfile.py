# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The test sessions, one thing each. `make test` runs them all; CONTRIBUTING.md shows how to run one.

`make test` runs those that are on by default. Which part of it a session is, its tags say, here and nowhere else:
`make lint` and `nox -t lint` run what is tagged so. `pytest` stands for sessions whose tests are recorded one by one.
"""

from __future__ import annotations

import functools
import os
import pathlib
import runpy
import shutil
import sys
import tempfile
import typing as t

import antsibull_nox
import nox

CHECKOUT = pathlib.Path(__file__).resolve().parent
DEV = CHECKOUT / "tests/dev"
sys.path.insert(0, str(DEV))
runpy.run_path(str(CHECKOUT / "tests/support/importable.py"))

import matrix  # noqa: E402 - found through the lines above
import tree  # noqa: E402
from ansible_collections.certfleet.collectssl.tests.support import interpreters  # noqa: E402

REQUIREMENTS = DEV / "requirements"
PYTEST_PLUGINS = DEV / "pytest_plugins"
SHELL_SCRIPTS = (
    ".ci/run",
    "tests/dev/find-python",
    "tests/dev/prepare",
    "tests/fleet/files/init",
)

nox.needs_version = ">=2025.2.9"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True

PYTHONS = interpreters.link(CHECKOUT / ".nox/pythons", matrix.TARGET_PYTHONS)

# yamllint, docs-check, license-check and extra-checks come from here; of the others, one is yamllint by another name,
# and one is for a CI system that asks for a list of sessions.
antsibull_nox.load_antsibull_nox_toml()


def _on_a_copy(run: t.Callable[..., None]) -> t.Callable[..., None]:
    """Let a session look at a copy.

    Some of its tools ask git first which files are ignored, and walk through the folder afterwards: what another
    session makes in between, be it a cache, is a file without a license to them.
    """

    @functools.wraps(run)
    def session_on_a_copy(session: nox.Session) -> None:
        with tree.copy() as collection, session.chdir(collection):
            run(session)

    return session_on_a_copy


for _name, _session in nox.registry.get().items():
    _session.default = _name not in ("lint", "matrix-generator")
    _session.tags = ["lint"] if _session.default else []
    _session.func = _on_a_copy(_session.func)


@nox.session(tags=["lint"])
def style(session: nox.Session) -> None:
    """Check style, imports and formatting of all Python, shell scripts, and the changelog's fragments."""
    session.install("-r", str(REQUIREMENTS / "lint.txt"))
    session.run("antsibull-changelog", "lint")
    session.run("ruff", "format", "--check", "--diff")
    session.run("ruff", "check", *session.posargs)
    # Those with a suffix are looked at by ansible-test. Without shellcheck, the summary of `make test` says so.
    if shutil.which("shellcheck"):
        session.run("shellcheck", *SHELL_SCRIPTS, external=True)


@nox.session(tags=["lint"])
def typing(session: nox.Session) -> None:
    """Check the types of all Python."""
    session.install("-r", str(REQUIREMENTS / "typing.txt"))
    with tree.copy() as collection:
        session.chdir(collection.parents[2])
        mypy = ["mypy", "--config-file", str(collection / ".mypy.ini"), "--cache-dir", str(CHECKOUT / ".mypy_cache")]
        # Folders whose files import each other by bare names.
        bases = [
            collection.parents[2],
            *(collection / folder for folder in ("tests/dev", "tests/dev/pytest_plugins", "tests/demo")),
        ]
        program = "tests/simulator/__main__.py"
        session.run(
            *mypy,
            *("--exclude", f"/{program}"),
            *(str(collection / name) for name in ("plugins", "tests", "noxfile.py")),
            env={"MYPYPATH": os.pathsep.join(map(str, bases))},
        )
        # mypy refuses one file under two names, and as a program the simulator has another one than the collection's.
        session.run(*mypy, str(collection / program), env={"MYPYPATH": str(collection / "tests/simulator")})


@nox.session(name="ansible-lint", tags=["lint"])
def ansible_lint(session: nox.Session) -> None:
    """Lint all Ansible content with the production profile."""
    session.install("-r", str(REQUIREMENTS / "ansible-lint.txt"))
    with tree.copy() as collection, session.chdir(collection):
        session.run("ansible-lint", *session.posargs, env={"ANSIBLE_COLLECTIONS_PATH": str(collection.parents[2])})


@nox.session(name="galaxy-import", tags=["lint"])
def galaxy_import(session: nox.Session) -> None:
    """Build the collection and import it the way Galaxy and Automation Hub do."""
    session.install("-r", str(REQUIREMENTS / "galaxy-import.txt"))
    with tempfile.TemporaryDirectory(prefix="collectssl-import-") as scratch:
        session.run("python", str(DEV / "build.py"), scratch)
        (tarball,) = pathlib.Path(scratch).glob("certfleet-collectssl-*.tar.gz")
        with session.chdir(scratch):
            output = t.cast(str, session.run("python", "-m", "galaxy_importer.main", tarball.name, silent=True))
    session.log(output)
    # The importer ends with success whatever it finds along the way.
    findings = [line for line in output.splitlines() if line.startswith(("ERROR", "WARNING", "CRITICAL"))]
    if findings:
        session.error("\n".join(["the importer complains:", *findings]))


@nox.session(python=matrix.OLDEST.python, tags=["lint", "pytest"])
def tarball(session: nox.Session) -> None:
    """Build the collection twice, look at what users get, and use it where it is all there is."""
    session.install(matrix.OLDEST.requirement, "-r", "meta/ee-requirements.txt", "-r", "tests/tarball/requirements.txt")
    env = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(PYTEST_PLUGINS)}
    pytest = ["python", "-m", "pytest", "-p", "collectssl_results", "-p", "no:cacheprovider"]
    session.run(*pytest, *(session.posargs or ["tests/tarball"]), env=env)


@nox.session(python=matrix.NEWEST.python, default=False)
def build(session: nox.Session) -> None:
    """Build the tarball of a release into the checkout, the same bytes as anybody else's of this commit."""
    session.install(matrix.NEWEST.requirement)
    session.run("python", str(DEV / "build.py"), str(CHECKOUT))


def _ansible_test_folder(session: nox.Session) -> pathlib.Path:
    code = "import ansible_test; print(next(iter(ansible_test.__path__)))"
    return pathlib.Path(str(session.run("python", "-c", code, silent=True)).strip())


def _sanity(session: nox.Session, core: matrix.Core) -> None:
    """Run ansible-test's sanity tests, with every Python found that this ansible-core knows."""
    session.install(core.requirement)
    session.run("python", str(DEV / "get_pip.py"))
    with tree.copy() as collection, session.chdir(collection):
        session.run("ansible-test", "sanity", "--color", "no", "--truncate", "0", *session.posargs)


def _units(session: nox.Session, core: matrix.Core) -> None:
    """Run the unit tests with pytest and ansible-test's own plugin for collections.

    `ansible-test units` starts a process for every single test, which makes the sets of keys and certificates that are
    shared by many tests anew each time. Imports resolve the same here.

    Tests that not every version of ansible-core has to run are left to others, unless the command line names some.
    """
    others = [f"--ignore-glob={pattern}" for pattern in matrix.units_left_to_others(core)]
    _pytest(session, core, *(session.posargs or others))


@nox.session(name="units-apart", python=matrix.NEWEST.python, tags=["units", "pytest"])
def units_apart(session: nox.Session) -> None:
    """Run the unit tests in which ansible-core has hardly a part."""
    _pytest(session, matrix.NEWEST, *(session.posargs or matrix.UNITS_APART_FROM_CORE))


@nox.session(name="libraries-oldest", python=matrix.OLDEST_LIBRARIES.python, tags=["units", "pytest"])
def libraries_oldest(session: nox.Session) -> None:
    """Run the tests in which libraries have a part with the oldest ones that will do, on the oldest controller."""
    core, constraints = matrix.OLDEST_LIBRARIES, str(REQUIREMENTS / "oldest.txt")
    _pytest(session, core, *(session.posargs or matrix.UNITS_OF_LIBRARIES), constraints=constraints)
    if not session.posargs:
        targets = [f"tests/integration/targets/{name}" for name in matrix.TARGETS_OF_LIBRARIES]
        _pytest(session, core, *targets, constraints=constraints)


def _pytest(
    session: nox.Session,
    core: matrix.Core,
    *arguments: str,
    requirements: str = "tests/unit/requirements.txt",
    constraints: str | None = None,
) -> None:
    """Run pytest on a copy of the collection that is imported by its name."""
    session.install(core.requirement, "-r", requirements, *(("-c", constraints) if constraints else ()))
    plugins = _ansible_test_folder(session) / "_util/target/pytest/plugins"
    with tree.copy() as collection, session.chdir(collection):
        env = {
            "ANSIBLE_COLLECTIONS_PATH": str(collection.parents[2]),
            "ANSIBLE_CONTROLLER_MIN_PYTHON_VERSION": core.python,
            "COLLECTSSL_TEST_PYTHONS": interpreters.describe(PYTHONS),
            "PYTHONPATH": os.pathsep.join([str(plugins), str(PYTEST_PLUGINS)]),
        }
        pytest = ["python", "-m", "pytest", "-p", "ansible_pytest_collections", "-p", "collectssl_results"]
        session.run(*pytest, *arguments, env=env)


def _integration(session: nox.Session, core: matrix.Core) -> None:
    """Run the integration tests with ansible-test, in this session's virtual environment.

    Targets that not every version of ansible-core has to run are left to others, unless the command line names some.
    """
    session.install(core.requirement, "-r", "tests/integration/requirements.txt")
    _preset_environment(
        session,
        {
            "COLLECTSSL_TEST_PYTHONS": interpreters.describe(PYTHONS),
            "COLLECTSSL_TEST_RESULTS": os.environ.get("COLLECTSSL_TEST_RESULTS", ""),
            "PYTEST_ADDOPTS": "-p collectssl_results",
        },
    )
    with tree.copy() as collection, session.chdir(collection):
        command = ["ansible-test", "integration", "--color", "no", "--truncate", "0", "--continue-on-error"]
        others = [option for target in matrix.targets_left_to_others(core) for option in ("--exclude", target)]
        session.run(*command, "--python", core.python, *(session.posargs or others))


@nox.session(python=matrix.FLEET.python, tags=["fleet", "pytest"])
def fleet(session: nox.Session) -> None:
    """Run the tests on a fleet of hosts in namespaces of this machine; they need root."""
    session.install(matrix.FLEET.requirement, "-r", "tests/fleet/requirements.txt")
    with tree.copy() as collection, session.chdir(collection):
        pytest = ["python", "-m", "pytest", "-p", "collectssl_results", "tests/fleet"]
        session.run(*pytest, *session.posargs, env={"PYTHONPATH": str(PYTEST_PLUGINS)})


@nox.session(python=matrix.NEWEST.python, tags=["soak"], default=False)
def soak(session: nox.Session) -> None:
    """Run what has more to find the longer it runs, COLLECTSSL_SOAK_MINUTES each; not a part of `make test`.

    The table of a whole run goes into the checkout.
    """
    minutes = os.environ.get("COLLECTSSL_SOAK_MINUTES") or "1"
    results = CHECKOUT / "tests/soak/RESULTS.md"
    # With a blank between, pytest takes the path for one of tests, and looks for a conftest.py beside it.
    whole = [f"--results={results}", f"--commit={tree.commit(results)}"]
    arguments = ["tests/soak", "--minutes", minutes, *(session.posargs or whole)]
    _pytest(session, matrix.NEWEST, *arguments, requirements="tests/soak/requirements.txt")


@nox.session(python=matrix.NEWEST.python, tags=["bench"], default=False)
def bench(session: nox.Session) -> None:
    """Measure what hosts cost, in what a bare ping of them costs; not a part of `make test`.

    The table of a whole run goes into the checkout.
    """
    results = CHECKOUT / "tests/bench/RESULTS.md"
    # As with a soak, without a blank between.
    whole = ["--hosts=100", "--turns=5", "--many=1000", f"--results={results}", f"--commit={tree.commit(results)}"]
    _pytest(
        session,
        matrix.NEWEST,
        *("tests/bench", *(session.posargs or whole)),
        requirements="tests/integration/requirements.txt",
    )


def _preset_environment(session: nox.Session, variables: dict[str, str]) -> None:
    """Let every Python of the session's virtual environment start with ``variables``.

    ansible-test hands its tests hardly anything of the environment, so it can't carry them. A ``.pth`` file is read at
    the start of Python; its first line puts our pytest plugins on the import path.
    """
    where = str(session.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", silent=True))
    preset = "; ".join(f"os.environ.setdefault({k!r}, {v!r})" for k, v in variables.items())
    text = f"{PYTEST_PLUGINS}\nimport os; {preset}\n"
    pathlib.Path(where.strip(), "collectssl_session.pth").write_text(text, encoding="utf-8")


def _per_core(run: t.Callable[[nox.Session, matrix.Core], None], cores: t.Iterable[matrix.Core], *tags: str) -> None:
    """Make one session of ``run`` for each of ``cores``; the first tag is its name, as in ``units-2.19``."""
    for core in cores:

        def session_function(session: nox.Session, core: matrix.Core = core) -> None:
            run(session, core)

        summary = (run.__doc__ or "").splitlines()[0]
        session_function.__doc__ = f"{summary} (ansible-core {core.series}, Python {core.python})"
        nox.session(name=f"{tags[0]}-{core.series}", python=core.python, tags=tags)(session_function)


_per_core(_sanity, (core for core in matrix.CORES if core.sanity), "sanity")
_per_core(_units, matrix.CORES, "units", "pytest")
_per_core(_integration, matrix.CORES, "integration", "pytest")
