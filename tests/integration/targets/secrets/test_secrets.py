# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password is found nowhere: not on a screen, in a log, in a file, among the processes, or on a target."""

from __future__ import annotations

import json
import pathlib
import typing as t
import urllib.parse

import pytest
import yaml
from ansible_collections.certfleet.collectssl.tests.support import certificates, files, search, simulator
from ansible_collections.certfleet.collectssl.tests.support.lab import INFO, LOOKUP, MODULE, Lab
from ansible_collections.certfleet.collectssl.tests.support.runs import Run
from ansible_collections.certfleet.collectssl.tests.support.watch import Watch

_PASSPHRASE = "zw&lf + Boxkämpfer %41"
_VAULT_PASSWORD = "the vault's own"
_KEEPING = {"ANSIBLE_KEEP_REMOTE_FILES": "true", "ANSIBLE_PIPELINING": "false"}


def test_the_search_finds_what_there_is(tmp_path: pathlib.Path) -> None:
    """What the tests below rely on: every form of a secret is found, in plain files and in a packed payload."""
    import base64
    import io
    import zipfile

    for name, form in search.forms(simulator.PASSWORD).items():
        assert name in search.found_in(b"before" + form + b"after", simulator.PASSWORD)
    for before in (b"", b"1", b"22"):
        encoded = base64.b64encode(before + simulator.PASSWORD.encode() + b" and more")
        assert any("base64" in form for form in search.found_in(encoded, simulator.PASSWORD))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("padding", bytes(range(256)) * 4)
        archive.writestr("args", simulator.PASSWORD)
    payload = b'ZIPDATA = "' + base64.b64encode(packed.getvalue()) + b'"'
    files.write(tmp_path / "payload.py", payload)
    assert search.found_below(tmp_path, simulator.PASSWORD)
    assert not search.found_below(tmp_path, "something else")

    # While it is being written it is no archive yet, which is an error only when nobody writes any more.
    for size in range(len(payload) - 5, len(payload) - 1):
        files.write(tmp_path / "payload.py", payload[:size])
        assert not search.found_below(tmp_path, "something else", growing=True)
    with pytest.raises(zipfile.BadZipFile):
        search.found_below(tmp_path, simulator.PASSWORD)


def _vaulted(lab: Lab, variables: dict[str, str]) -> tuple[str, ...]:
    """Arguments that give a run these variables from a vault."""
    from ansible.parsing.vault import VaultLib, VaultSecret

    text = yaml.safe_dump(variables, allow_unicode=True)
    vault = VaultLib([("default", VaultSecret(_VAULT_PASSWORD.encode()))])
    path = files.write(lab.folder / "vaulted" / "secrets.yml", vault.encrypt(text))
    password_file = files.write(lab.folder / "vaulted" / "password", _VAULT_PASSWORD, 0o600)
    return "-e", f"@{path}", "--vault-password-file", str(password_file)


def _tasks(orders: dict[str, str]) -> list[dict[str, t.Any]]:
    """Tasks of every kind and outcome; credentials from the variables of the vault."""
    account = {"login_name": simulator.LOGIN, "login_password": "{{ vaulted_password }}"}
    install = {
        "fullchain_path": "{{ dir }}/fullchain.pem",
        "combined_path": "{{ dir }}/combined.pem",
        "privatekey_path": "{{ dir }}/key.pem",
        "privatekey_passphrase": "{{ vaulted_passphrase }}",
    }
    look_up = f"lookup('{LOOKUP}', '{orders['looked up']}', login_name=login, login_password=vaulted_password)"
    return [
        {"name": "install", MODULE: {**account, **install, "order_number": orders["installed"]}},
        {"name": "wrong key", MODULE: {**account, **install, "order_number": orders["of another key"]}},
        {"name": "echo", MODULE: {**account, **install, "order_number": orders["echoed"], "retries": 0}},
        {
            "name": "pending",
            MODULE: {**account, **install, "order_number": orders["pending"], "wait_timeout": 2, "poll_interval": 1},
        },
        {"name": "bad option", MODULE: {**account, **install, "order_number": "1", "no_such_option": True}},
        {
            "name": "look up",
            "ansible.builtin.debug": {"msg": "{{ " + look_up + " }}"},
            "vars": {"login": simulator.LOGIN},
        },
        {
            "name": "look up amiss",
            "ansible.builtin.debug": {"msg": "{{ " + look_up.replace(orders["looked up"], orders["echoed"]) + " }}"},
            "vars": {"login": simulator.LOGIN},
        },
        {"name": "ask", INFO: {**account, "order_numbers": [orders["looked up"], orders["echoed"], orders["pending"]]}},
        {"name": "code", INFO: {"collection_code": "{{ vaulted_code }}", "product": "ccc", "api_url": orders["ccc"]}},
        {"name": "wrong name", INFO: {**account, "login_name": "blunter", "order_number": orders["looked up"]}},
    ]


