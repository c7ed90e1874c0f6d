# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Terminal, log, results and report of real runs show what strangers say, and obey none of it."""

from __future__ import annotations

import json
import pathlib
import typing as t
import unicodedata
import urllib.parse

from ansible_collections.certfleet.collectssl.tests.support import authority, files
from ansible_collections.certfleet.collectssl.tests.support.https_server import Server, answer
from ansible_collections.certfleet.collectssl.tests.support.identity import Identity
from ansible_collections.certfleet.collectssl.tests.support.lab import INFO, LOOKUP, MODULE, Lab
from cryptography import x509

_WORD = "evil\x1b[2J\x1b]0title\x07\r\x9b31m\u202etxt\u200b\u2028\ufeffZürich"
_SEEN = "evil\\x1b[2J\\x1b]0title\\x07\\x0d\\x9b31m\\u202etxt\\u200b\\u2028\\ufeffZürich"
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def hidden(text: str) -> list[str]:
    """What is not seen of a text of several lines."""
    return [char for char in text if unicodedata.category(char) in _HIDDEN and char not in "\n\t"]


def everything(value: t.Any) -> str:
    """All text in a value."""
    if isinstance(value, dict):
        return " ".join(everything(part) for pair in value.items() for part in pair)
    return " ".join(map(everything, value)) if isinstance(value, list) else str(value)


def test_strangers_are_shown_and_not_obeyed(lab: Lab, tmp_path: pathlib.Path) -> None:
    """Every kind of answer, a chain of evil names, a page, a redirect, a validation that prints, and the report."""
    top = authority.root(f"Root {_WORD}")
    issuing = top.subordinate(f"Issuing {_WORD}")
    names = [x509.DNSName("\x1b[31m.example.com"), x509.DNSName("www.example.com")]
    leaf = issuing.leaf(f"Leaf {_WORD}", validity=authority.from_now(-1, 90), names=names)
    pem = authority.pem_of(leaf, issuing.der)
    script = files.write(tmp_path / "check", "#!/bin/sh\nprintf 'said \\033[31mred\\r\\b\\233\\n'\nexit 1\n", 0o755)

    def told(code: int, **fields: str) -> bytes:
        return answer(urllib.parse.urlencode({"errorCode": code, **fields}))

    common = {"errorMessage": _WORD, "fqdn": f"{_WORD}.example", "certificateStatus": _WORD, f"new{_WORD}": _WORD}
    replies = {
        "pending": told(0, validationStatus=_WORD, mdcDomainDetails=f"{_WORD}.example NOTVALIDATED", **common),
        "rejected": told(-20, **common),
        "refused": told(-4, errorItem=_WORD, **common),
        "issued": told(1, **common),
        "page": answer(f"<html>{_WORD}", 500, f"Content-Type: text/{_WORD}".replace("\r", "")),
        "redirect": answer("", 302, f"Location: https://{_WORD}.example/{_WORD}".replace("\r", "")),
    }
    identity = Identity.make(tmp_path)
    log = lab.folder / "evil.log"
    # One answer for each of the calls that the tasks below make, in their order.
    with Server(identity.context(), *replies.values(), replies["pending"], replies["pending"]) as server:
        where = {"api_url": server.url, "ca_path": str(identity.ca_pem), "retries": 0}
        tasks: list[dict[str, t.Any]] = [
            {"name": name, INFO: {**where, "order_number": f"1000000{number}"}} for number, name in enumerate(replies)
        ]
        install = {"content": pem, "fullchain_path": "{{ dir }}/fullchain.pem"}
        lookup = f"lookup('{LOOKUP}', '20000000', api_url=url, ca_path=ca, part='fullchain')"
        tasks += [
            {"name": "wait", MODULE: {**where, "order_number": "30000000", "path": "/x", "wait_timeout": 1}},
            {
                "name": "look up",
                "ansible.builtin.debug": {"msg": "{{ " + lookup + " }}"},
                "vars": {"url": server.url, "ca": str(identity.ca_pem)},
            },
            {"name": "install", MODULE: install},
            {"name": "names", MODULE: {**install, "expected_names": ["other.example.com"]}},
            {"name": "validate", MODULE: {**install, "path": "{{ dir }}/cert.pem", "validate": str(script)}},
        ]
        run = lab.play(
            {"web01": {}},
            [{**task, "ignore_errors": True} for task in tasks],
            "-vvv",
            "--diff",
            environment={"ANSIBLE_LOG_PATH": str(log), "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"},
        ).must_succeed()
    status = {name: result.status for name, result in run.by_task("web01").items()}
    assert [name for name in status if status[name] == "ok"] == ["pending", "rejected", "issued", "install"], run.shown
    assert run.one("pending").data["orders"][0]["extra"][f"new{_SEEN}"] == _SEEN
    assert _SEEN in run.one("rejected").data["msg"]
    assert run.one("install").data["certificate"]["subject"] == f"CN=Leaf {_SEEN}"
    assert "said \\x1b[31mred\\x0d\\x08" in run.one("validate").data["stdout"]
    for result in run.results:
        # What the tasks were given is in it as it was given.
        data = {name: part for name, part in result.data.items() if name != "invocation"}
        assert not hidden(everything(data)), json.dumps(data)
    assert _SEEN in run.output
    assert not hidden(run.output), [
        run.output[max(0, at - 90) : at + 9] for at, c in enumerate(run.output) if hidden(c)
    ][:3]
    assert not hidden(log.read_text(encoding="utf-8"))
