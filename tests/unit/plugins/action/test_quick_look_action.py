# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one command that an action sends before it sends a module."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure, AnsibleError
from ansible_collections.certfleet.collectssl.plugins.action.collectssl_certificate import ActionModule
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._quick_look import LONGEST, File, Look, files_of
from ansible_collections.certfleet.collectssl.tests.support.installation import bundle, leaf
from ansible_collections.certfleet.collectssl.tests.unit.plugins.action.action_support import action_of, run

pytestmark = pytest.mark.usefixtures("run_folder")


class _Sent:
    """The commands that an action sends, and those modules that it would run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commands: list[tuple[str, bytes | None]] = []
        self.modules: list[dict[str, t.Any]] = []
        #: What becomes of a command, in place of what the host says.
        self.fault: Exception | dict[str, t.Any] | None = None
        real = ActionModule._low_level_execute_command

        def execute(action: t.Any, command: str, in_data: bytes | None = None) -> t.Any:
            self.commands.append((command, in_data))
            if self.fault is None:
                return real(action, command, in_data=in_data)
            if isinstance(self.fault, dict):
                return self.fault
            # pylint takes what it was set to at first for all that it may be.
            raise t.cast("list[Exception]", [self.fault]).pop()

        def execute_module(_action: t.Any, **kwargs: t.Any) -> dict[str, t.Any]:
            self.modules.append(kwargs["module_args"])
            return {"changed": False, "files": ["of the module"]}

        monkeypatch.setattr(ActionModule, "_low_level_execute_command", execute)
        monkeypatch.setattr(ActionModule, "_execute_module", execute_module)
        # Otherwise a passphrase takes commands of its own.
        monkeypatch.setattr(ActionModule, "_is_pipelining_enabled", lambda *_args, **_kwargs: True)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> _Sent:
    return _Sent(monkeypatch)


@pytest.fixture
def task(tmp_path: pathlib.Path) -> dict[str, t.Any]:
    """A task whose files are there."""
    (tmp_path / "cert.pem").write_text(leaf("ec-old"))
    (tmp_path / "full.pem").write_text(bundle("ec-old", with_root=False))
    paths = {"path": str(tmp_path / "cert.pem"), "fullchain_path": str(tmp_path / "full.pem")}
    return {"content": bundle("ec-old"), **paths}


@pytest.mark.parametrize("settings", [{}, {"check_mode": True}, {"diff": True}, {"check_mode": True, "diff": True}])
def test_what_is_as_wanted_costs_one_command(sent: _Sent, task: dict[str, t.Any], settings: dict[str, bool]) -> None:
    result = run(ActionModule, task, environment=[{"PATH": "/nowhere", "LC_ALL": "de_DE"}], **settings)
    assert (len(sent.commands), sent.modules) == (1, [])
    assert result["files"] == [
        {"path": task["path"], "role": "certificate", "changed": False, "backup_file": None},
        {"path": task["fullchain_path"], "role": "fullchain", "changed": False, "backup_file": None},
    ]
    assert (result["changed"], result["issued"], result.get("diff")) == (
        False,
        True,
        [] if "diff" in settings else None,
    )


def test_what_is_not_costs_one_more(sent: _Sent, task: dict[str, t.Any]) -> None:
    pathlib.Path(task["path"]).unlink()
    assert run(ActionModule, task)["files"] == ["of the module"]
    assert (len(sent.commands), len(sent.modules)) == (1, 1)


@pytest.mark.parametrize(
    "more",
    [
        {"mode": "u=rw"},
        {"owner": "a b"},
        {"attributes": "+i"},
        {"setype": "cert_t"},
        {"chain_path": "~/chain.pem"},
        {"chain_path": "$HOME/chain.pem"},
        {"chain_path": "/a b/chain.pem"},
        {"privatekey_path": "/key.pem", "privatekey_passphrase": "secret"},
        # The module says what is wrong with these.
        {"content": leaf("ec-old"), "chain_path": "/chain.pem"},
    ],
)
def test_what_it_has_no_words_for_costs_no_command(sent: _Sent, task: dict[str, t.Any], more: dict[str, t.Any]) -> None:
    assert run(ActionModule, {**task, **more})["files"] == ["of the module"]
    assert (sent.commands, len(sent.modules)) == ([], 1)


@pytest.mark.parametrize(
    "fault",
    [
        AnsibleError("failed to find the executable specified /bin/sh."),
        NotImplementedError(),
        UnicodeDecodeError("ascii", b"\xff", 0, 1, "x"),
        OSError("no more processes"),
        {},
        {"stdout": ""},
        {"stdout": "sh: not found\n", "rc": 127},
    ],
)
def test_a_look_that_fails_is_none(sent: _Sent, task: dict[str, t.Any], fault: t.Any) -> None:
    sent.fault = fault
    result = run(ActionModule, task)
    assert ("failed" in result, result["files"], len(sent.modules)) == (False, ["of the module"], 1)


@pytest.mark.parametrize(
    "fault",
    [
        AnsibleConnectionFailure("No route to host"),
        AnsibleAuthenticationFailure("Permission denied"),
        # Another attempt might lock the account.
        AnsibleError("Incorrect sudo password"),
        AnsibleError("Missing sudo password"),
    ],
)
def test_a_host_that_is_out_of_reach_is_not_tried_twice(sent: _Sent, task: dict[str, t.Any], fault: Exception) -> None:
    sent.fault = fault
    with pytest.raises(type(fault), match=str(fault)):
        run(ActionModule, task)
    assert (len(sent.commands), sent.modules) == (1, [])


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        ("shell", "SHELL_FAMILY", "powershell"),
        ("shell", "SHELL_FAMILY", "fish"),
        # A router would take the words for commands of its own.
        ("connection", "force_persistence", True),
        ("connection", "allow_executable", False),
    ],
)
def test_what_is_no_posix_shell_is_sent_nothing(
    monkeypatch: pytest.MonkeyPatch, sent: _Sent, task: dict[str, t.Any], where: str, name: str, value: t.Any
) -> None:
    action = action_of(ActionModule, task)
    subject = action._connection._shell if where == "shell" else action._connection
    monkeypatch.setattr(subject, name, value, raising=False)
    assert action.run(task_vars={})["files"] == ["of the module"]
    assert (sent.commands, len(sent.modules)) == ([], 1)


def _many(folder: pathlib.Path, count: int) -> list[File]:
    """The files of so many certificates, as an ordinary layout has them."""
    files = []
    for number in range(count):
        sent: dict[str, t.Any] = {
            option: f"{folder}/www{number:03}.shop.example.com/{name}.pem"
            for option, name in (
                ("path", "certificate"),
                ("chain_path", "chain"),
                ("fullchain_path", "fullchain"),
                ("combined_path", "combined"),
                ("privatekey_path", "privatekey"),
            )
        }
        sent.update(content=bundle("ec-old"), owner="root", group="ssl-cert", mode="0640")
        files += files_of(sent, False)
    return files


def test_fifty_certificates_fit_into_one_argument() -> None:
    assert len(Look(_many(pathlib.Path("/etc/nginx/tls"), 50)).command) < LONGEST
    # Quotes are written out by every shell on the way.
    assert "'" not in Look(_many(pathlib.Path("/etc/nginx/tls"), 50)).command


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_longer_command_takes_the_standard_input_or_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, sent: _Sent, tmp_path: pathlib.Path, pipelining: bool
) -> None:
    files = []
    for number in range(300):
        path = tmp_path / f"{'x' * 150}{number}.pem"
        path.write_bytes(b"%d" % number)
        files.append(File(str(path), b"%d" % number))
    assert len(Look(files).command) > LONGEST
    monkeypatch.setattr(ActionModule, "_is_pipelining_enabled", lambda *_args, **_kwargs: pipelining)
    action = action_of(ActionModule, {})
    assert action.quick_look(files) is pipelining
    if not pipelining:
        assert sent.commands == []
        return
    ((command, data),) = sent.commands
    assert (command, len(data or b"") > LONGEST) == ("/bin/sh -s", True)
    path.write_bytes(b"other")
    assert action.quick_look(files) is False


def test_folders_have_to_be_there(sent: _Sent, task: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    files = [File(task["path"], leaf("ec-old").encode())]
    action = action_of(ActionModule, {})
    assert action.quick_look(files, folders=[str(tmp_path)])
    assert not action.quick_look(files, folders=[str(tmp_path / "more")])
    (tmp_path / "more").symlink_to(tmp_path)
    assert not action.quick_look(files, folders=[str(tmp_path / "more")])
    assert len(sent.commands) == 3