@pytest.fixture
def orders(lab: Lab) -> dict[str, str]:
    """Orders of every kind."""
    return {
        "installed": lab.order(),
        "of another key": lab.order(key=certificates.make_key()),
        "echoed": lab.order(life=[{"state": "issued", "fault": "html_echo"}]),
        "pending": lab.order(life=[{"state": "pending"}]),
        "looked up": lab.order(),
        "by code": lab.order(product="ccc", collection_code=simulator.COLLECTION_CODE),
        "ccc": lab.simulator.url("ccc"),
    }


def _searched(record_property: t.Callable[[str, object], None], **places: int) -> None:
    """Let the summary of the run say in how many places a secret was looked for, and not found."""
    for name, count in places.items():
        record_property("tried", f"place searched: {name.replace('_', ' ')}: {count}")


def _files_below(folders: t.Iterable[pathlib.Path]) -> int:
    return sum(1 for folder in folders for _path in search.walk(folder))


def _said(run: Run) -> bytes:
    return (run.output + json.dumps([result.data for result in run.results], ensure_ascii=False)).encode("utf-8")


def test_a_run_tells_nobody(lab: Lab, orders: dict[str, str], record_property: t.Callable[[str, object], None]) -> None:
    """Everything loud, everything kept, credentials from a vault: searched while slow calls go on, and after."""
    encrypted = certificates.make_key(passphrase=_PASSPHRASE)
    lab.order(orders["installed"], key=certificates.public_key(encrypted, _PASSPHRASE))
    files.write(lab.host_folder("web01") / "key.pem", encrypted, 0o600)
    secrets = {
        "vaulted_password": simulator.PASSWORD,
        "vaulted_passphrase": _PASSPHRASE,
        "vaulted_code": simulator.COLLECTION_CODE,
    }
    log = lab.folder / "log" / "ansible.log"
    log.parent.mkdir(exist_ok=True)
    kept = [lab.folder / name for name in ("controller", "tmp", "target tmp", "hosts", "log")]
    environment = {
        **_KEEPING,
        "ANSIBLE_DEBUG": "true",
        "ANSIBLE_LOG_PATH": str(log),
        # In this run they come from the vault alone.
        "COLLECTSSL_LOGIN_NAME": "",
        "COLLECTSSL_LOGIN_PASSWORD": "",
    }
    lab.simulator.control("delay", {"seconds": 0.5})
    tasks = [{**task, "ignore_errors": True} for task in _tasks(orders)]
    with Watch(simulator.PASSWORD, kept) as watch:
        run = lab.play({"web01": {}}, tasks, "-vvvv", *_vaulted(lab, secrets), environment=environment)
    assert run.returncode == 0, run.shown

    # The tasks did what they are there for.
    outcomes = {name: result.status for name, result in run.by_task("web01").items()}
    assert outcomes == {
        "install": "ok",
        "wrong key": "failed",
        "echo": "failed",
        "pending": "failed",
        "bad option": "failed",
        "look up": "ok",
        "look up amiss": "failed",
        "ask": "ok",
        "code": "ok",
        "wrong name": "failed",
    }, run.shown
    assert watch.error is None
    assert watch.rounds > 10
    assert any(b"ansible-playbook" in line and b"-vvvv" in line for line in watch.command_lines)
    assert any(b"AnsiballZ" in line for line in watch.command_lines)
    # The record of the run was there while it went on, and so was the payload.
    assert any(name.endswith(".json") for name in watch.files)
    assert any(name.startswith("AnsiballZ_collectssl_certificate") for name in watch.files)

    assert watch.hits == set()
    text = _said(run)
    # The passphrase of a key has to travel to the target, and ansible-core's debugging shows all that does.
    for secret in (simulator.PASSWORD, simulator.COLLECTION_CODE, _VAULT_PASSWORD):
        assert search.shown_in(text, secret) == {}
        assert search.shown_in(log.read_bytes(), secret) == {}
    for folder in kept:
        assert search.found_below(folder, simulator.PASSWORD) == []
        assert search.found_below(folder, simulator.COLLECTION_CODE) == []
        # Nor does what stays of a module hold the passphrase that it needed.
        assert search.found_below(folder, _PASSPHRASE) == []
    assert f"order number {orders['pending']} is pending".encode() in log.read_bytes()

    payloads = [path for path in search.walk(lab.folder / "target tmp") if path.name.startswith("AnsiballZ_collectssl")]
    assert payloads
    for payload in payloads:
        parts = list(search.unpacked(payload.read_bytes()))
        # It is a payload, and what it needs is in it.
        assert len(parts) > 1
        assert any(b"fullchain.pem" in part for part in parts)
        for word in (simulator.LOGIN.encode(), lab.simulator.url().encode()):
            assert all(word not in part for part in parts), word
    _searched(
        record_property,
        command_lines_of_processes=len(watch.command_lines),
        files_while_a_run_goes_on=len(watch.files),
        files_that_a_run_left=_files_below(kept),
        output_and_results=1,
        log_of_Ansible=1,
        payloads_unpacked=len(payloads),
    )


