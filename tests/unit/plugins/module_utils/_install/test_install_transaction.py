# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All of it or nothing of it: what a transaction leaves when a step of it fails."""

from __future__ import annotations

import errno
import functools
import multiprocessing
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import hidden, transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places
from ansible_collections.certfleet.collectssl.tests.support.installation import (
    Meddler,
    Options,
    SmallHost,
    bundle,
    calls_of,
    intermediate,
    key_pem,
    killed_at,
    leaf,
)
from ansible_collections.certfleet.collectssl.tests.support.places import IMPORTABLE


def _fresh_key(host: SmallHost) -> Options:
    host.write_key("ec-old")
    host.install(**host.everything(content=bundle("ec-old")))
    host.write_key("ec-new", host.pending)
    return host.everything(content=bundle("ec-new", 1), pending_privatekey_path=str(host.pending), backup=True)


def _first(host: SmallHost) -> Options:
    host.write_key("ec-new", host.pending)
    return host.everything(content=bundle("ec-new"), pending_privatekey_path=str(host.pending), mode="0640")


def _fail(_name: str, number: int = errno.EIO) -> None:
    raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("number_of_error", [errno.EIO, errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize("scenario", [_fresh_key, _first])
def test_any_call_that_fails_leaves_everything_as_it_was(
    scenario: t.Callable[[SmallHost], Options], number_of_error: int, tmp_path: pathlib.Path
) -> None:
    reference = SmallHost(tmp_path / "reference")
    options = scenario(reference)
    total = calls_of(lambda: reference.install(**options))
    after = reference.state()
    host = SmallHost(tmp_path / "host")
    options = scenario(host)
    before = host.state()

    fail = functools.partial(_fail, number=number_of_error)

    failed = 0
    for number in range(1, total + 1):
        message = ""
        try:
            with Meddler(number, fail).at_work():
                host.install(**options)
        except InstallError as exc:
            message = str(exc)
        if message:
            failed += 1
            assert os.strerror(number_of_error) in message
            assert re.search(r"No file was changed\.|Every file has been put back as it was\.|temporary file", message)
            assert host.state() == before, (number, message)
        else:
            # The transaction was over: what is left hidden goes with the next run.
            host.install(**options)
            assert host.hidden() == []
            assert host.state() == after
            shutil.rmtree(host.folder)
            host = SmallHost(tmp_path / "host")
            options = scenario(host)
    assert failed > total // 2


def test_a_disk_that_stays_broken_is_repaired_by_the_next_run(tmp_path: pathlib.Path) -> None:
    reference = SmallHost(tmp_path / "reference")
    options = _fresh_key(reference)
    total = calls_of(lambda: reference.install(**options))
    expected = reference.state()
    told = 0
    for number in range(1, total, 3):
        host = SmallHost(tmp_path / str(number))
        options = _fresh_key(host)
        meddler = Meddler(number, _fail, for_good=True)
        try:
            with meddler.at_work():
                host.install(**options)
        except InstallError as exc:
            told += "the next run puts them back first" in str(exc)
        host.install(**options)
        assert host.state() == expected, number
    assert told > 5


def test_a_refusing_validation_puts_everything_back(tmp_path: pathlib.Path) -> None:
    host = SmallHost(tmp_path)
    options = _fresh_key(host)
    before = host.state()
    inodes = {path: path.stat().st_ino for path in (host.key, host.pending, host.path, host.combined)}
    script, seen = tmp_path / "check", tmp_path / "seen"
    looks = f"cat {host.path} {host.key} >{seen}; cat {seen}; ls {host.pending}"
    script.write_text(f'#!/bin/sh\n{looks}; echo "$1|$2|$3" >&2; exit 3\n')
    script.chmod(0o755)
    with pytest.raises(InstallError) as failure:
        host.install(**dict(options, validate=f"{script} 'two words' $HOME '~'"))
    assert failure.value.details["rc"] == 3
    # It saw the new files in their places, and no pending key any more.
    assert seen.read_text() == leaf("ec-new", 1) + key_pem("ec-new").decode()
    # What is told of it has no key in it.
    assert failure.value.details["stdout"] == "[CERTIFICATE]\n[PRIVATE KEY]\n"
    assert failure.value.details["stderr"].endswith("two words|$HOME|~\n")
    assert "exit status 3" in str(failure.value)
    assert "Every file has been put back as it was." in str(failure.value)
    assert host.state() == before
    assert {path: path.stat().st_ino for path in inodes} == inodes
    assert host.install(**dict(options, validate="true"))["changed"]


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("printf 'first\\nnginx: [emerg] no such file\\n\\n' >&2; echo on the side", ": nginx: [emerg] no such file."),
        ("echo one; printf 'and the last.  \\n \\n'", ": and the last."),
        ("printf 'a \\033[31mred\\007\\tline' >&2", ": a red line."),
        ("printf '\\033[1;31mrefused\\033[0m\\n\\033[0m\\n' >&2", ": refused."),
        ("true", "."),
        ("head -c 5000 /dev/zero | tr '\\0' x", ": " + "x" * 200 + " …."),
    ],
)
def test_a_refusing_validation_says_its_last_line(output: str, words: str, tmp_path: pathlib.Path) -> None:
    host = SmallHost(tmp_path)
    script = tmp_path / "check"
    script.write_text(f"#!/bin/sh\n{output}\nexit 3\n")
    script.chmod(0o755)
    with pytest.raises(InstallError) as failure:
        host.install(content=bundle("ec-key"), path=str(host.path), validate=str(script))
    said = f"validate: the command {script} refused the new files with exit status 3{words}"
    assert str(failure.value) == f"{said} Every file has been put back as it was."


