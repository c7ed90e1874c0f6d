# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renewals with a fresh key, and files that a validation command has the last word on."""

from __future__ import annotations

import json
import shlex
import stat
import typing as t

from ansible_collections.certfleet.collectssl.tests.support import certificates, files
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Lab

_WEEKS_HENCE = 400 * 24 * 3600


def _task(number: str) -> dict[str, t.Any]:
    return {
        "name": "install",
        MODULE: {
            "order_number": number,
            "path": "{{ dir }}/cert.pem",
            "chain_path": "{{ dir }}/chain.pem",
            "fullchain_path": "{{ dir }}/fullchain.pem",
            "combined_path": "{{ dir }}/combined.pem",
            "privatekey_path": "{{ dir }}/key.pem",
            "pending_privatekey_path": "{{ dir }}/pending.pem",
            "validate": "{{ command | default(omit) }}",
        },
    }


def _unmoved(snapshot: files.Snapshot) -> dict[str, tuple[t.Any, ...]]:
    """All but the inode numbers: what was put back may be a copy."""
    return {path: entry[:4] for path, entry in snapshot.items()}


def test_a_fresh_key_moves_in_with_its_certificate(lab: Lab) -> None:
    """Three hosts: one swaps keys, one fails its validation and is put back, one has no pending key and is refused."""
    old, new = certificates.make_key(), certificates.make_key("rsa")
    number = lab.order(key=old, life=[{"state": "issued", "calls": 10**6}, {"state": "issued", "key": new}])
    root = lab.simulator.authority("root")
    swap = lab.host_folder("swap")
    undo = lab.host_folder("undo")
    verify = ["openssl", "verify", "-CAfile", str(root), "-untrusted", f"{swap}/chain.pem", f"{swap}/cert.pem"]
    still_good = ["openssl", "x509", "-in", f"{undo}/cert.pem", "-noout", "-checkend", str(_WEEKS_HENCE)]
    hosts: dict[str, dict[str, t.Any]] = {
        "swap": {"command": shlex.join(verify)},
        "undo": {"command": shlex.join(still_good)},
        "none": {},
    }
    for host in hosts:
        files.write(lab.host_folder(host) / "key.pem", old, 0o600)
        if host != "none":
            files.write(lab.host_folder(host) / "pending.pem", new, 0o400)
    task = _task(number)

    # Without validation at first: the certificate is for the old key, and the pending one stays where it is.
    first = lab.play({host: {} for host in hosts}, [task]).must_succeed()
    assert all("privatekey" not in result.files() for result in first.results)
    before = {host: files.snapshot(lab.host_folder(host)) for host in hosts}
    assert before["swap"]["key.pem"].content == old.encode()
    assert before["swap"]["pending.pem"].content == new.encode()

    lab.simulator.advance(number)
    checked = lab.play(hosts, [task], "--check", "--diff").must_be_civil()
    assert {host: files.snapshot(lab.host_folder(host)) for host in hosts} == before
    run = lab.play(hosts, [task], "--diff").must_fail()

    swapped = run.one("install", "swap")
    assert swapped.status == "ok", run.shown
    roles = ("certificate", "fullchain", "combined", "privatekey")
    assert {role for role, changed in swapped.files().items() if changed} == set(roles)
    assert checked.one("install", "swap").files() == swapped.files()
    assert checked.one("install", "swap").data["diff"] == swapped.data["diff"]
    now = files.snapshot(swap)
    assert now["key.pem"].content == new.encode()
    assert now["key.pem"].mode == 0o400
    assert set(now) == {"cert.pem", "chain.pem", "fullchain.pem", "combined.pem", "key.pem"}
    fullchain = (swap / "fullchain.pem").read_text()
    assert (swap / "combined.pem").read_text() == new + fullchain
    assert stat.S_IMODE((swap / "combined.pem").stat().st_mode) == 0o600
    assert certificates.public_key(new) in _public_key_of(fullchain)

    undone = run.one("install", "undo")
    assert undone.status == "failed"
    assert "validat" in undone.message
    assert undone.data["rc"] == 1
    assert "will expire" in undone.data["stdout"]
    after = files.snapshot(undo)
    assert _unmoved(after) == _unmoved(before["undo"])

    refused = run.one("install", "none")
    assert refused.status == "failed"
    assert "pending.pem" in refused.message
    assert "does not belong" in refused.message
    assert files.snapshot(lab.host_folder("none")) == before["none"]

    everything = run.output + checked.output + json.dumps([result.data for result in run.results + checked.results])
    assert not certificates.shows_key(everything, old)
    assert not certificates.shows_key(everything, new)

    again = lab.play({"swap": hosts["swap"]}, [task]).must_succeed()
    assert not again.one("install").changed
    assert files.snapshot(swap) == now


def _public_key_of(pem: str) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = certificates.certificates(pem)[0].public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def test_validation_has_the_last_word(lab: Lab) -> None:
    """What fails is undone, new files and replaced ones; check mode validates nothing, nor does an idle run."""
    number = lab.order()
    witness = lab.folder / "witness"
    witness.mkdir(exist_ok=True)

    def host(name: str, command: str, *present: str) -> dict[str, t.Any]:
        folder = lab.host_folder(name)
        files.write(folder / "key.pem", certificates.shared_key(), 0o600)
        for file in present:
            files.write(folder / file, f"{file} of before\n", 0o604)
        return {"command": command}

    sees = f"{witness}/sees"
    hosts = {
        # The command finds the new files in their places.
        "good": host("good", f"cp {lab.host_folder('good')}/cert.pem {sees}"),
        "new": host("new", "openssl verify {{ dir }}/cert.pem"),
        "mixed": host("mixed", "openssl verify {{ dir }}/cert.pem", "cert.pem", "combined.pem"),
        "missing": host("missing", "no-such-command-anywhere --at all", "cert.pem"),
        "shell": host("shell", f"true; touch {witness}/shell", "cert.pem"),
    }
    before = {name: files.snapshot(lab.host_folder(name)) for name in hosts}
    task = _task(number)
    lab.play({"good": hosts["good"]}, [task], "--check").must_succeed()
    assert list(witness.iterdir()) == []

    run = lab.play(hosts, [task]).must_fail()
    assert run.one("install", "good").status == "ok", run.shown
    assert (witness / "sees").read_text() == (lab.host_folder("good") / "cert.pem").read_text()
    for name in ("new", "mixed", "missing"):
        result = run.one("install", name)
        assert result.status == "failed", name
        assert _unmoved(files.snapshot(lab.host_folder(name))) == _unmoved(before[name]), name
    assert "verification failed" in run.one("install", "mixed").data["stderr"]
    assert "no-such-command-anywhere" in run.one("install", "missing").message
    # No shell: the semicolon is a part of an argument of true.
    assert not (witness / "shell").exists()

    (witness / "sees").unlink()
    again = lab.play({"good": hosts["good"]}, [task]).must_succeed()
    assert not again.one("install").changed
    assert list(witness.iterdir()) == []
