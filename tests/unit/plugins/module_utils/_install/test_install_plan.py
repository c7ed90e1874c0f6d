# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installation finds to do, and what it refuses."""

from __future__ import annotations

import os
import pathlib
import ssl
import subprocess
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.tests.support.installation import (
    KEYS,
    Options,
    SmallHost,
    bundle,
    calls_of,
    intermediate,
    key_pem,
    leaf,
    root,
)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
not_as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


@pytest.fixture
def host(tmp_path: pathlib.Path) -> SmallHost:
    """A host with the key that goes with ``bundle("ec-key")``."""
    host = SmallHost(tmp_path)
    host.write_key("ec-key")
    return host


def _changed(result: dict[str, t.Any]) -> list[str]:
    return [file["role"] for file in result["files"] if file["changed"]]


def test_each_file_holds_what_it_should(host: SmallHost) -> None:
    result = host.install(content=bundle("ec-key"), **host.everything())
    assert result["changed"]
    assert _changed(result) == ["certificate", "chain", "fullchain", "root", "combined"]
    assert host.path.read_text() == leaf("ec-key")
    assert host.chain.read_text() == intermediate()
    assert host.fullchain.read_text() == leaf("ec-key") + intermediate()
    assert host.root.read_text() == root()
    assert host.combined.read_text() == key_pem("ec-key").decode() + leaf("ec-key") + intermediate()
    assert host.combined.stat().st_mode & 0o777 == 0o600
    umask = os.umask(0o022)
    os.umask(umask)
    assert host.path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_the_root_goes_along_when_asked_for(host: SmallHost) -> None:
    host.install(content=bundle("ec-key"), **host.everything(include_root=True))
    assert host.chain.read_text() == intermediate() + root()
    assert host.fullchain.read_text() == leaf("ec-key") + intermediate() + root()
    assert host.combined.read_text().endswith(intermediate() + root())


def test_without_root_options_the_last_block_is_an_intermediate(host: SmallHost) -> None:
    host.install(content=bundle("ec-key", with_root=False), chain_path=str(host.chain))
    assert host.chain.read_text() == intermediate()


def test_the_second_run_does_nothing_at_all(host: SmallHost) -> None:
    options = host.everything(content=bundle("ec-key"), mode="0640", validate="false")
    host.install(**dict(options, validate="true"))
    before = host.state()
    assert calls_of(lambda: host.install(**options)) == 0
    result = host.install(**options)
    assert not result["changed"]
    assert result["diff"] == []
    assert host.state() == before


def _empty(host: SmallHost) -> None:
    host.path.write_bytes(b"")


def _gone(host: SmallHost) -> None:
    host.path.unlink()


def _crlf(host: SmallHost) -> None:
    host.path.write_bytes(host.path.read_bytes().replace(b"\n", b"\r\n"))


def _large(host: SmallHost) -> None:
    host.path.write_bytes(host.path.read_bytes() + b"\n" * (2 << 20))


def _mode(host: SmallHost) -> None:
    host.path.chmod(0o666)


def _dangling(host: SmallHost) -> None:
    host.path.unlink()
    host.path.symlink_to(host.certs / "elsewhere.pem")


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("spoil", [_empty, _gone, _crlf, _large, _mode, _dangling])
def test_each_drift_is_found_and_repaired(spoil: t.Callable[[SmallHost], None], check: bool, host: SmallHost) -> None:
    options = host.everything(content=bundle("ec-key"), mode="0644")
    host.install(**options)
    good = host.path.read_bytes(), host.path.stat().st_mode
    spoil(host)
    before = host.state()
    result = host.install(check=check, **options)
    assert result["changed"]
    assert _changed(result) == ["certificate"]
    assert len(result["diff"]) == 1
    assert result["diff"][0]["before"] != result["diff"][0]["after"]
    if check:
        assert host.state() == before
    else:
        assert (host.path.read_bytes(), host.path.stat().st_mode) == good
        assert not host.install(**options)["changed"]


@pytest.mark.parametrize(
    ("mode", "present", "wanted"),
    [("0600", 0o644, 0o600), (384, 0o644, 0o600), ("u=rw,g=r,o=", 0o600, 0o640), ("g+w", 0o644, 0o664)],
)
def test_a_mode_in_any_notation(mode: str | int, present: int, wanted: int, host: SmallHost) -> None:
    options: Options = {"content": bundle("ec-key"), "path": str(host.path), "mode": mode}
    host.install(**options)
    host.path.chmod(present)
    assert host.install(**options)["changed"]
    assert host.path.stat().st_mode & 0o777 == wanted
    assert not host.install(**options)["changed"]