@pytest.mark.parametrize(
    ("output", "ending"),
    [
        (
            "printf 'in Z\\374rich\\n'; printf '\\377\\000\\n' >&2; exit 3",
            " refused the new files with exit status 3: in Z rich.",
        ),
        ("printf 'killing'; kill -9 $$", " was ended by signal 9: killing."),
    ],
    ids=["no text", "killed"],
)
def test_a_validation_that_says_or_does_what_results_cannot_carry(
    output: str, ending: str, tmp_path: pathlib.Path
) -> None:
    host = SmallHost(tmp_path)
    script = tmp_path / "check"
    script.write_text(f"#!/bin/sh\n{output}\n")
    script.chmod(0o755)
    with pytest.raises(InstallError) as failure:
        host.install(content=bundle("ec-key"), path=str(host.path), validate=str(script))
    said = f"validate: the command {script}{ending}"
    assert str(failure.value) == f"{said} Every file has been put back as it was."
    for stream in ("stdout", "stderr"):
        failure.value.details[stream].encode("utf-8")


def test_what_an_interrupted_run_left_is_part_of_the_story(tmp_path: pathlib.Path) -> None:
    """A run that fails for another reason has put back the files of that one."""
    reference = SmallHost(tmp_path / "reference")
    options = _fresh_key(reference)
    meddler = Meddler()
    with meddler.at_work():
        reference.install(**options)
    # The last rename puts the certificate in its place.
    last = max(number for number, name in enumerate(meddler.names, 1) if name == "rename")
    host = SmallHost(tmp_path / "host")
    options = _fresh_key(host)
    assert killed_at(last + 1, functools.partial(host.install, **options))
    assert host.path.read_text() == leaf("ec-new", 1)
    with pytest.raises(InstallError, match="does not belong") as failure:
        host.install(**{**options, "content": bundle("ec-foreign")})
    assert str(failure.value).endswith(" came back as before the interrupted run.")
    assert str(host.path) in str(failure.value).partition("but that ")[2]
    assert host.path.read_text() == leaf("ec-old")


def test_a_validation_that_cannot_be_run(tmp_path: pathlib.Path) -> None:
    host = SmallHost(tmp_path)
    options = _fresh_key(host)
    before = host.state()
    with pytest.raises(InstallError, match="validate: /no/such/command could not be run: No such file"):
        host.install(**dict(options, validate="/no/such/command -t"))
    assert host.state() == before


