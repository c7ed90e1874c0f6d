# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed: every file of a chain, the same whatever form the chain came in."""

from __future__ import annotations

import datetime
import itertools
import pathlib
import stat
import subprocess
import typing as t

from collectssl_testing import certificates, files
from collectssl_testing.lab import MODULE, Lab

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


def _spellings(url: str) -> t.Iterator[str]:
    """One URL in many spellings of its host, each of which a run takes for a provider of its own."""
    before, _host, after = url.partition("localhost")
    for letters in itertools.product(*((letter, letter.upper()) for letter in "localhost")):
        yield before + "".join(letters) + after


def test_every_form_of_an_answer_installs_the_same_files(lab: Lab) -> None:
    """Response type, encoding and format, and the liberties that answers take, make no difference to a byte."""
    number = lab.order()
    forms: list[dict[str, str]] = [
        *(
            {"response_type": kind, "response_format": "urlencoded"}
            for kind in ("individual", "pkcs7", "netscape", "zip")
        ),
        *({"response_type": kind, "response_format": "lines"} for kind in ("individual", "pkcs7", "netscape", "zip")),
        *({"response_type": kind, "response_encoding": "binary"} for kind in ("pkcs7", "zip")),
    ]
    hosts: dict[str, dict[str, t.Any]] = {}
    spellings = _spellings(lab.simulator.url())
    for form in forms:
        name = "-".join(form.values())
        hosts[name] = {"api_url": next(spellings), **form}
    task = {
        "name": "install",
        MODULE: {
            **{option: path for option, path in _FILES.items() if option not in ("combined_path", "privatekey_path")},
            "order_number": number,
            "api_url": "{{ api_url }}",
            "response_type": "{{ response_type }}",
            "response_encoding": "{{ response_encoding | default(omit) }}",
            "response_format": "{{ response_format | default(omit) }}",
        },
    }
    lab.play(hosts, [task]).must_succeed()
    calls = lab.simulator.calls(number)
    asked = {
        tuple(call["arguments"].get(name) for name in ("responseType", "responseEncoding", "responseFormat"))
        for call in calls
    }
    assert len(calls) == len(asked) == len(forms), asked
    found = {host: files.contents(lab.host_folder(host)) for host in hosts}
    assert set(found["individual-lines"]) == {"cert.pem", "chain.pem", "fullchain.pem", "root.pem"}
    for host, contents in found.items():
        assert contents == found["individual-lines"], host


def test_liberties_of_answers(lab: Lab) -> None:
    """Scrambled, doubled, with strangers, with other line ends: the right chain in server order each time."""
    liberties = (
        "scrambled_chain",
        "leaf_first",
        "duplicate_certificates",
        "extra_certificates",
        "crlf",
        "no_final_newline",
    )
    numbers = {
        fault: lab.order(life=[{"state": "issued", "fault": fault}]) for fault in (*liberties, "wrong_content_type")
    }
    tasks = [
        {
            "name": fault,
            MODULE: {
                "order_number": number,
                "fullchain_path": f"{{{{ dir }}}}/{fault}.pem",
                "response_format": "lines" if fault in ("crlf", "no_final_newline") else "urlencoded",
            },
        }
        for fault, number in numbers.items()
    ]
    lab.play({"web01": {}}, tasks).must_succeed()
    for fault, number in numbers.items():
        held = (lab.host_folder("web01") / f"{fault}.pem").read_bytes()
        assert certificates.common_names(held) == [f"www{number}.example.com", *_CHAIN], fault
        assert b"\r" not in held


def test_collectccc_and_shapes_of_chains(lab: Lab) -> None:
    """CollectCCC; chains without root, over the other root, from the root itself; other identifiers; content."""
    ccc = lab.order(product="ccc", names=["code.example.com"])
    no_root = lab.order(chain="no_root", certificate_id=777)
    crossed = lab.order(chain="cross_root", base_order_number=888)
    short = lab.order(chain="short", names=["*.short.example.com", "192.0.2.7"])
    bundle = "".join(lab.simulator.authority(name).read_text() for name in ("cross", "root", "issuing"))
    tasks: dict[str, dict[str, t.Any]] = {
        "ccc": {"order_number": ccc, "product": "ccc", "api_url": lab.simulator.url("ccc"), "response_type": "pkcs7"},
        "no root": {"certificate_id": 777},
        "crossed": {"base_order_number": 888, "include_root": True},
        "short": {"order_number": short, "expected_names": ["192.0.2.7", "a.short.example.com"]},
        "content": {"content": "{{ lookup('ansible.builtin.file', dir ~ '/no root.pem') }}"},
        "no leaf": {"content": bundle},
    }
    run = lab.play(
        {"web01": {}},
        [
            {"name": name, MODULE: {"fullchain_path": f"{{{{ dir }}}}/{name}.pem", **options}, "ignore_errors": True}
            for name, options in tasks.items()
        ],
    ).must_succeed()
    folder = lab.host_folder("web01")
    held = {name: (folder / f"{name}.pem").read_text() for name in tasks if name != "no leaf"}
    assert certificates.common_names(held["ccc"]) == ["code.example.com", *_CHAIN]
    assert certificates.common_names(held["no root"]) == [f"www{no_root}.example.com", *_CHAIN]
    assert certificates.common_names(held["crossed"]) == [f"www{crossed}.example.com", *_CHAIN]
    assert certificates.common_names(held["short"]) == ["*.short.example.com"]
    # Content is installed without a call, and as it would be had it been collected.
    assert held["content"] == held["no root"]
    assert run.one("content").data["order"] is None
    assert len(lab.simulator.calls()) == 4
    assert run.one("no leaf").status == "failed"
    assert not (folder / "no leaf.pem").exists()
