# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action that collects on the controller and hands over to the target."""

from __future__ import annotations

import datetime
import pathlib
import re
import typing as t
import urllib.parse

import pytest
from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display
from ansible_collections.certfleet.collectssl.plugins.action.collectssl_certificate import ActionModule, _about
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import BESIDE, TARGET_OPTIONS
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import TransportError
from ansible_collections.certfleet.collectssl.tests.support.broker import (
    PASSWORD,
    PENDING,
    Answers,
    chain,
)
from ansible_collections.certfleet.collectssl.tests.unit.plugins.action.action_support import ACCOUNT, action_of, run

pytestmark = pytest.mark.usefixtures("run_folder")

ORDER = {**ACCOUNT, "order_number": "1"}
TASK = {**ORDER, "path": "/etc/tls/cert.pem"}
INSTALLED = {"changed": True, "files": [{"path": "/etc/tls/cert.pem", "role": "certificate", "changed": True}]}
UNTOUCHED = " No file on the target was touched."

ORDER_KEYS = {
    *("order_number", "state", "status", "fqdn", "not_before", "not_after", "certificate_status", "validation_status"),
    *("caa_status", "mdc_domains", "details", "extra"),
}
CERTIFICATE_KEYS = {
    *("subject", "issuer", "serial_number", "subject_alt_names", "not_before", "not_after", "fingerprint_sha256"),
    *("public_key_sha256", "tlsa", "days_remaining", "chain"),
}


