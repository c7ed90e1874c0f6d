# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What check mode says is what happens, whatever there is before."""

from __future__ import annotations

import os
import pathlib
import tempfile
import typing as t

import hypothesis
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.tests.support.installation import (
    SmallHost,
    bundle,
    intermediate,
    key_pem,
    killed_at,
    leaf,
)
from hypothesis import strategies as st

_CONTENTS = {
    "leaf": leaf("ec-key").encode(),
    "other leaf": leaf("ec-key", 1).encode(),
    "full": (leaf("ec-key") + intermediate()).encode(),
    "combined": key_pem("ec-key") + (leaf("ec-key") + intermediate()).encode(),
    "chain": intermediate().encode(),
    "other lines": leaf("ec-key").replace("\n", "\r\n").encode(),
    "text": b"\x00\xff not a certificate",
    "nothing": b"",
}
_OPTIONS = ["path", "chain_path", "fullchain_path", "root_path", "combined_path"]


class _File(t.NamedTuple):
    """What there is at a destination before: nothing where ``content`` is None."""

    content: str | None
    mode: int
    owner: int
    link: bool


_FILES = st.builds(
    _File,
    st.sampled_from([None, *_CONTENTS]),
    st.sampled_from([0o644, 0o600, 0o640, 0o444, 0o777]),
    st.sampled_from([0, 12345] if os.geteuid() == 0 else [os.geteuid()]),
    st.booleans(),
)
#: How a message goes on that says how the files are.
_LEFT = "No file was changed"
_KEYS = st.sampled_from(["ec-key", "ec-other", None])


def _put(path: pathlib.Path, file: _File) -> None:
    if file.link:
        real = path.with_name(path.name + ".real")
        path.symlink_to(real.name)
        path = real
    if file.content is not None:
        path.write_bytes(_CONTENTS[file.content])
        path.chmod(file.mode)
        os.chown(path, file.owner, -1)


def _try(host: SmallHost, **options: t.Any) -> t.Any:
    try:
        return host.install(**options)
    except InstallError as exc:
        return str(exc)


@hypothesis.settings(max_examples=120, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(
    files=st.tuples(*[_FILES for _option in _OPTIONS]),
    asked=st.sets(st.sampled_from(_OPTIONS), min_size=1),
    keys=st.tuples(_KEYS, _KEYS),
    with_key=st.booleans(),
    mode=st.sampled_from([None, "0644", "u=rw,g=r,o=", "g-w,o-w"]),
    owner=st.sampled_from([None, "0"] if os.geteuid() == 0 else [None]),
    flags=st.tuples(st.booleans(), st.booleans()),
    killed=st.one_of(st.just(0), st.integers(1, 90)),
)
def test_check_mode_is_exact(
    files: tuple[_File, ...],
    asked: set[str],
    keys: tuple[str | None, str | None],
    with_key: bool,
    mode: str | None,
    owner: str | None,
    flags: tuple[bool, bool],
    killed: int,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        host = SmallHost(pathlib.Path(folder))
        everything = host.everything()
        for option, file in zip(_OPTIONS, files, strict=True):
            _put(pathlib.Path(everything[option]), file)
        for name, path in zip(keys, (host.key, host.pending), strict=True):
            if name is not None:
                host.write_key(name, path)
        options = {option: everything[option] for option in asked}
        if with_key or "combined_path" in asked:
            options.update(privatekey_path=str(host.key), pending_privatekey_path=str(host.pending))
        options.update(mode=mode, owner=owner, include_root=flags[0], backup=flags[1])
        options["content"] = bundle("ec-key", with_root=flags[0] or "root_path" in asked)
        if killed:
            other = dict(options, content=bundle("ec-other", 5, with_root=flags[0] or "root_path" in asked))
            killed_at(killed, lambda: _try(host, **other))
        before = host.state()
        predicted = _try(host, check=True, **options)
        assert host.state() == before
        happened = _try(host, **options)
        after = host.state()
        assert host.hidden() == [] or isinstance(happened, str)
        if isinstance(happened, str):
            if "there is no file" in happened.lower() and isinstance(predicted, dict):
                assert predicted["changed"] or "combined_path" not in asked  # an earlier task might make the key
            else:
                # How the files are is another matter where an interrupted run was undone.
                assert predicted.partition(_LEFT)[0] == happened.partition(_LEFT)[0]
            assert killed or after == before
            return
        assert dict(happened, files=[dict(file, backup_file=None) for file in happened["files"]]) == predicted
        if not killed:
            _changes_are_told(host, happened, before, after)
        again = _try(host, **options)
        assert again["changed"] is False
        assert again["diff"] == []
        assert host.state() == after


def _changes_are_told(
    host: SmallHost, result: dict[str, t.Any], before: dict[str, t.Any], after: dict[str, t.Any]
) -> None:
    told = {
        str(pathlib.Path(file["path"]).resolve().relative_to(host.folder.resolve())): file["changed"]
        for file in result["files"]
    }
    for name in set(before) | set(after):
        differs = before.get(name) != after.get(name)
        if name in told:
            assert told[name] == differs, name
        elif differs:
            assert name.endswith(".BACKUP~") or name == str(host.pending.relative_to(host.folder)), name
