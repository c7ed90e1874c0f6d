# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quick look for the certificates of a task: what one command has to see, and what the module would say then.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.engine import ABSENT, IN_SERVICE, INSTALLED
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.certificates import (
    WITH_LEAF,
    Certificate,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._quick_look import (
    Endpoint,
    File,
    UnfitError,
    endpoint_of,
    files_gone,
    files_of,
    unchanged_files,
)


class ToSee(t.NamedTuple):
    """Files, endpoints and folders as they have to be, for one command to see."""

    files: list[File]
    endpoints: list[Endpoint]
    folders: list[str]


def to_see(wanted: t.Sequence[tuple[Certificate, str | None]], check_mode: bool) -> ToSee:
    """What there is to be seen where there is nothing to do.

    :arg wanted: certificates, each with the PEM text that is to be installed, None where what is there is to stay.
    :arg check_mode: in which more is told: of a private key that waits for a certificate, and whether what is served
        would be trusted.
    :raises UnfitError: where that cannot be said; the module looks then.
    """
    seen = ToSee([], [], [])
    for one, content in wanted:
        sent = one.sent(content)
        if one.absent:
            seen.files.extend(files_gone(sent))
            continue
        # What is installed, or waits, there is not known here.
        if content is None or (check_mode and (sent.get("pending_privatekey_path") or one.endpoints)):
            raise UnfitError
        seen.files.extend(files_of(sent, bool(one.options["include_root"])))
        seen.endpoints.extend(
            endpoint_of(address.told, _leaf(content)) for address in one.endpoints if address.endpoint is None
        )
        if sent.get("directory"):
            seen.folders.append(str(sent["directory"]))
    return seen


def unchanged(wanted: t.Sequence[tuple[Certificate, str | None]], diff: bool) -> dict[str, t.Any]:
    """What the module returns where all of that is so; whether a look trusts what is served, it does not find out."""
    result: dict[str, t.Any] = {
        "changed": False,
        "certificates": [_told(one, content) for one, content in wanted],
        "services": [],
        "endpoints": [
            {
                "certificate": one.name,
                **address.shown,
                "fingerprint_sha256": _fingerprint(_leaf(content or "")),
                "served": None,
                "verified": None,
                "verify_error": None,
                "serves": True,
                "reason": "",
            }
            for one, content in wanted
            for address in one.endpoints
            if address.endpoint is None and not one.absent
        ],
        "rolled_back": [],
    }
    return {**result, "diff": []} if diff else result


def _told(one: Certificate, content: str | None) -> dict[str, t.Any]:
    has_leaf = content is not None and any(one.given.get(option) for option in WITH_LEAF)
    installed = _leaf(content or "") if has_leaf else None
    return {
        "name": one.name,
        "state": ABSENT if one.absent else IN_SERVICE if one.endpoints else INSTALLED,
        "msg": "",
        "changed": False,
        "installed": installed,
        "before": installed,
        "files": unchanged_files(one.sent(content)),
        "pending_tlsa": None,
        "held": False,
    }


def _leaf(content: str) -> str:
    return _pem.blocks(content)[0]


def _fingerprint(pem: str) -> str | None:
    der = _pem.dearmour(pem)
    return None if der is None else _pem.fingerprint(der)
