# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the quick look for many certificates calls the same, the module calls unchanged, and tells the same of it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import typing as t

import hypothesis
import pytest
from ansible.module_utils import basic
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import deploy_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.deploy import deploy
from ansible_collections.certfleet.collectssl.plugins.module_utils._install import records
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment import certificates, quick
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._quick_look import Look
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._validation import validated
from ansible_collections.certfleet.collectssl.tests.support import installation
from ansible_collections.certfleet.collectssl.tests.support.reloadable import ReloadableService
from hypothesis import strategies as st

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="records are believed of root alone"),
    pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl"),
]

_SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
_SITES = ("a", "b")

_Result = dict[str, t.Any]


class _Host:
    """Two sites of one service, a certificate that no endpoint shows, and one that is to be gone."""

    def __init__(self, folder: pathlib.Path, service: ReloadableService) -> None:
        self.folder = folder
        self.service = service
        self.records = folder / "proven"
        (folder / "tmp").mkdir()
        for site in _SITES:
            key = service.conf / f"{site}.key"
            key.write_bytes(installation.key_pem(f"ec-{site}"))
            key.chmod(0o600)
            (service.conf / f"{site}.pem").write_text(installation.bundle(f"ec-{site}", 9, with_root=False))

    def wanted(self) -> list[tuple[certificates.Certificate, str | None]]:
        conf = self.service.conf
        sites = [
            {
                "name": site,
                "content": "x",
                "fullchain_path": str(conf / f"{site}.pem"),
                "combined_path": str(self.folder / "combined" / f"{site}.pem"),
                "privatekey_path": str(conf / f"{site}.key"),
                "directory": str(self.folder / "combined"),
                "services": ["web"],
                "endpoints": [{"port": self.service.ports[site], "server_name": f"{site}.example.com"}],
                "mode": "0640",
            }
            for site in _SITES
        ]
        mail = {"name": "mail", "content": "x", "path": str(self.folder / "mail.pem"), "owner": "root"}
        gone = {"name": "gone", "state": "absent", "path": str(self.folder / "gone.pem")}
        given = {"certificates": [*sites, mail, gone], "services": {"web": {"command": str(self.service.command)}}}
        found = certificates.certificates_of(validated(given, deploy_spec(merged=False)), "127.0.0.1")
        keys = {"a": "ec-a", "b": "ec-b", "mail": "ec-mail"}
        contents = {name: installation.bundle(key, with_root=False) for name, key in keys.items()}
        return [(one, contents.get(one.name)) for one in found]

    def deploy(self, check: bool = False) -> _Result:
        """What the module says."""
        arguments = {
            "certificates": [one.sent(content) for one, content in self.wanted()],
            "services": {"web": {"command": str(self.service.command)}},
            "probe_retries": 1,
            "probe_delay": 0,
            "probe_timeout": 1,
            "_ansible_check_mode": check,
            "_ansible_no_log": True,
            "_ansible_diff": True,
            "_ansible_tmpdir": str(self.folder / "tmp"),
        }
        with installation.module_arguments(arguments):
            kwargs = deploy_spec().kwargs()
            kwargs["argument_spec"]["_shown"] = {"type": "dict"}
            module = basic.AnsibleModule(supports_check_mode=True, **kwargs)
        before, records.FOLDER = records.FOLDER, str(self.records)
        try:
            return deploy(module)
        finally:
            records.FOLDER = before

    def looks_same(self) -> bool:
        """What the quick look says."""
        seen = quick.to_see(self.wanted(), check_mode=False)
        look = Look(seen.files, seen.endpoints, seen.folders, 1, str(self.records))
        done = subprocess.run(["sh", "-c", look.command], capture_output=True, text=True, check=False)
        return look.says_same(done.stdout)


def _told(result: _Result) -> _Result:
    """What is told, less what only a module finds out: whether a look trusts what it sees, what it could restore."""
    certificates_told = [
        {name: value for name, value in one.items() if name != "before_fingerprint"} for one in result["certificates"]
    ]
    endpoints = [{**one, "verified": None, "verify_error": None} for one in result["endpoints"]]
    return {**result, "certificates": certificates_told, "endpoints": endpoints}


@contextlib.contextmanager
def _in_service() -> t.Iterator[_Host]:
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as folder:
        path = pathlib.Path(folder)
        service = ReloadableService(path / "service", _SITES)
        host = _Host(path, service)
        with service:
            first = host.deploy()
            assert [one["state"] for one in first["certificates"]] == [
                "in_service",
                "in_service",
                "installed",
                "absent",
            ]
            yield host


def _reissued(host: _Host) -> None:
    """Another certificate is in service, and the file is as before."""
    path = host.service.conf / "b.pem"
    text = path.read_text()
    path.write_text(installation.bundle("ec-b", 7, with_root=False))
    host.service.reload()
    path.write_text(text)


def _other_key(host: _Host) -> None:
    (host.service.conf / "a.key").write_bytes(installation.key_pem("ec-other"))


_ACTS: dict[str, t.Callable[[_Host], object]] = {
    "nothing": lambda _host: None,
    "reload": lambda host: host.service.reload(),
    "other": _reissued,
    "silent": lambda host: host.service.misbehave("silent-a"),
    "refuse": lambda host: host.service.misbehave("refuse"),
    "key": _other_key,
    "mode": lambda host: (host.service.conf / "b.pem").chmod(0o644),
    "combined": lambda host: (host.folder / "combined" / "a.pem").write_text("x"),
    "folder": lambda host: (host.folder / "combined").rename(host.folder / "away"),
    "came back": lambda host: (host.folder / "gone.pem").write_text("x"),
    "link": lambda host: (host.folder / "gone.pem").symlink_to("/nowhere"),
    "owner": lambda host: os.chown(host.folder / "mail.pem", 1, -1),
    "group": lambda host: os.chown(host.folder / "mail.pem", -1, 1),
    "due": lambda host: (host.folder / ".collectssl").mkdir(0o700),
    "records": lambda host: shutil.rmtree(host.records),
}
_WITHOUT_A_DIFFERENCE = ("nothing", "reload", "refuse", "group")


def _same_and_unchanged(acts: t.Iterable[str]) -> tuple[bool, bool]:
    with _in_service() as host:
        for act in acts:
            with contextlib.suppress(OSError):
                _ACTS[act](host)
        same = host.looks_same()
        result = host.deploy(check=True)
        if same:
            assert _told(result) == quick.unchanged(host.wanted(), diff=True)
        return same, not result["changed"]


@pytest.mark.parametrize("act", sorted(_ACTS))
def test_what_it_says_after_each_act(act: str) -> None:
    same, unchanged = _same_and_unchanged([act])
    assert same is (act in _WITHOUT_A_DIFFERENCE)
    assert unchanged or not same


@hypothesis.settings(
    max_examples=8,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)
@hypothesis.given(st.lists(st.sampled_from(sorted(_ACTS)), min_size=2, max_size=3))
def test_what_looks_the_same_is_unchanged_for_the_module(acts: list[str]) -> None:
    same, unchanged = _same_and_unchanged(acts)
    assert unchanged or not same


def test_the_invariant_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that does not see what endpoints serve is found out."""
    monkeypatch.setattr(quick, "endpoint_of", lambda *_args: None)
    real = Look.__init__

    def blind(self: Look, files: t.Any, _endpoints: t.Any, *others: t.Any) -> None:
        real(self, files, (), *others)

    monkeypatch.setattr(Look, "__init__", blind)
    with _in_service() as host:
        _reissued(host)
        assert host.looks_same()
        assert host.deploy(check=True)["changed"]
