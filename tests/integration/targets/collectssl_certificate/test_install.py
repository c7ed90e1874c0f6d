# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed: every file of a chain."""

from __future__ import annotations

import datetime
import pathlib
import stat
import subprocess

from ansible_collections.certfleet.collectssl.tests.support import certificates, files
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Lab

_CHAIN = ["Simulated DV Server CA X21", "Simulated Server Root X2"]
_ROOT = "Simulated Legacy Root"
_FILES = {
    "path": "{{ dir }}/cert.pem",
    "chain_path": "{{ dir }}/chain.pem",
    "fullchain_path": "{{ dir }}/fullchain.pem",
    "root_path": "{{ dir }}/root.pem",
    "combined_path": "{{ dir }}/combined.pem",
    "privatekey_path": "{{ dir }}/key.pem",
}


def _openssl(*arguments: str | pathlib.Path) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_files_of_a_chain(lab: Lab) -> None:
    """Every role in one task, with and without the root; openssl has the last word on what they hold."""
    number = lab.order()
    hosts = lab.fleet("web", 2)
    task = {
        "name": "install",
        MODULE: {
            **_FILES,
            "order_number": number,
            "include_root": "{{ inventory_hostname == 'web02' }}",
            "expected_names": [f"www{number}.example.com"],
            "min_validity_days": 30,
            "return_content": True,
        },
    }
    run = lab.play(hosts, [task]).must_succeed()

    folder = lab.host_folder("web01")
    held = {
        name: (folder / f"{name}.pem").read_text() for name in ("cert", "chain", "fullchain", "root", "combined", "key")
    }
    leaf = f"www{number}.example.com"
    assert certificates.common_names(held["cert"]) == [leaf]
    assert certificates.common_names(held["chain"]) == _CHAIN
    assert held["fullchain"] == held["cert"] + held["chain"]
    assert certificates.common_names(held["root"]) == [_ROOT]
    assert held["combined"] == held["key"] + held["fullchain"]
    assert stat.S_IMODE((folder / "combined.pem").stat().st_mode) == 0o600
    assert "OK" in _openssl(
        "verify", "-CAfile", folder / "root.pem", "-untrusted", folder / "chain.pem", folder / "cert.pem"
    )
    with_root = lab.host_folder("web02")
    assert (with_root / "fullchain.pem").read_text() == held["fullchain"] + held["root"]
    assert (with_root / "combined.pem").read_text() == held["combined"] + held["root"]

    result = run.one("install", "web01")
    assert result.data["issued"] is True
    assert result.data["content"] == held["fullchain"]
    assert run.one("install", "web02").data["content"] == held["fullchain"] + held["root"]
    assert result.files() == dict.fromkeys(("certificate", "chain", "fullchain", "root", "combined"), True)
    described = result.data["certificate"]
    (certificate,) = certificates.certificates(held["cert"])
    assert described["serial_number"] == str(certificate.serial_number)
    assert described["fingerprint_sha256"] == certificates.fingerprint(certificate)
    told = _openssl("x509", "-in", folder / "cert.pem", "-noout", "-fingerprint", "-sha256")
    assert told.strip().partition("=")[2].lower() == described["fingerprint_sha256"]
    assert described["subject"] == f"CN={leaf}"
    assert described["subject_alt_names"] == [f"DNS:{leaf}", f"DNS:{number}.example.com"]
    assert described["not_after"] == certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.timezone.utc)
    assert described["days_remaining"] == left.days
    assert [name.rpartition("CN=")[2].partition(",")[0] for name in described["chain"]] == _CHAIN
    assert result.data["order"]["state"] == "issued"
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.pem" for name in held)
    assert len(lab.simulator.calls()) == 1

    before = files.snapshot(lab.folder / "hosts")
    again = lab.play(hosts, [task]).must_succeed()
    assert not any(result.changed for result in again.results)
    assert again.one("install", "web01").files() == dict.fromkeys(result.files(), False)
    assert files.snapshot(lab.folder / "hosts") == before