def test_the_key_and_then_the_certificate_come_last(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = SmallHost(tmp_path)
    options = _fresh_key(host)
    renamed = []
    rename = os.rename

    def spy(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        renamed.append(f"{os.readlink(f'/proc/self/fd/{dst_dir_fd}')}/{target}")
        rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "rename", spy)
    host.install(**dict(options, include_root=True, mode="0640"))
    wanted = [host.root, host.chain, host.key, host.combined, host.fullchain, host.path]
    assert [name for name in renamed if "/.collectssl" not in name] == [str(path) for path in wanted]


@pytest.fixture
def heeded() -> t.Iterator[None]:
    """Signals are heeded, though who started the tests may have them ignored, as nohup does."""
    usual: dict[signal.Signals, t.Any] = {
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
        signal.SIGINT: signal.default_int_handler,
    }
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_puts_everything_back(number: signal.Signals, tmp_path: pathlib.Path) -> None:
    host = SmallHost(tmp_path)
    options = _fresh_key(host)
    before = host.state()
    handlers = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]
    # Looking changes nothing, so a signal may end it as it ends any process.
    looking = 2 * calls_of(lambda: host.install(check=True, **options))
    interrupted = 0
    for at in range(looking + 1, 1000, 5):
        with Meddler(at, lambda name: os.kill(os.getpid(), number)).at_work():
            try:
                host.install(**options)
            except InstallError as exc:
                interrupted += 1
                assert "interrupted" in str(exc) or number.name in str(exc)  # noqa: PT017
            else:
                break
        assert host.state() == before, at
    assert interrupted > 3
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)] == handlers


def test_a_bug_puts_everything_back_too(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = SmallHost(tmp_path)
    options = _fresh_key(host)
    before = host.state()

    def bug(_self: t.Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(transaction.Transaction, "_validate", bug)
    with pytest.raises(ZeroDivisionError):
        host.install(**options)
    assert host.state() == before


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="only root can mount a small disk")
def test_a_disk_that_is_really_full(tmp_path: pathlib.Path) -> None:
    host = SmallHost(tmp_path)
    host.write_key("ec-key")
    # 12 blocks, less what the folder takes; some of the files fit, and then the next does not.
    script = f"mount -t tmpfs -o size=12k,mode=755 tmpfs {host.certs} && exec {sys.executable} - {tmp_path}"
    program = (
        "import sys, pathlib, os\n"
        f"sys.path[:0] = {[path for path in sys.path if path]!r}\n"
        f"{'import runpy; runpy.run_path(' + repr(str(IMPORTABLE)) + ')'}\n"
        f"from {SmallHost.__module__} import SmallHost\nfrom {InstallError.__module__} import InstallError\n"
        "host = SmallHost.__new__(SmallHost)\n"
        "host.folder = pathlib.Path(sys.argv[1]); host.certs = host.folder / 'certs'\n"
        "host.private = host.folder / 'private'\n"
        f"options = dict(content={bundle('ec-key')!r}, include_root=True)\n"
        "for name in 'path', 'chain_path', 'fullchain_path', 'root_path':\n"
        "    options[name] = str(host.certs / name)\n"
        "try:\n    host.install(**options)\n"
        "except InstallError as exc:\n    print(exc)\n"
        "print(sorted(os.listdir(str(host.certs))))\n"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        input=program,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "No space left on device" in done.stdout, done
    assert "Make some room there and run again. No file was changed." in done.stdout
    assert done.stdout.endswith("[]\n")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("chattr"), reason="only root can make files immutable")
@pytest.mark.on_disk
def test_immutable_files(tmp_path: pathlib.Path) -> None:
    host = SmallHost(tmp_path)
    host.write_key("ec-key")
    options: Options = {"path": str(host.path), "chain_path": str(host.chain)}
    host.install(content=bundle("ec-key"), **options)
    if subprocess.run(["chattr", "+i", str(host.path)], check=False, capture_output=True).returncode != 0:
        pytest.skip("this file system knows no such flag")
    try:
        before = host.state()
        with pytest.raises(InstallError, match="see lsattr"):
            host.install(content=bundle("ec-key", 1), **options)
        assert host.state() == before
        # Whoever sets the flag by the task gets it taken off for the change and put on again.
        result = host.install(content=bundle("ec-key", 1), attributes="+i", **options)
        assert result["changed"]
        assert host.path.read_text() == leaf("ec-key", 1)
        assert _immutable(host.path)
        with pytest.raises(InstallError, match="exit status 1"):
            host.install(content=bundle("ec-key", 2), attributes="+i", validate="false", **options)
        assert host.path.read_text() == leaf("ec-key", 1)
        assert _immutable(host.path)
        assert host.hidden() == []
    finally:
        subprocess.run(["chattr", "-R", "-i", str(host.certs)], check=False)


def _immutable(path: pathlib.Path) -> bool:
    flags = subprocess.run(["lsattr", "-d", str(path)], check=True, capture_output=True, text=True).stdout.split()[0]
    return "i" in flags


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="only root can mount a file")
@pytest.mark.parametrize("validate", ["true", "false"])
def test_a_file_that_is_mounted(validate: str, tmp_path: pathlib.Path) -> None:
    host = SmallHost(tmp_path)
    host.path.write_text("old")
    (tmp_path / "behind").write_text("old")
    program = (
        "import sys\n"
        f"sys.path[:0] = {[path for path in sys.path if path]!r}\n"
        f"import runpy; runpy.run_path({str(IMPORTABLE)!r})\n"
        f"from {SmallHost.__module__} import SmallHost\nfrom {InstallError.__module__} import InstallError\n"
        "import pathlib\n"
        "host = SmallHost.__new__(SmallHost)\n"
        f"host.folder = pathlib.Path({str(tmp_path)!r})\n"
        f"options = dict(content={bundle('ec-key')!r}, path={str(host.path)!r}, root_path={str(host.root)!r})\n"
        "for more in {}, {'unsafe_writes': True}:\n"
        f"    try:\n        host.install(validate={validate!r}, **options, **more)\n"
        "    except InstallError as exc:\n        print(exc)\n"
    )
    script = f"mount --bind {tmp_path}/behind {host.path} && exec {sys.executable} -"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        input=program,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Give in_place: true, which writes into it. No file was changed." in done.stdout, done
    assert (tmp_path / "behind").read_text() == (leaf("ec-key") if validate == "true" else "old")
    assert host.root.exists() == (validate == "true")
    assert host.hidden() == []


