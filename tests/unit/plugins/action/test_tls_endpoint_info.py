# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where tls_endpoint_info connects from, and what it hands to the target."""

from __future__ import annotations

import typing as t
from unittest import mock

import pytest
from ansible.playbook.task import Task
from ansible_collections.certfleet.collectssl.plugins.action.tls_endpoint_info import ActionModule
from ansible_collections.certfleet.collectssl.tests.support import tls_servers
from ansible_collections.certfleet.collectssl.tests.support.endpoints import (
    good,
    look,
    trusted,
)


def _action(check_mode: bool = False, **args: t.Any) -> t.Any:
    task = mock.MagicMock(Task, async_val=0, args=args, check_mode=check_mode, diff=False, collections=[])
    connection, context = mock.MagicMock(), mock.MagicMock(check_mode=check_mode)
    action: t.Any = ActionModule(task, connection, context, mock.MagicMock(), mock.MagicMock(), mock.MagicMock())
    action._execute_module = mock.MagicMock(return_value={"from": "the module"})
    return action


@pytest.mark.parametrize("check_mode", [False, True])
def test_from_the_controller(check_mode: bool) -> None:
    """The probe itself, in this process: no module, no word to the target, and the same in check mode."""
    with tls_servers.Server(tls_servers.tls(good())) as server:
        action = _action(check_mode, host="127.0.0.1", port=server.port, ca_path=trusted(), connect_from="controller")
        result = action.run(task_vars={})
        assert result == {"changed": False, **look(server.port, ca_path=trusted())}
    assert result["verified"]
    action._execute_module.assert_not_called()
    assert action._connection.method_calls == []


def test_from_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module gets the options as the task has them; a path in them is the target's."""
    monkeypatch.setenv("HOME", "/home/of-the-controller")
    action = _action(host="127.0.0.1", port="993", ca_path="~/ca.pem", server_name=None)
    result = action.run(task_vars={"a": "variable"})
    assert result["from"] == "the module"
    action._execute_module.assert_called_once_with(
        module_name="certfleet.collectssl.tls_endpoint_info",
        module_args={"host": "127.0.0.1", "port": "993", "ca_path": "~/ca.pem"},
        task_vars={"a": "variable"},
    )


@pytest.mark.parametrize("connect_from", ["target", "controller"])
@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, "host"),
        ({"host": "https://www.example.com"}, "host must be a host name or an IP address"),
        ({"host": "www.example.com", "port": 0}, "port must be between 1 and 65535, not 0."),
        ({"host": "www.example.com", "starttls": "xmpp"}, "starttls must be one of"),
        ({"host": "www.example.com", "order_number": "1"}, "order_number"),
    ],
)
def test_wrong_options(connect_from: str, args: dict[str, t.Any], message: str) -> None:
    """They fail here, wherever it was to connect from."""
    action = _action(connect_from=connect_from, **args)
    result = action.run(task_vars={})
    assert result["failed"] is True
    assert message.lower() in result["msg"].lower()
    action._execute_module.assert_not_called()


def test_a_failure_is_one_sentence() -> None:
    """The task fails with the words of the probe."""
    with tls_servers.Server(lambda connection: connection.send("hello\n")) as server:
        result = _action(host="127.0.0.1", port=server.port, connect_from="controller").run(task_vars={})
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"].startswith(f"The TLS handshake with 127.0.0.1 port {server.port} failed: ")
