# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the endpoint probe share: an authority, and the probe with options as a task gives them."""

from __future__ import annotations

import contextlib
import functools
import pathlib
import tempfile
import time
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import endpoint_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.probe import endpoint_of, probe
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError

from .identity import AuthorityFolder, Identity

_KEPT: list[t.Any] = []


@functools.cache
def authority() -> AuthorityFolder:
    """An authority for all tests of a process; its folder goes with the process."""
    _KEPT.append(tempfile.TemporaryDirectory(prefix="collectssl-"))
    return AuthorityFolder(pathlib.Path(_KEPT[-1].name))


@functools.cache
def good() -> Identity:
    """A certificate that nothing is wrong with, for 127.0.0.1 and some names."""
    return authority().issue("good", "127.0.0.1", "localhost", "www.example.com")


def trusted() -> str:
    """The trust store to give as ca_path."""
    return str(authority().path)


def look(port: int = 443, host: str = "127.0.0.1", **options: t.Any) -> dict[str, t.Any]:
    """What the probe returns for options as a task gives them, of the types that they are to have."""
    spec = endpoint_spec().argument_spec
    given = {"host": host, "port": port, **options}
    # What ansible-core does with the spec is for the tests of the module and the action.
    assert given.keys() <= spec.keys()
    return probe(endpoint_of({**{option: rules.get("default") for option, rules in spec.items()}, **given}))


def failure(port: int = 443, host: str = "127.0.0.1", **options: t.Any) -> str:
    """The message with which the probe fails."""
    # The system's trust store takes a while to read, and has no part in this.
    options.setdefault("ca_path", trusted())
    with pytest.raises(CollectError) as caught:
        look(port, host, **options)
    message = str(caught.value)
    assert message.endswith("."), message
    assert message.isprintable(), message
    return message


@contextlib.contextmanager
def at_most(seconds: float) -> t.Iterator[None]:
    """The block takes no longer, but for what a busy machine adds."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds + 2
