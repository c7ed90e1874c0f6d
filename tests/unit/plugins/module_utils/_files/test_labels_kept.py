# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels as SELinux has them, on a system without it; texts that are no paths; and where a journal is to lie."""

from __future__ import annotations

import errno
import os
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, journal
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import require_path

_OLD = b"user_u:object_r:etc_t:s0:c1,c2\0"


class _Module:
    """As much of a module as labels need."""

    def __init__(self, enabled: bool = True) -> None:
        self._enabled = enabled

    def selinux_enabled(self) -> bool:
        return self._enabled


@pytest.mark.parametrize(
    ("context", "enabled", "present", "given"),
    [
        ([None, None, "cert_t", None], True, _OLD, b"user_u:object_r:cert_t:s0:c1,c2\0"),
        (["system_u", None, None, "s1:c3"], True, _OLD, b"system_u:object_r:etc_t:s1:c3\0"),
        ([None, "role_r", None], True, _OLD, b"user_u:role_r:etc_t:s0:c1,c2\0"),
        ([None, None, "cert_t"], True, b"user_u:object_r:etc_t", b"user_u:object_r:cert_t\0"),
        ([None, None, "etc_t", None], True, _OLD, None),
        ([None, None, None, None], True, _OLD, None),
        ([], True, _OLD, None),
        (None, True, _OLD, None),
        ([None, None, "cert_t", None], False, _OLD, None),
        *[
            ([None, None, "cert_t", None], True, number, None)
            for number in (errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP)
        ],
    ],
)
def test_a_label_is_given_where_it_differs(
    context: list[str | None] | None,
    enabled: bool,
    present: bytes | int,
    given: bytes | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[t.Any] = []
    written: list[t.Any] = []

    def read(*what: t.Any) -> bytes:
        asked.append(what)
        if isinstance(present, int):
            raise OSError(present, os.strerror(present))
        return present

    monkeypatch.setattr(os, "getxattr", read)
    monkeypatch.setattr(os, "setxattr", lambda *what: written.append(what))
    getattr(FileAttributes(_Module(enabled)), "_label")(7, context)  # noqa: B009 - where it is told from the rest
    assert written == ([] if given is None else [(7, disk.LABEL, given)])
    assert bool(asked) == (enabled and bool(context) and any(context or ()))


def test_a_label_that_cannot_be_read_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_what: t.Any) -> t.NoReturn:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "getxattr", refuse)
    with pytest.raises(PermissionError):
        getattr(FileAttributes(_Module()), "_label")(7, [None, None, "cert_t", None])  # noqa: B009


def test_which_characters_a_path_has() -> None:
    for number in range(0x100):
        path = f"/a{chr(number)}b"
        if number < 0x20 or 0x7F <= number <= 0x9F:
            with pytest.raises(InstallError, match=r"^it: .* has a control character in it"):
                require_path("it", path)
        else:
            require_path("it", path)


def test_a_path_is_absolute() -> None:
    with pytest.raises(InstallError, match=r"^it: a/b is a relative path; give an absolute one"):
        require_path("it", "a/b")


class _Folder(t.NamedTuple):
    settled: bool


@pytest.mark.parametrize(
    ("settled", "home"), [((False, False), 0), ((False, True), 1), ((True, True), 0), ((True, False), 0)]
)
def test_a_journal_lies_where_nobody_else_could_move_it(settled: tuple[bool, ...], home: int) -> None:
    class There(t.NamedTuple):
        there: _Folder

    entries: t.Any = tuple(
        journal.Located(t.cast(t.Any, None), t.cast(t.Any, There(_Folder(one))), t.cast(t.Any, f"hidden {number}"))
        for number, one in enumerate(settled)
    )
    begun: t.Any = journal.begun(entries)
    assert (begun.state, begun.entries, begun.home) == ("switching", entries, f"hidden {home}")