@as_root
def test_owner_and_group(host: SmallHost) -> None:
    options: Options = {"content": bundle("ec-key"), "path": str(host.path), "owner": "12345", "group": "23456"}
    host.install(**options)
    assert (host.path.stat().st_uid, host.path.stat().st_gid) == (12345, 23456)
    os.chown(host.path, 0, 23456)
    result = host.install(**options)
    assert result["changed"]
    assert result["diff"][0]["before"].startswith("# owner: 0\n")
    assert result["diff"][0]["after"].startswith("# owner: 12345\n")
    assert host.path.stat().st_uid == 12345


@as_root
def test_what_no_option_speaks_of_is_kept(host: SmallHost) -> None:
    host.install(content=bundle("ec-key"), path=str(host.path))
    os.chown(host.path, 12345, 23456)
    host.path.chmod(0o640)
    try:
        os.setxattr(host.path, "user.origin", b"kept")
        extended = True
    except OSError:
        extended = False
    assert not host.install(content=bundle("ec-key"), path=str(host.path))["changed"]
    assert host.install(content=bundle("ec-key", 1), path=str(host.path))["changed"]
    status = host.path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (12345, 23456, 0o640)
    assert not extended or os.getxattr(host.path, "user.origin") == b"kept"


def test_a_combined_file_that_others_may_read_is_put_right(host: SmallHost) -> None:
    options = host.everything(content=bundle("ec-key"))
    host.install(**options)
    host.combined.chmod(0o644)
    assert _changed(host.install(**options)) == ["combined"]
    assert host.combined.stat().st_mode & 0o777 == 0o600
    assert _changed(host.install(**dict(options, mode="0640"))) == [
        "certificate",
        "chain",
        "fullchain",
        "root",
        "combined",
    ]
    assert host.combined.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_and_its_file_is_replaced(host: SmallHost, tmp_path: pathlib.Path) -> None:
    real = tmp_path / "real.pem"
    real.write_text("old")
    real.chmod(0o640)
    host.path.symlink_to("../link2.pem")
    (tmp_path / "link2.pem").symlink_to(real)
    result = host.install(content=bundle("ec-key"), path=str(host.path), backup=True)
    assert host.path.is_symlink()
    assert real.read_text() == leaf("ec-key")
    assert real.stat().st_mode & 0o777 == 0o640
    assert result["files"][0]["path"] == str(host.path)
    assert result["files"][0]["backup_file"].startswith(f"{real}.{os.getpid()}.")
    assert pathlib.Path(result["files"][0]["backup_file"]).read_text() == "old"


def test_backups_are_of_changed_content_only(host: SmallHost) -> None:
    options = host.everything(content=bundle("ec-key"), backup=True)
    assert all(file["backup_file"] is None for file in host.install(**options)["files"])
    host.path.chmod(0o666)
    result = host.install(**dict(options, mode="0600"))
    assert result["changed"]
    assert all(file["backup_file"] is None for file in result["files"])
    old = host.path.read_bytes()
    result = host.install(**dict(options, content=bundle("ec-key", 1)))
    backups = {file["role"]: file["backup_file"] for file in result["files"]}
    assert pathlib.Path(backups["certificate"]).read_bytes() == old
    assert backups["chain"] is None
    assert backups["root"] is None
    assert pathlib.Path(backups["combined"]).stat().st_mode & 0o777 == 0o600
    assert all(file["backup_file"] is None for file in host.install(check=True, **options)["files"])


def test_the_diff_shows_certificates_and_no_key(host: SmallHost) -> None:
    host.install(content=bundle("ec-key"), **host.everything())
    host.write_key("ec-other", host.pending)
    options = host.everything(content=bundle("ec-other", 1), pending_privatekey_path=str(host.pending), mode="0600")
    result = host.install(check=True, **options)
    assert "PRIVATE KEY" not in str(result)
    diffs = {entry["after_header"]: entry for entry in result["diff"]}
    assert diffs[str(host.path)]["before"] == "# mode: 0644\n" + leaf("ec-key")
    assert diffs[str(host.path)]["after"] == "# mode: 0600\n" + leaf("ec-other", 1)
    combined = diffs[str(host.combined)]
    assert combined["before"].splitlines()[0] == "# private key not shown"
    assert combined["after"].splitlines()[0] == "# private key not shown; another one than before"
    assert combined["after"].endswith(leaf("ec-other", 1) + intermediate())
    assert str(host.pending) in diffs[str(host.key)]["after"]
    assert "diff" not in host.install(check=True, diff=False, **options)