class Target:
    """Records what a module would be run with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, result: dict[str, t.Any] | None = None) -> None:
        self.result = result or INSTALLED
        self.runs: list[dict[str, t.Any]] = []
        monkeypatch.setattr(ActionModule, "_execute_module", self._execute_module)
        monkeypatch.setattr(ActionModule, "quick_look", lambda *_args, **_kwargs: False)
        # Nothing is put on a target, then, but by the module.
        monkeypatch.setattr(ActionModule, "_is_pipelining_enabled", lambda *_args, **_kwargs: True)

    def _execute_module(self, module_name: str, module_args: dict[str, t.Any], task_vars: t.Any) -> dict[str, t.Any]:
        assert module_name == "certfleet.collectssl.collectssl_certificate"
        self.runs.append(module_args)
        return dict(self.result)


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Target:
    return Target(monkeypatch)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    return Answers(monkeypatch)


def blocks(text: str) -> int:
    return text.count("-----BEGIN CERTIFICATE-----")


def test_the_sentence_about_a_certificate_is_one_line() -> None:
    certificate = {"subject": "CN=red\x1b[31m\n" + "x" * 500, "serial_number": "1", "not_after": "2027-01-01T00:00:00Z"}
    said = _about(certificate)
    assert said.startswith("The certificate is CN=red [31m xxx")
    assert said.endswith("x …, serial number 1, valid until 2027-01-01T00:00:00Z.")
    assert len(said) < 300


def test_a_collected_chain_is_handed_to_the_module(target: Target, answers: Answers) -> None:
    result = run(ActionModule, dict(TASK))
    assert set(result) == {"changed", "issued", "order", "certificate", "files", "msg"}
    assert re.fullmatch(r"The certificate is CN=\S+, serial number [0-9]+, valid until [-0-9T:]+Z\.", result["msg"])
    assert (result["changed"], result["issued"], result["files"]) == (True, True, INSTALLED["files"])
    assert set(result["order"]) == ORDER_KEYS
    assert result["order"]["state"] == "issued"
    assert set(result["certificate"]) == CERTIFICATE_KEYS
    assert result["certificate"]["subject_alt_names"] == ["DNS:www.example.com"]
    (module_args,) = target.runs
    assert set(module_args) == {"path", "content"}
    assert blocks(module_args["content"]) == 2
    assert module_args["content"].__class__ is str
    assert [request.query_type for request in answers.requests] == [1]


@pytest.mark.usefixtures("answers")
def test_only_what_the_target_needs_travels_there(target: Target) -> None:
    args = {
        **TASK,
        **dict.fromkeys(("chain_path", "fullchain_path", "combined_path", "privatekey_path", "root_path"), ""),
        **{name: f"~/tls/{name}" for name in ("chain_path", "fullchain_path", "combined_path")},
        "privatekey_path": "$HOME/key",
        "pending_privatekey_path": "/new.key",
        "root_path": "/root.pem",
        "privatekey_passphrase": "of the key",
        "validate": "nginx -t",
        "backup": True,
        "include_root": True,
        "owner": "root",
        "group": "ssl",
        "mode": "0640",
        "attr": "+i",
        "seuser": "a",
        "serole": "b",
        "setype": "c",
        "selevel": "s0",
        "unsafe_writes": True,
        "in_place": True,
        "expected_names": ["www.example.com"],
        "min_validity_days": 3,
        "proxy": "http://u:proxy-password@p:1",
        "ca_path": "/",
        "retries": 1,
        "return_content": True,
    }
    result = run(ActionModule, args)
    assert "failed" not in result, result
    (module_args,) = target.runs
    assert set(module_args) == {*TARGET_OPTIONS, "content"}
    assert module_args["chain_path"] == "~/tls/chain_path"
    assert module_args["privatekey_path"] == "$HOME/key"
    assert module_args["attributes"] == "+i"
    for secret in (PASSWORD, "proxy-password", "account"):
        assert secret not in repr(module_args)
        assert secret not in repr(result)
    assert blocks(module_args["content"]) == blocks(result["content"]) == 3


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(
    ("changes", "sent", "returned"),
    [({}, 2, 2), ({"include_root": True}, 3, 3), ({"root_path": "/root.pem"}, 3, 2)],
)
def test_the_root_goes_along_where_it_is_asked_for(
    target: Target, changes: dict[str, t.Any], sent: int, returned: int
) -> None:
    result = run(ActionModule, {**TASK, **changes, "return_content": True})
    assert (blocks(target.runs[0]["content"]), blocks(result["content"])) == (sent, returned)


@pytest.mark.usefixtures("answers")
def test_what_the_module_says_of_a_failure_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    Target(monkeypatch, {"changed": False, "failed": True, "msg": "The key does not match.", "files": []})
    result = run(ActionModule, dict(TASK))
    assert (result["failed"], result["msg"]) == (True, "The key does not match.")


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize("said", ["MODULE FAILURE\nSee stdout/stderr for the exact error", None])
def test_a_module_that_was_killed_leaves_the_files_unknown(said: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    Target(monkeypatch, {"failed": True, "msg": said, "module_stdout": "", "module_stderr": "Killed\n", "rc": 137})
    result = run(ActionModule, dict(TASK))
    assert result["failed"]
    assert result["msg"].startswith(f"{said or 'The module failed'}. The module came to no end of its own")
    assert result["msg"].endswith("the next run for the same files puts back first.")


@pytest.mark.parametrize(
    ("reply", "sentence", "state"),
    [
        (PENDING, "Order number 1 is still being processed. Run again later, or wait longer", "pending"),
        ("errorCode=-20", "Order number 1 was rejected. ", "rejected"),
        ("errorCode=-21", "The certificate of order number 1 was revoked. ", "revoked"),
        ("errorCode=-22", "Order number 1 still awaits payment. ", "awaiting_payment"),
        ("errorCode=-16", "The provider refused order number 1 with status -16. ", "error"),
        (TransportError("The network is down."), "The network is down.", None),
    ],
)
def test_what_is_not_issued_fails_and_touches_nothing(
    monkeypatch: pytest.MonkeyPatch, target: Target, reply: t.Any, sentence: str, state: str | None
) -> None:
    Answers(monkeypatch, {"1": reply})
    result = run(ActionModule, dict(TASK))
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"].startswith(sentence)
    assert result["msg"].endswith(UNTOUCHED)
    assert "Traceback" not in result["msg"]
    assert result.get("order", {}).get("state") == state
    assert not target.runs


def test_a_chain_that_does_not_link_up_is_told_with_its_order(monkeypatch: pytest.MonkeyPatch, target: Target) -> None:
    authorities, leaf = chain()
    gap = urllib.parse.urlencode({"errorCode": 2, "caCertificate": authorities[0], "certificate": leaf})
    Answers(monkeypatch, {"1": gap})
    result = run(ActionModule, dict(TASK))
    assert result["msg"].startswith("What came for order number 1 cannot be used. ")
    assert result["msg"].endswith(UNTOUCHED)
    assert not target.runs


def test_a_pending_order_may_be_allowed(monkeypatch: pytest.MonkeyPatch, target: Target) -> None:
    Answers(monkeypatch, {"1": PENDING})
    result = run(ActionModule, {**TASK, "allow_pending": True})
    assert set(result) == {"changed", "issued", "order", "certificate", "files", "msg"}
    assert result["msg"] == (
        "Order number 1 is still being processed. Run again later, or wait longer with wait_timeout." + UNTOUCHED
    )
    assert (result["changed"], result["issued"], result["certificate"], result["files"]) == (False, False, None, [])
    assert set(result["order"]) == ORDER_KEYS
    assert not target.runs


def test_a_pending_order_that_is_allowed_is_shown_once(
    monkeypatch: pytest.MonkeyPatch, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = Answers(monkeypatch, {"1": PENDING, "2": f"{PENDING}&errorMessage=x+{PASSWORD.replace(' ', '+')}"})
    for number in ("1", "2") * 3:
        run(ActionModule, {**TASK, "order_number": number, "allow_pending": True})
    assert capsys.readouterr().out.splitlines() == [
        "collectssl: order number 1 is pending; nothing is installed for now",
        "collectssl: order number 2 is pending (x ***); nothing is installed for now",
    ]
    assert len(answers.requests) == 2
    assert not target.runs


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize("no_log", [False, True])
@pytest.mark.parametrize("verbosity", [0, 1])
def test_a_module_that_fails_has_its_say_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verbosity: int, no_log: bool
) -> None:
    said = {"failed": True, "msg": "validate refused the new files.", "rc": 1, "stdout": "", "stderr": "x"}
    Target(monkeypatch, said)
    monkeypatch.setattr(Display(), "verbosity", verbosity)
    result = run(ActionModule, {**TASK, "return_content": True}, no_log=no_log)
    assert result == {**said, "issued": True}
    assert ('"fingerprint_sha256": ' in capsys.readouterr().out) == (verbosity > 0 and not no_log)


@pytest.mark.parametrize("reply", ["errorCode=-20", "errorCode=-16", TransportError("Down.")])
def test_nothing_else_is_allowed_with_it(monkeypatch: pytest.MonkeyPatch, target: Target, reply: t.Any) -> None:
    Answers(monkeypatch, {"1": reply})
    assert run(ActionModule, {**TASK, "allow_pending": True})["failed"]
    assert not target.runs


def test_content_is_installed_without_a_call(target: Target, answers: Answers) -> None:
    content = run(ActionModule, {**TASK, "return_content": True})["content"]
    given = {"content": content, "path": "/etc/tls/cert.pem"}
    result = run(ActionModule, {**given, "return_content": True})
    assert set(result) == {"changed", "issued", "order", "certificate", "files", "msg", "content"}
    assert (result["issued"], result["order"], result["content"]) == (True, None, content)
    assert target.runs[1]["content"] == content
    assert len(answers.requests) == 1


def test_content_that_is_no_chain_is_refused(target: Target) -> None:
    result = run(ActionModule, {"content": "no chain", "path": "/x"})
    assert result["failed"]
    assert result["msg"].endswith(UNTOUCHED)
    assert not target.runs


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"expected_names": ["www.example.com", "other.example.com"]}, "does not cover other.example.com of expected"),
        ({"min_validity_days": 365}, "min_validity_days asks for 365"),
    ],
)
def test_a_certificate_that_does_not_serve_is_refused(target: Target, changes: dict[str, t.Any], sentence: str) -> None:
    result = run(ActionModule, {**TASK, **changes})
    assert sentence in result["msg"]
    assert result["msg"].endswith(UNTOUCHED)
    assert not target.runs


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"path": "tls/cert.pem"}, "path must be an absolute path on the target, not 'tls/cert.pem'."),
        ({"path": ""}, "path must be an absolute path on the target, not ''."),
        ({"privatekey_path": "./key"}, "privatekey_path must be an absolute path on the target, not './key'."),
        ({"chain_path": "/etc/tls/cert.pem"}, "path and chain_path name the same file, /etc/tls/cert.pem."),
        ({"min_validity_days": -1}, "min_validity_days must be 0 or more."),
        ({"min_validity_days": 10**10}, "min_validity_days must be at most 36525."),
        ({"validate": "nginx '-t"}, "validate cannot be split into a command and its arguments: No closing quotation."),
        ({"validate": " "}, "validate is empty; leave it out, or give a command."),
        ({"path": None}, "Give one of path, chain_path, fullchain_path, root_path, combined_path; none is given."),
        ({"certificate_id": "x", "order_number": None}, "certificate_id must be a whole number (section 1 of the"),
        ({"combined_path": "/c"}, "combined_path needs privatekey_path beside it."),
        ({"api_url": "http://x"}, "api_url must begin with https://, since the password travels with each call."),
        ({"paht": "/x"}, "There is no option paht. Is path meant?"),
        ({"proxy": "socks5://x"}, "proxy must be the address of an http or https proxy, such as"),
        ({"wait_timeout": -1}, "wait_timeout must be a whole number from 0 to"),
    ],
)
def test_a_wrong_option_is_told_before_any_call(
    target: Target, answers: Answers, changes: dict[str, t.Any], sentence: str
) -> None:
    result = run(ActionModule, {**TASK, **changes})
    assert set(result) == {"failed", "changed", "msg"}
    assert result["msg"].startswith(sentence)
    assert result["msg"].endswith(UNTOUCHED)
    assert not answers.requests
    assert not target.runs


def test_async_is_refused() -> None:
    with pytest.raises(AnsibleActionFail, match="async"):
        run(ActionModule, dict(TASK), async_val=30)


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize(
    ("environment", "changes", "proxy"),
    [
        (None, {}, "http://controller:1"),
        ([{"https_proxy": "http://task:1"}], {}, "http://task:1"),
        ([{"HTTPS_PROXY": "{{ 'http://' ~ 'task:1' }}"}], {}, "http://task:1"),
        ([{"https_proxy": "http://play:1"}, {"https_proxy": "http://task:1"}], {}, "http://task:1"),
        ([{"no_proxy": "secure.trust-provider.com"}], {}, None),
        ([{"https_proxy": ""}], {}, None),
        ([{"PATH": "/bin"}], {}, "http://controller:1"),
        ([{"https_proxy": "http://task:1"}], {"proxy": "http://option:1"}, "http://option:1"),
        ([{"https_proxy": "http://task:1"}], {"proxy": "none"}, None),
    ],
)
def test_the_proxies_of_the_tasks_environment_count(
    monkeypatch: pytest.MonkeyPatch, answers: Answers, environment: t.Any, changes: dict[str, t.Any], proxy: str | None
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://controller:1")
    if environment and "{{" in str(environment):
        environment = [{name: _trusted(value) for name, value in part.items()} for part in environment]
    run(ActionModule, {**TASK, **changes}, environment)
    assert [whom.transport.proxy for whom in answers.providers] == [proxy]


def _trusted(template: str) -> str:
    """A template as a playbook holds it; from ansible-core 2.19 on, others are not rendered."""
    try:
        from ansible.template import trust_as_template
    except ImportError:
        return template
    return trust_as_template(template)


@pytest.mark.usefixtures("answers")
def test_a_diff_tells_what_a_certificate_says(monkeypatch: pytest.MonkeyPatch, target: Target) -> None:
    run(ActionModule, dict(TASK))
    content = target.runs[0]["content"]
    header = {"before_header": "/etc/tls/cert.pem (content)", "after_header": "/etc/tls/cert.pem (content)"}
    attributes = {"before": {"mode": "0600"}, "after": {"mode": "0644"}}
    Target(monkeypatch, {**INSTALLED, "diff": [{"before": "", "after": content, **header}, attributes]})
    shown = run(ActionModule, dict(TASK))["diff"]
    assert shown[0]["before"] == ""
    assert "BEGIN CERTIFICATE" not in shown[0]["after"]
    assert "www.example.com" in shown[0]["after"]
    assert shown[0]["after_header"] == header["after_header"]
    assert shown[1] == attributes


def test_a_run_asks_once_and_a_second_task_lives_off_it(target: Target, answers: Answers) -> None:
    for _host in range(5):
        run(ActionModule, dict(TASK))
    assert (len(target.runs), len(answers.requests)) == (5, 1)


@pytest.mark.usefixtures("answers", "target")
def test_the_days_that_remain_are_counted_from_now() -> None:
    certificate = run(ActionModule, dict(TASK))["certificate"]
    end = datetime.datetime.strptime(certificate["not_after"], "%Y-%m-%dT%H:%M:%S%z")
    assert certificate["days_remaining"] == (end - datetime.datetime.now(datetime.timezone.utc)).days


def test_the_action_runs_in_check_mode(target: Target, answers: Answers) -> None:
    action = action_of(ActionModule, dict(TASK), check_mode=True)
    assert action.run(task_vars={})["issued"]
    assert len(target.runs) == len(answers.requests) == 1


def test_nothing_of_a_secret_is_left_on_the_disk(tmp_path: pathlib.Path, target: Target, answers: Answers) -> None:
    run(ActionModule, dict(TASK))
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes()


# What a kept or killed payload must not hold.

ENCRYPTED = {**TASK, "privatekey_path": "/key", "privatekey_passphrase": "of the key \u00fc"}


def _passphrase_there(module_args: dict[str, t.Any]) -> pathlib.Path:
    begin, path = module_args["privatekey_passphrase"][:1], module_args["privatekey_passphrase"][1:]
    assert begin == BESIDE
    return pathlib.Path(path)


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize("keep", [True, False])
def test_without_pipelining_a_passphrase_goes_in_a_file_of_its_own(
    keep: bool, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[pathlib.Path, bytes, int]] = []

    def execute(_self: t.Any, module_args: dict[str, t.Any], **_arguments: t.Any) -> dict[str, t.Any]:
        path = _passphrase_there(module_args)
        seen.append((path, path.read_bytes(), path.stat().st_mode & 0o7777))
        assert path.parent.stat().st_mode & 0o077 == 0
        assert "of the key" not in repr(module_args)
        if keep:
            raise RuntimeError("the connection broke")
        return dict(INSTALLED)

    monkeypatch.setattr(ActionModule, "_execute_module", execute)
    monkeypatch.setattr(C, "DEFAULT_KEEP_REMOTE_FILES", keep)
    monkeypatch.setenv("ANSIBLE_REMOTE_TMP", str(tmp_path / "remote"))
    monkeypatch.setenv("HOME", str(tmp_path))
    action = action_of(ActionModule, dict(ENCRYPTED))
    if keep:
        with pytest.raises(RuntimeError):
            action.run(task_vars={})
    else:
        assert action.run(task_vars={})["changed"]
        action.cleanup(force=True)
    ((path, octets, mode),) = seen
    assert (octets, mode) == ("of the key \u00fc".encode(), 0o600)
    # Whatever became of the run of the module, and with all files kept.
    assert not path.exists()
    assert not [left for left in tmp_path.rglob("*") if left.is_file() and b"of the key" in left.read_bytes()]


@pytest.mark.usefixtures("answers")
def test_with_pipelining_a_passphrase_goes_with_the_arguments(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActionModule, "_transfer_data", None)
    assert "failed" not in run(ActionModule, dict(ENCRYPTED))
    (module_args,) = target.runs
    assert module_args["privatekey_passphrase"] == "of the key \u00fc"


@pytest.mark.parametrize(
    ("passphrase", "message"),
    [
        ("x" * 1025, "privatekey_passphrase is longer than the 1024 bytes that TLS libraries take."),
        ("\u00fc" * 513, "privatekey_passphrase is longer than the 1024 bytes that TLS libraries take."),
        ("\0/etc/shadow", "privatekey_passphrase holds a NUL character, with which no key is encrypted."),
    ],
)
def test_a_passphrase_that_no_key_has_costs_no_call(
    passphrase: str, message: str, target: Target, answers: Answers
) -> None:
    result = run(ActionModule, {**ENCRYPTED, "privatekey_passphrase": passphrase})
    assert result["msg"] == f"{message}{UNTOUCHED}"
    assert (target.runs, answers.requests) == ([], [])


def test_the_account_and_the_password_of_a_proxy_stay_out_of_command_lines_on_the_target() -> None:
    environment = {
        "https_proxy": "http://me:s3cret@proxy:1",
        "http_proxy": "http://proxy:1",
        "COLLECTSSL_LOGIN_PASSWORD": PASSWORD,
        "LANG": "C",
    }
    action = action_of(ActionModule, dict(TASK), [environment])
    everything: dict[str, t.Any] = {}
    assert action._compute_environment_string(everything) == "http_proxy=http://proxy:1 LANG=C"
    # The call of the controller takes it all the same.
    assert everything == environment
