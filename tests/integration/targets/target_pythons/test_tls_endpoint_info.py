# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module tls_endpoint_info on every Python that the running ansible-core takes on a target."""

from __future__ import annotations

import json
import pathlib
import typing as t

from ansible_collections.certfleet.collectssl.tests.support import tls_servers
from ansible_collections.certfleet.collectssl.tests.support.identity import AuthorityFolder
from ansible_collections.certfleet.collectssl.tests.support.lab import Lab
from ansible_collections.certfleet.collectssl.tests.support.pythons import MINORS, interpreters, why_not

MODULE = "certfleet.collectssl.tls_endpoint_info"


def _look(name: str, **options: t.Any) -> dict[str, t.Any]:
    return {"name": name, MODULE: options, "ignore_errors": True}


def test_the_pythons_of_targets(lab: Lab, tmp_path: pathlib.Path) -> None:
    """Trusted, expired, behind STARTTLS and not there at all: the same on each."""
    authority = AuthorityFolder(tmp_path)
    good, expired = authority.issue("good", "localhost"), authority.issue("old", "localhost", days=(-9, -1))
    pythons = {f"3.{minor}": interpreters()[minor] for minor in MINORS if why_not(minor) is None}
    ca = {"host": "localhost", "ca_path": str(authority.path)}
    with (
        tls_servers.s_server(good) as port,
        tls_servers.s_server(expired) as old_port,
        tls_servers.Server(tls_servers.imap(good)) as mail,
    ):
        run = lab.play(
            {version: {"ansible_python_interpreter": path} for version, path in pythons.items()},
            [
                _look("good", port=port, **ca),
                _look("expired", port=old_port, **ca),
                _look("mail", port=mail.port, starttls="imap", **ca),
                _look("refused", port=1, **ca),
            ],
            forks=2,
        ).must_succeed()
    for version in pythons:
        for task, identity in (("good", good), ("mail", good), ("expired", expired)):
            result = run.one(task, version).data
            assert result["fingerprint_sha256"] == identity.fingerprint(), json.dumps(result)
            assert result["verified"] is (task != "expired")
        assert "localhost port 1 could not be connected to: " in run.one("refused", version).message
