# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever form an answer came in, and whatever liberties it took: the same chain is installed."""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.certfleet.collectssl.tests.support import certificates, files
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Lab

_CHAIN = ["Simulated DV Server CA X21", "Simulated Server Root X2"]
_FILES = {
    "path": "{{ dir }}/cert.pem",
    "chain_path": "{{ dir }}/chain.pem",
    "fullchain_path": "{{ dir }}/fullchain.pem",
    "root_path": "{{ dir }}/root.pem",
}


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
            **_FILES,
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
    """Chains of CollectCCC, without root, over the other root, from the root itself; other identifiers; content."""
    ccc = lab.order(product="ccc", names=["jane@example.com"])
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
    assert certificates.common_names(held["ccc"]) == ["jane@example.com", *_CHAIN]
    assert certificates.common_names(held["no root"]) == [f"www{no_root}.example.com", *_CHAIN]
    assert certificates.common_names(held["crossed"]) == [f"www{crossed}.example.com", *_CHAIN]
    assert certificates.common_names(held["short"]) == ["*.short.example.com"]
    # Content is installed without a call, and as it would be had it been collected.
    assert held["content"] == held["no root"]
    assert run.one("content").data["order"] is None
    assert len(lab.simulator.calls()) == 4
    assert run.one("no leaf").status == "failed"
    assert not (folder / "no leaf.pem").exists()
