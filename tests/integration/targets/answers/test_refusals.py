# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not to be installed is refused in a sentence, and every file stays as it was."""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.tests.support import certificates, files, simulator
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Lab

#: Faults of the service, with words that the refusal must hold.
_FAULTS: dict[str, tuple[str, ...]] = {
    "wrong_key": ("does not belong to the private key", "key.pem"),
    "expired_leaf": ("expired at",),
    "not_yet_valid_leaf": ("not valid before",),
    "expired_intermediate": ("Simulated DV Server CA X21", "expired"),
    "missing_intermediate": ("Simulated DV Server CA X21",),
    "foreign_intermediate": ("Simulated DV Server CA X21",),
    "broken_signature_leaf": ("signature",),
    "broken_signature_intermediate": ("signature",),
    "no_leaf": ("end-entity",),
    "wrong_names": ("does not cover", "expected_names", "wrong.invalid"),
    "html_page": ("HTML",),
    "empty_body": ("empty",),
    "redirect": ("redirect", "localhost:1"),
    "truncate": ("broke off",),
    "truncate_body": ("cannot be used",),
    "endless": ("longer than",),
    "reset": ("the connection was",),
    "plain_error": ("HTTP status 500",),
    "call_limit": ("call limit",),
}
_STATES: dict[str, tuple[str, ...]] = {
    "pending": ("still being processed", "wait_timeout"),
    "being_issued": ("still being processed",),
    "rejected": ("was rejected",),
    "revoked": ("was revoked",),
    "awaiting_payment": ("awaits payment",),
}
#: The options that some host has a value of its own for.
_OWN = (
    "response_type",
    "response_encoding",
    "response_format",
    "ca_path",
    "login_name",
    "login_password",
    "min_validity_days",
    "api_url",
)


def test_nothing_wrong_is_installed(lab: Lab) -> None:
    """A host for each refusal, with files of before: all in one run, none of them touched."""
    hosts: dict[str, dict[str, t.Any]] = {}
    words: dict[str, tuple[str, ...]] = {}

    def refuse(name: str, number: str, *expected: str, **variables: t.Any) -> None:
        hosts[name] = {"number": number, **variables}
        words[name] = expected

    for fault, expected in _FAULTS.items():
        refuse(fault, lab.order(life=[{"state": "issued", "fault": fault}]), *expected)
    hosts["truncate_body"].update(response_format="lines")
    for state, expected in _STATES.items():
        refuse(state, lab.order(life=[{"state": state}]), *expected)
    for bomb, megabytes in (("zip_bomb", ("ZIP",)), ("zip_many_entries", ("ZIP",)), ("truncated_zip", ("ZIP",))):
        fault = {"truncated_zip": "truncate_body"}.get(bomb, bomb)
        number = lab.order(life=[{"state": "issued", "fault": fault}])
        refuse(bomb, number, *megabytes, response_type="zip", response_encoding="binary")
    refuse("other_type", lab.order(key=certificates.shared_key("rsa")), "does not belong to the private key", "key.pem")
    refuse("untrusted", lab.order(), "not trusted", ca_path=str(lab.simulator.authority("foreign_root")))
    refuse("foreign_order", lab.order(account=simulator.OTHER_LOGIN), "-16", "one of this account")
    refuse("no_order", "there is no such order", "orderNumber")
    refuse("wrong_password", lab.order(), "login_password", login_name=simulator.LOGIN, login_password="wrong")
    refuse("blunt_password", lab.order(account="blunt"), "loginPassword", login_name="blunt", login_password="wrong")
    refuse("soon", lab.order(valid_days=20), "min_validity_days", min_validity_days=30)
    refuse("nobody", lab.order(), "connection refused", api_url="https://localhost:1/nobody")
    for host in hosts:
        folder = lab.host_folder(host)
        files.write(folder / "key.pem", certificates.shared_key(), 0o600)
        for name in ("cert.pem", "chain.pem", "fullchain.pem", "combined.pem"):
            files.write(folder / name, f"{name} of before\n", 0o640)
    before = files.snapshot(lab.folder / "hosts")

    task = {
        "name": "install",
        MODULE: {
            "order_number": "{{ number }}",
            "path": "{{ dir }}/cert.pem",
            "chain_path": "{{ dir }}/chain.pem",
            "fullchain_path": "{{ dir }}/fullchain.pem",
            "root_path": "{{ dir }}/root.pem",
            "combined_path": "{{ dir }}/combined.pem",
            "privatekey_path": "{{ dir }}/key.pem",
            "expected_names": "{{ ['www' ~ number ~ '.example.com'] }}",
            "backup": True,
            "mode": "0644",
            "retries": 0,
            **{option: f"{{{{ {option} | default(omit) }}}}" for option in _OWN},
        },
    }
    run = lab.play(hosts, [task]).must_fail()

    after = files.snapshot(lab.folder / "hosts")
    refusals = run.by_host("install")
    assert set(refusals) == set(hosts)
    for host, refusal in refusals.items():
        assert refusal.status == "failed", host
        assert not refusal.changed
        for word in words[host]:
            assert word.lower() in refusal.message.lower(), f"{host}: {refusal.message}"
        assert refusal.message.endswith((".", "?")), f"{host}: {refusal.message}"
        assert "\n" not in refusal.message.strip(), f"{host}: {refusal.message}"
        # Which order, certificate or file it is about.
        assert any(name in refusal.message for name in (hosts[host]["number"], "www", "key.pem")), refusal.message
    assert after == before
    for state in _STATES:
        assert refusals[state].data["order"]["state"] == {"being_issued": "pending"}.get(state, state)