def _worker(folder: str, serial: int, rounds: int) -> None:
    host = SmallHost.__new__(SmallHost)  # the folders are there already
    host.folder = pathlib.Path(folder)
    for _round in range(rounds):
        options: Options = {
            "content": bundle("ec-key", serial % 2),
            "path": f"{folder}/certs/site.pem",
            "fullchain_path": f"{folder}/private/full.pem",
            "validate": f"cmp -n {len(leaf('ec-key', serial % 2))} {folder}/certs/site.pem {folder}/private/full.pem",
        }
        host.install(**options)


def test_runs_at_the_same_time_take_turns(tmp_path: pathlib.Path) -> None:
    host = SmallHost(tmp_path)
    host.write_key("ec-key")
    leaf("ec-key", 0), leaf("ec-key", 1), intermediate(), bundle("ec-key")
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_worker, args=(str(tmp_path), serial, 8)) for serial in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    assert host.hidden() == []
    assert (host.private / "full.pem").read_text().startswith(host.path.read_text())


def test_a_run_waits_for_another_and_gives_up_in_the_end(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = SmallHost(tmp_path)
    options: Options = {"content": bundle("ec-key"), "path": str(host.path)}
    released = threading.Event()
    held = threading.Event()

    def hold() -> None:
        with Places() as places:
            folder = places.folder("test", str(host.certs))
            assert folder is not None
            with hidden.locked([folder], exclusive=True):
                held.set()
                released.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    monkeypatch.setattr(hidden, "PATIENCE", 0.2)
    with pytest.raises(InstallError, match="another run has been installing"):
        host.install(**options)
    assert not host.path.exists()
    monkeypatch.setattr(hidden, "PATIENCE", 30.0)
    threading.Timer(0.3, released.set).start()
    begun = time.monotonic()
    host.install(**options)
    assert time.monotonic() - begun > 0.2
    holder.join()


def test_a_directory_with_two_names_is_locked_once(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to("a")
    with Places() as places:
        found = [places.folder("test", str(tmp_path / name)) for name in ("a", "b", "none")]
        assert found[2] is None
        with hidden.locked([folder for folder in found if folder is not None], exclusive=True) as held:
            assert len(held) == 1
            assert (tmp_path / "a" / ".collectssl").is_dir()
    assert not (tmp_path / "a" / ".collectssl").exists()