def test_the_environment_and_a_passphrase_tell_nobody(
    lab: Lab, orders: dict[str, str], record_property: t.Callable[[str, object], None]
) -> None:
    """Credentials from the controller's environment; an encrypted key, opened, and not opened, by a passphrase."""
    log = lab.folder / "log" / "environment.log"
    log.parent.mkdir(exist_ok=True)
    encrypted = certificates.make_key(passphrase=_PASSPHRASE)
    lab.order(orders["installed"], key=certificates.public_key(encrypted, _PASSPHRASE))
    files.write(lab.host_folder("web01") / "key.pem", encrypted, 0o600)
    # What every command that the module runs inherits, and what each process above it has to show.
    script = files.write(
        lab.folder / "check",
        f"#!/bin/sh\nset -e\ncat /proc/$$/environ /proc/$$/cmdline > '{lab.folder}/target tmp/inherited'\n",
        0o755,
    )
    proxy_password = "s&cret of the proxy"
    proxy = f"http://me:{urllib.parse.quote(proxy_password)}@127.0.0.1:1"
    install = {
        "order_number": orders["installed"],
        "validate": str(script),
        "path": "{{ dir }}/cert.pem",
        "combined_path": "{{ dir }}/combined.pem",
        "privatekey_path": "{{ dir }}/key.pem",
    }
    lookup = f"lookup('{LOOKUP}', '{orders['looked up']}', part='order')"
    tasks = [
        {"name": "install", MODULE: {**install, "privatekey_passphrase": "{{ vaulted_passphrase }}"}},
        {"name": "amiss", MODULE: {**install, "privatekey_passphrase": "{{ vaulted_passphrase }}?"}},
        {"name": "echo", INFO: {"order_number": orders["echoed"], "retries": 0}},
        {"name": "look up", "ansible.builtin.debug": {"msg": "{{ " + lookup + " }}"}},
    ]
    run = lab.play(
        {"web01": {}},
        [{**task, "ignore_errors": True} for task in tasks],
        "-vvvv",
        "--diff",
        *_vaulted(lab, {"vaulted_passphrase": _PASSPHRASE}),
        environment={**_KEEPING, "ANSIBLE_LOG_PATH": str(log), "all_proxy": proxy, "no_proxy": "*", "KEPT": "kept"},
    )
    assert run.returncode == 0, run.shown
    assert run.one("install").changed
    inherited = (lab.folder / "target tmp" / "inherited").read_bytes()
    assert b"KEPT=kept" in inherited
    assert b"COLLECTSSL_" not in inherited
    assert search.shown_in(inherited, proxy_password) == {}
    assert any(path.name.startswith("AnsiballZ_") for path in search.walk(lab.folder / "target tmp"))
    assert "privatekey_passphrase does not open" in run.one("amiss").message
    assert run.one("echo").status == "failed"
    assert (lab.host_folder("web01") / "combined.pem").read_text().startswith(encrypted)
    text = _said(run) + log.read_bytes()
    for secret in (simulator.PASSWORD, _PASSPHRASE, _VAULT_PASSWORD):
        assert search.shown_in(text, secret) == {}
    assert not certificates.shows_key(text.decode("utf-8", "replace"), encrypted)
    for name in ("controller", "tmp", "target tmp", "hosts"):
        for secret in (simulator.PASSWORD, _PASSPHRASE, proxy_password):
            assert search.found_below(lab.folder / name, secret) == []
    left = _files_below(lab.folder / name for name in ("controller", "tmp", "target tmp", "hosts"))
    _searched(
        record_property,
        files_that_a_run_left=left,
        output_and_results=1,
        log_of_Ansible=1,
        environments_of_commands_on_a_host=1,
    )


def test_an_ad_hoc_line_tells_nobody(
    lab: Lab, orders: dict[str, str], record_property: t.Callable[[str, object], None]
) -> None:
    """With credentials from the environment, as is recommended for it, also where it fails."""
    for number in (orders["looked up"], orders["echoed"]):
        run = lab.ad_hoc(
            {"web01": {}}, INFO, f"order_number={number} retries=0", "-vvvv", environment={"ANSIBLE_DEBUG": "true"}
        )
        assert run.returncode == (0 if number == orders["looked up"] else 2), run.shown
        assert search.shown_in(_said(run), simulator.PASSWORD) == {}
        _searched(record_property, output_and_results=1)