def test_the_diff_never_shows_a_key_that_lies_where_a_certificate_belongs(host: SmallHost) -> None:
    host.path.write_bytes(key_pem("ec-key"))
    host.chain.write_bytes(key_pem("ec-key").replace(b"-----", b"----"))
    result = host.install(content=bundle("ec-key"), check=True, **host.everything())
    secret = key_pem("ec-key").decode().splitlines()[1]
    assert secret not in str(result)


def _wrong(name: str, options: dict[str, t.Any], message: str) -> t.Any:
    return pytest.param(options, message, id=name)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        _wrong("relative", {"path": "site.pem"}, r"^path: site.pem is a relative path"),
        _wrong("directory", {"path": "{certs}"}, r"^path: .* is a directory"),
        _wrong("slash", {"path": "{certs}/new/"}, r"^path: .* is a directory"),
        _wrong("device", {"path": "/dev/null"}, r"^path: /dev/null is not a regular file"),
        _wrong("file as folder", {"path": "{key}/site.pem"}, r"^path: .*key is not a directory, so no file can be in"),
        _wrong(
            "long", {"path": "{certs}/" + "x" * 252 + ".pem"}, r"^path: .* could not be looked at: File name too long"
        ),
        _wrong(
            "circle", {"path": "{certs}/circle/a"}, r"^path: .* could not be looked at: Too many levels of symbolic"
        ),
        _wrong(
            "long backup", {"path": "{long}", "backup": True}, "^path: the name of a backup of .* would be longer than"
        ),
        _wrong("twice", {"path": "{certs}/a", "root_path": "{certs}/../certs/a"}, "^path and root_path both"),
        _wrong("by link", {"path": "{certs}/link", "root_path": "{certs}/target"}, "^path and root_path both"),
        _wrong("the key", {"path": "{key}", "privatekey_path": "{key}"}, r"^path and privatekey_path both name"),
        _wrong("root", {"path": "{certs}/a", "root_path": "{certs}/b", "content": "LEAF"}, "^root_path: .* no root"),
        _wrong("root to include", {"path": "{certs}/a", "include_root": True, "content": "LEAF"}, "^include_root: "),
        _wrong("no intermediate", {"chain_path": "{certs}/a", "content": "LEAF"}, r"^chain_path: .* no intermediate"),
        _wrong("root only", {"chain_path": "{certs}/a", "root_path": "{certs}/b", "content": "ROOTED"}, "^chain_path:"),
        _wrong("no certificate", {"path": "{certs}/a", "content": "none"}, r"^content: there is no certificate"),
        _wrong("owner", {"path": "{certs}/a", "owner": "nobody-of-that-name"}, r"nobody-of-that-name"),
        _wrong("group", {"path": "{certs}/a", "group": "nobody-of-that-name"}, r"nobody-of-that-name"),
        _wrong("mode", {"path": "{certs}/a", "mode": "wide open"}, r"mode must be in octal or symbolic form"),
        _wrong("quote", {"path": "{certs}/a", "validate": "true 'x"}, r"^validate: .* is not a command"),
        _wrong("no command", {"path": "{certs}/a", "validate": " "}, r"^validate: there is no command"),
        _wrong("key folder", {"path": "{certs}/a", "privatekey_path": "{certs}"}, "^privatekey_path: .* directory"),
        _wrong("empty key", {"path": "{certs}/a", "privatekey_path": "{empty}"}, r"^privatekey_path: .* PEM format"),
        _wrong("no such key", {"path": "{certs}/a", "privatekey_path": "{cert}"}, r"^privatekey_path: .* PEM format"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_touched(
    options: dict[str, t.Any], message: str, check: bool, host: SmallHost
) -> None:
    (host.certs / "link").symlink_to("target")
    (host.certs / "circle").symlink_to("circle")
    (host.certs / "empty").write_text("")
    long = host.certs / ("x" * 250)
    long.write_text("old")
    (host.certs / "cert").write_text(leaf("ec-key"))
    names = {
        "certs": host.certs,
        "key": host.key,
        "empty": host.certs / "empty",
        "cert": host.certs / "cert",
        "long": long,
    }
    contents = {"LEAF": leaf("ec-key"), "ROOTED": leaf("ec-key") + root()}
    options = {name: value.format(**names) if isinstance(value, str) else value for name, value in options.items()}
    options["content"] = contents.get(options.get("content", ""), options.get("content", bundle("ec-key")))
    before = host.state()
    with pytest.raises(InstallError, match=message + r".* No file was changed\.$"):
        host.install(check=check, **options)
    assert host.state() == before


@not_as_root
@pytest.mark.parametrize("check", [True, False])
def test_a_directory_that_cannot_be_written(check: bool, host: SmallHost) -> None:
    host.certs.chmod(0o555)
    try:
        with pytest.raises(InstallError, match=r"path: the user \S+ may not write in the directory"):
            host.install(check=check, content=bundle("ec-key"), path=str(host.path))
    finally:
        host.certs.chmod(0o755)


def test_a_directory_that_cannot_be_written_does_no_harm_while_nothing_changes(
    host: SmallHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = host.everything(content=bundle("ec-key"))
    host.install(**options)
    monkeypatch.setattr(os, "access", lambda path, mode: path != str(host.certs))
    assert not host.install(**options)["changed"]
    host.path.unlink()
    for check in (True, False):
        with pytest.raises(InstallError, match=r"path: the user \S+ may not write in the directory"):
            host.install(check=check, **options)


KINDS = ["rsa", "ec", "ed25519"]


@pytest.mark.parametrize("passphrase", [None, "geheim +&%= ü"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_key_of_the_certificate_is_accepted(kind: str, passphrase: str | None, host: SmallHost) -> None:
    host.write_key(kind, passphrase=passphrase)
    options = host.everything(content=bundle(kind), privatekey_passphrase=passphrase)
    assert host.install(**options)["changed"]
    assert not host.install(**options)["changed"]
    assert host.combined.read_bytes().startswith(key_pem(kind) if passphrase is None else b"-----BEGIN ENCRYPTED")


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.parametrize(
    ("certified", "present"),
    [(one, other) for one in KINDS for other in [*KINDS, "rsa-2", "ec-2", "ed25519-2"] if one != other],
)
def test_another_key_is_refused_even_if_the_files_are_in_place(
    certified: str, present: str, installed: bool, check: bool, host: SmallHost
) -> None:
    options = host.everything(content=bundle(certified))
    if installed:
        host.write_key(certified)
        host.install(**options)
    host.write_key(present)
    before = host.state()
    with pytest.raises(InstallError, match=r"does not belong to the private key in .*site.key \(privatekey_path\)"):
        host.install(check=check, **options)
    assert host.state() == before


@pytest.mark.parametrize(
    ("passphrase", "message"),
    [
        (None, r"^privatekey_path: .* is encrypted; give its passphrase as privatekey_passphrase"),
        ("wrong", r"^privatekey_path: privatekey_passphrase does not open"),
        ("x" * 2000, r"privatekey_passphrase is longer"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_an_encrypted_key_that_does_not_open(kind: str, passphrase: str | None, message: str, host: SmallHost) -> None:
    host.write_key(kind, passphrase="right")
    before = host.state()
    with pytest.raises(InstallError, match=message) as failure:
        host.install(content=bundle(kind), **host.everything(privatekey_passphrase=passphrase))
    assert passphrase is None or passphrase not in str(failure.value)
    assert host.state() == before


def test_a_damaged_key(host: SmallHost) -> None:
    lines = key_pem("rsa").decode().splitlines()
    host.key.write_text("\n".join(lines[:3] + lines[5:]) + "\n")
    with pytest.raises(InstallError, match=r"^privatekey_path: .* could not be loaded as a private key"):
        host.install(content=bundle("rsa"), **host.everything())


@pytest.mark.parametrize("level", [0, 2])
def test_a_key_that_the_policy_of_the_host_refuses_is_no_mismatch(
    level: int, host: SmallHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Context(ssl.SSLContext):
        def __new__(cls, protocol: int) -> t.Any:
            context = super().__new__(cls, protocol)
            context.set_ciphers(f"DEFAULT@SECLEVEL={level}")
            return context

    monkeypatch.setattr(ssl, "SSLContext", Context)
    host.write_key("rsa-weak")
    options = host.everything(content=bundle("rsa-weak"))
    if level == 0:
        assert host.install(**options)["changed"]
        return
    with pytest.raises(InstallError, match=r"^privatekey_path: the TLS policy of this host .*EE_KEY_TOO_SMALL"):
        host.install(**options)


@pytest.mark.parametrize("passphrase", [None, "right"])
def test_keys_in_the_older_format(passphrase: str | None, host: SmallHost) -> None:
    protection = ["-aes256", "-passout", f"pass:{passphrase}"] if passphrase else []
    host.write_key("rsa", host.key)
    older = host.folder / "older.key"
    command = ["openssl", "rsa", "-traditional", "-in", str(host.key), "-out", str(older), *protection]
    subprocess.run(command, check=True, capture_output=True)
    older.replace(host.key)
    host.install(content=bundle("rsa"), **host.everything(privatekey_passphrase=passphrase))
    combined = host.combined.read_text()
    assert combined.startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert host.key.read_text() + leaf("rsa") + intermediate() == combined


def test_the_parameters_before_an_ec_key_are_left_out(host: SmallHost) -> None:
    subprocess.run(
        ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-out", str(host.key)], check=True, capture_output=True
    )
    assert "EC PARAMETERS" in host.key.read_text()
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(host.key.read_bytes(), None)
    KEYS["ec-from-openssl"] = key
    made = leaf("ec-from-openssl")
    host.install(content=made + intermediate(), combined_path=str(host.combined), privatekey_path=str(host.key))
    assert host.combined.read_text().startswith("-----BEGIN EC PRIVATE KEY-----")


def test_a_pending_key_is_left_alone_while_the_certificate_is_the_old_one(host: SmallHost) -> None:
    host.write_key("ec-next", host.pending)
    options = host.everything(content=bundle("ec-key"), pending_privatekey_path=str(host.pending))
    result = host.install(**options)
    assert host.pending.read_bytes() == key_pem("ec-next")
    assert host.key.read_bytes() == key_pem("ec-key")
    assert "privatekey" not in [file["role"] for file in result["files"]]
    assert not host.install(**options)["changed"]


@pytest.mark.parametrize("present", ["another key", "no key", "an encrypted key", "no key file at all"])
def test_the_pending_key_moves_with_its_certificate(present: str, host: SmallHost) -> None:
    host.write_key("ec-next", host.pending)
    host.pending.chmod(0o640)
    if present == "no key":
        host.key.unlink()
    elif present == "an encrypted key":
        host.write_key("ec-key", passphrase="forgotten")
    elif present == "no key file at all":
        host.key.write_text("nonsense")
    if host.key.exists():
        host.key.chmod(0o640)
    inode = host.pending.stat().st_ino
    options = host.everything(
        content=bundle("ec-next"), pending_privatekey_path=str(host.pending), backup=True, validate="true"
    )
    old = host.key.read_bytes() if host.key.exists() else None
    predicted = host.install(check=True, **options)
    result = host.install(**options)
    assert [dict(file, backup_file=None) for file in result["files"]] == predicted["files"]
    assert result["diff"] == predicted["diff"]
    assert not host.pending.exists()
    assert host.key.read_bytes() == key_pem("ec-next")
    assert host.key.stat().st_mode & 0o777 == 0o640
    assert host.key.stat().st_ino == inode
    assert host.combined.read_bytes().startswith(key_pem("ec-next"))
    moved = [file for file in result["files"] if file["role"] == "privatekey"]
    assert [file["path"] for file in moved] == [str(host.key)]
    if old is None:
        assert moved[0]["backup_file"] is None
    else:
        assert pathlib.Path(moved[0]["backup_file"]).read_bytes() == old
    again = host.install(**options)
    assert not again["changed"]
    assert host.hidden() == []


@pytest.mark.parametrize(("pending", "check"), [("ec-third", True), ("ec-third", False), (None, False)])
def test_a_certificate_for_neither_key_names_both(pending: str | None, check: bool, host: SmallHost) -> None:
    if pending:
        host.write_key(pending, host.pending)
    before = host.state()
    with pytest.raises(InstallError) as failure:
        host.install(
            check=check, content=bundle("ec-foreign"), **host.everything(pending_privatekey_path=str(host.pending))
        )
    assert f"{host.key} (privatekey_path)" in str(failure.value)
    assert f"{host.pending} (pending_privatekey_path)" in str(failure.value)
    assert host.state() == before
