# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as a process: what it reads, what it prints, what it refuses."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t
import unittest.mock

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import TARGET_OPTIONS, certificate_spec
from ansible_collections.certfleet.collectssl.plugins.modules import collectssl_certificate, collectssl_order_info
from ansible_collections.certfleet.collectssl.tests.support.installation import (
    SmallHost,
    bundle,
    key_pem,
    leaf,
    module_arguments,
)
from ansible_collections.certfleet.collectssl.tests.support.places import IMPORTABLE


@pytest.fixture
def host(tmp_path: pathlib.Path) -> SmallHost:
    """A host with the key that goes with ``bundle("ec-key")``."""
    host = SmallHost(tmp_path)
    host.write_key("ec-key")
    return host


def _run(
    capfd: pytest.CaptureFixture[str], main: t.Callable[[], None] = collectssl_certificate.main, **arguments: t.Any
) -> dict[str, t.Any]:
    arguments = {"_ansible_no_log": True, **arguments}
    # The module forgets what of its environment is none of a command's business.
    with module_arguments(arguments), unittest.mock.patch.dict(os.environ), pytest.raises(SystemExit) as ended:
        main()
    result: dict[str, t.Any] = json.loads(capfd.readouterr().out)
    assert bool(result.get("failed")) == bool(ended.value.code)
    return result


def test_install_and_again(host: SmallHost, capfd: pytest.CaptureFixture[str]) -> None:
    options = host.everything(content=bundle("ec-key"), _ansible_diff=True, _ansible_tmpdir=str(host.folder / "tmp"))
    first = _run(capfd, **options)
    assert first["changed"]
    assert [file["role"] for file in first["files"]] == ["certificate", "chain", "fullchain", "root", "combined"]
    assert set(first["files"][0]) == {"path", "role", "changed", "backup_file"}
    assert len(first["diff"]) == 5
    second = _run(capfd, **options)
    assert not second["changed"]
    assert second["diff"] == []
    assert list((host.folder / "tmp").iterdir()) == []


def test_without_content_the_action_was_bypassed(host: SmallHost, capfd: pytest.CaptureFixture[str]) -> None:
    result = _run(capfd, order_number="12345", path=str(host.path))
    assert result["failed"]
    assert "bypassed" in result["msg"]
    assert not host.path.exists()


def test_the_info_module_has_no_body_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    result = _run(capfd, main=collectssl_order_info.main, order_numbers=["12345"])
    assert result["failed"]
    assert "bypassed" in result["msg"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "one of the following is required: path, chain_path"),
        ({"path": "/x", "order_number": "1"}, "mutually exclusive"),
        ({"combined_path": "/x"}, "privatekey_path"),
        ({"path": "/x", "pending_privatekey_path": "/x"}, "privatekey_path"),
        ({"path": "/x", "no_such_option": 1}, "no_such_option"),
        ({"path": "x"}, "path: x is a relative path"),
    ],
)
def test_wrong_options(options: dict[str, t.Any], message: str, capfd: pytest.CaptureFixture[str]) -> None:
    result = _run(capfd, content=bundle("ec-key"), **options)
    assert result["failed"]
    assert message in result["msg"]


def test_a_refused_validation_comes_with_its_output(host: SmallHost, capfd: pytest.CaptureFixture[str]) -> None:
    script = host.folder / "check"
    script.write_text("#!/bin/sh\necho said; echo complained >&2; exit 7\n")
    script.chmod(0o755)
    result = _run(capfd, content=bundle("ec-key"), path=str(host.path), validate=str(script))
    assert (result["rc"], result["stdout"], result["stderr"]) == (7, "said\n", "complained\n")
    assert not host.path.exists()


def test_attributes_that_nobody_can_set_are_one_clean_failure(
    host: SmallHost, capfd: pytest.CaptureFixture[str]
) -> None:
    result = _run(capfd, content=bundle("ec-key"), path=str(host.path), owner="nobody-of-that-name")
    assert result["failed"]
    assert "nobody-of-that-name" in result["msg"]
    assert "exception" not in result


@pytest.mark.parametrize("validate", ["true", "false"])
def test_secrets_are_printed_nowhere(validate: str, host: SmallHost, capfd: pytest.CaptureFixture[str]) -> None:
    passphrase = "pass +&%= phrase ü"
    host.write_key("ec-key", passphrase=passphrase)
    host.path.write_bytes(key_pem("ec-other"))
    options = host.everything(
        content=bundle("ec-key"),
        privatekey_passphrase=passphrase,
        validate=validate,
        _ansible_diff=True,
        _ansible_verbosity=4,
    )
    text = json.dumps(_run(capfd, **options), ensure_ascii=False)
    assert passphrase not in text
    assert "PRIVATE KEY" not in text
    for secret in (host.key.read_text(), key_pem("ec-other").decode()):
        assert secret.splitlines()[1] not in text


@pytest.mark.parametrize("lacking", ["ssl", "_ssl"])
def test_without_ssl_only_a_key_is_out_of_reach(
    lacking: str, host: SmallHost, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ssl", lacking):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, lacking, None)
    options: dict[str, t.Any] = {"content": bundle("ec-key"), "path": str(host.path)}
    assert _run(capfd, **options)["changed"]
    before = host.state()
    for check in (True, False):
        result = _run(capfd, **host.everything(**options), _ansible_check_mode=check)
        assert result["msg"] == (
            f"privatekey_path: the Python of this host ({sys.executable}) has no working module ssl, so it cannot be "
            f"checked whether the certificate belongs to {host.key}. Install the package with it, let "
            "ansible_python_interpreter be a Python that has it, or leave the options of private keys out. No file was "
            "changed."
        )
    assert host.state() == before


def test_every_option_for_targets_is_an_option() -> None:
    common = {"owner", "group", "mode", "attributes", "seuser", "serole", "setype", "selevel", "unsafe_writes"}
    assert set(TARGET_OPTIONS) <= set(certificate_spec().argument_spec) | common
    assert not {"login_name", "login_password", "collection_code", "api_url", "proxy"} & set(TARGET_OPTIONS)


_FORBIDDEN = {"requests", "cryptography", "yaml", "jinja2"}


def test_on_a_target_nothing_but_the_standard_library_is_loaded(host: SmallHost) -> None:
    """As a process of its own, which sees what the module itself loads."""
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": host.everything(content=bundle("ec-key"), _ansible_no_log=True)})
    program = (
        "import json, runpy, sys\n"
        f"sys.path[:0] = {[path for path in sys.path if path]!r}\n"
        f"runpy.run_path({str(IMPORTABLE)!r})\n"
        "import ansible.module_utils.basic as basic\n"
        f"basic._ANSIBLE_ARGS = {arguments!r}.encode()\n"
        "basic._ANSIBLE_PROFILE = 'legacy'\n"
        "import atexit; atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        f"from {collectssl_certificate.__name__} import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=dict(os.environ), timeout=60
    )
    assert json.loads(done.stdout)["changed"]
    loaded = json.loads(done.stderr.splitlines()[-1])
    assert not {name.split(".")[0] for name in loaded} & _FORBIDDEN
    ours = [name for name in loaded if name.startswith("ansible_collections.certfleet.collectssl.plugins.")]
    assert all(".module_utils." in name or ".modules." in name for name in ours if name.count(".") > 4)
    assert leaf("ec-key") == host.path.read_text()
