# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drift is found, shown and repaired, file by file; check mode promises what the run does."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import certificates, files
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Lab
from ansible_collections.certfleet.collectssl.tests.support.runs import Run

_NAMES = {
    "certificate": "cert.pem",
    "chain": "chain.pem",
    "fullchain": "fullchain.pem",
    "root": "root.pem",
    "combined": "combined.pem",
}


def _spoil_content(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def _other_chain(path: pathlib.Path) -> None:
    # Still certificates, in the wrong order.
    blocks = path.read_text().split("-----END CERTIFICATE-----\n")
    path.write_text("-----END CERTIFICATE-----\n".join([*reversed(blocks[:-1]), ""]))


def _other_key(path: pathlib.Path) -> None:
    path.write_text(path.read_text().replace(certificates.shared_key(), certificates.shared_key("rsa")))


def _wider(path: pathlib.Path) -> None:
    path.chmod(0o666)


def _longer(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes() + b"# a note\n")


def _other_owner(path: pathlib.Path) -> None:
    os.chown(path, 65534, 65534)


#: A host for each drift: what is done to which of its files.
_DRIFTS: dict[str, dict[str, t.Callable[[pathlib.Path], None]]] = {
    "none": {},
    "content": {"certificate": _spoil_content},
    "chain-only": {"chain": _other_chain},
    "missing": {"fullchain": pathlib.Path.unlink},
    "longer": {"root": _longer},
    "key-in-combined": {"combined": _other_key},
    "mode": {"fullchain": _wider},
    "mode-of-combined": {"combined": _wider},
    "several": {"certificate": _wider, "chain": pathlib.Path.unlink, "combined": _longer},
}
#: Where no mode is given, combined_path has one of its own.
_WITHOUT_MODE = ("mode-of-combined",)


def _settled(run: Run) -> dict[str, dict[str, bool]]:
    return {host: result.files() for host, result in run.by_host("install").items()}


def _changed(run: Run) -> dict[str, bool]:
    return {host: result.changed for host, result in run.by_host("install").items()}


@pytest.fixture
def task(lab: Lab) -> dict[str, t.Any]:
    """A task with every file; owner where this user may give files away."""
    options: dict[str, t.Any] = {
        "order_number": lab.order(),
        "path": "{{ dir }}/cert.pem",
        "chain_path": "{{ dir }}/chain.pem",
        "fullchain_path": "{{ dir }}/fullchain.pem",
        "root_path": "{{ dir }}/root.pem",
        "combined_path": "{{ dir }}/combined.pem",
        "privatekey_path": "{{ dir }}/key.pem",
        "mode": "{{ mode | default(omit) }}",
        "backup": True,
    }
    if os.geteuid() == 0:
        options.update(owner="root", group="0")
    return {"name": "install", MODULE: options}


def _no_key_material(text: str) -> None:
    for kind in ("ecdsa", "rsa"):
        assert not certificates.shows_key(text, certificates.shared_key(kind))


def test_each_drift_is_repaired(lab: Lab, task: dict[str, t.Any]) -> None:
    """Check mode first: it says and shows what the run then does, and does nothing itself."""
    drifts = dict(_DRIFTS)
    if os.geteuid() == 0:
        drifts["owner"] = {"chain": _other_owner}
    hosts: dict[str, dict[str, t.Any]] = {}
    for host in drifts:
        files.write(lab.host_folder(host) / "key.pem", certificates.shared_key(), 0o600)
        hosts[host] = {} if host in _WITHOUT_MODE else {"mode": "0640"}
    lab.play(hosts, [task]).must_succeed()
    right = {host: files.snapshot(lab.host_folder(host)) for host in hosts}
    for host, drift in drifts.items():
        for role, spoil in drift.items():
            spoil(lab.host_folder(host) / _NAMES[role])
    spoilt = {host: files.snapshot(lab.host_folder(host)) for host in hosts}

    checked = lab.play(hosts, [task], "--check", "--diff").must_succeed()
    assert {host: files.snapshot(lab.host_folder(host)) for host in hosts} == spoilt
    for host, drift in drifts.items():
        assert _settled(checked)[host] == {role: role in drift for role in _NAMES}, host
        assert _changed(checked)[host] == bool(drift), host

    repaired = lab.play(hosts, [task], "--diff").must_succeed()
    assert _settled(repaired) == _settled(checked)
    assert _changed(repaired) == _changed(checked)
    for host in hosts:
        diffs = [run.one("install", host).data.get("diff") for run in (checked, repaired)]
        assert diffs[0] == diffs[1], host
        assert bool(diffs[0]) == bool(drifts[host]), host
        if "mode" in host:
            assert any("# mode: " in diff["before"] and "# mode: " in diff["after"] for diff in diffs[0] or ()), host
    _no_key_material(checked.output + repaired.output + json.dumps([result.data for result in repaired.results]))

    for host, drift in drifts.items():
        now = files.snapshot(lab.host_folder(host))
        backups = {file["path"]: file["backup_file"] for file in repaired.one("install", host).data["files"]}
        for role, name in _NAMES.items():
            assert now[name].content == right[host][name].content, (host, name)
            assert now[name].mode == right[host][name].mode, (host, name)
            assert now[name].owner == right[host][name].owner, (host, name)
            if role not in drift:
                # What is right is not even written again.
                assert now[name] == spoilt[host][name], (host, name)
            backup = backups[str(lab.host_folder(host) / name)]
            # As with other modules, what is kept is what the file held, so a mode alone is no reason for a backup.
            if name in spoilt[host] and spoilt[host][name].content != right[host][name].content:
                kept = now[pathlib.Path(backup).name]
                assert kept.content == spoilt[host][name].content
                assert kept.mode == spoilt[host][name].mode
            else:
                assert backup is None
        assert len(now) == len(right[host]) + sum(1 for name in backups.values() if name), (host, sorted(now))
    assert right["mode-of-combined"]["combined.pem"].mode == 0o600
    assert right["none"]["combined.pem"].mode == 0o640


def test_a_diff_says_what_changes(lab: Lab) -> None:
    """A reissue: the old and the new certificate by subject, serial, validity and fingerprint, and no base64."""
    number = lab.order(life=[{"state": "issued", "calls": 1}, {"state": "issued"}])
    hosts = lab.fleet("web", 1)
    task = {
        "name": "install",
        MODULE: {
            "order_number": number,
            "path": "{{ dir }}/cert.pem",
            "combined_path": "{{ dir }}/combined.pem",
            "privatekey_path": "{{ dir }}/key.pem",
        },
    }
    lab.play(hosts, [task]).must_succeed()
    path = lab.host_folder("web01") / "cert.pem"
    (old,) = certificates.certificates(path.read_text())
    run = lab.play(hosts, [task], "--diff").must_succeed()
    (new,) = certificates.certificates(path.read_text())
    assert old.serial_number != new.serial_number
    assert run.one("install").files() == {"certificate": True, "combined": True}
    (shown,) = [diff for diff in run.one("install").data["diff"] if diff["after_header"] == str(path)]
    for side, certificate in (("before", old), ("after", new)):
        for fact in (
            f"CN=www{number}.example.com",
            str(certificate.serial_number),
            certificate.not_valid_before_utc.strftime("%Y-%m-%d"),
            certificate.not_valid_after_utc.strftime("%Y-%m-%d"),
            certificates.fingerprint(certificate),
        ):
            assert fact in shown[side], shown[side]
    assert "BEGIN" not in run.output
    for certificate in (old, new):
        assert certificates.fingerprint(certificate) in run.output
    _no_key_material(run.output)
