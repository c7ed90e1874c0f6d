# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where messages come from: tasks, calls and a host on which something is wrong."""

from __future__ import annotations

import itertools
import pathlib
import typing as t
import urllib.parse

import pytest
from ansible import constants as C
from ansible_collections.certfleet.collectssl.plugins.action.collectssl_certificate import ActionModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError, InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker import broker as broker_module
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.broker import Broker
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.store import LocalStore
from ansible_collections.certfleet.collectssl.tests.support import authority, broker, https_server, installation
from ansible_collections.certfleet.collectssl.tests.support.authority import from_now, pem_of
from ansible_collections.certfleet.collectssl.tests.support.identity import Identity
from ansible_collections.certfleet.collectssl.tests.unit.plugins.action.action_support import ACCOUNT, run
from ansible_collections.certfleet.collectssl.tests.unit.plugins.plugin_utils._http.client_support import (
    asker,
    asker_of,
)
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

_TASK = {**ACCOUNT, "path": "/etc/tls/cert.pem"}


class Scene:
    """Where messages come from."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path, identity: Identity) -> None:
        self.monkeypatch = monkeypatch
        self.folder = folder
        self.identity = identity
        # A run asks once about each order, so each task has one of its own.
        self._numbers = itertools.count(1)

    def task(self, reply: broker.Reply = broker.ISSUED, **options: t.Any) -> str:
        """What a task says that fails on the controller."""
        number = str(next(self._numbers))
        broker.Answers(self.monkeypatch, {number: reply})
        args = {**_TASK, "order_number": number, **options}
        result = run(ActionModule, {name: value for name, value in args.items() if value is not None})
        assert result["failed"]
        return str(result["msg"])

    def chain(self, begin: float = -1, end: float = 90, damaged: bool = False, **options: t.Any) -> str:
        """What a task says that is to install a chain, valid from and until so many days from now."""
        validity = from_now(begin, end)
        root = authority.root(validity=from_now(-90, 90))
        issuing = root.subordinate("Issuing CA", validity=from_now(-90, 90))
        leaf = issuing.leaf(validity=validity)
        content = pem_of(authority.broken(leaf) if damaged else leaf, issuing.der, root.der)
        return self.task(content=content, order_number=None, **options)

    def rule(self, broken: str) -> str:
        """What a task says of a chain that breaks a rule."""
        limit: dict[str, list[x509.ExtensionType]] = {
            "path length": [x509.BasicConstraints(ca=True, path_length=0)],
            "name constraints": [x509.NameConstraints(None, [x509.DNSName("example.com")])],
            "purpose": [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])],
        }
        validity = from_now(-90, 90)
        root = authority.root(validity=validity, extensions=limit.get(broken, []))
        names = () if broken == "names" else (x509.DNSName("www.example.com"),)
        middle = root.subordinate("Issuing CA", validity=validity)
        lower = middle.subordinate("Lower CA", validity=validity)
        leaf = lower.leaf(validity=from_now(-1, 90), names=names)
        if broken == "critical extension":
            leaf = authority.with_unknown_critical_extension(lower)
        content = pem_of(leaf, lower.der, middle.der, root.der)
        return self.task(content=content, order_number=None, expected_names=["www.example.com"])

    def gap(self) -> str:
        """An answer without the certificate of the issuing CA."""
        authorities, leaf = broker.chain()
        return self.task(urllib.parse.urlencode({"errorCode": 2, "caCertificate": authorities[0], "certificate": leaf}))

    def call(self, *answers: https_server.Reply | bytes, trusted: bool = True, **options: t.Any) -> str:
        """What a call says that fails."""
        with https_server.Server(self.identity.context(), *answers) as server:
            asked = asker_of(server, self.identity, **options) if trusted else asker(server.url, True, **options)
            with pytest.raises(CollectError) as caught:
                asked.ask()
        return str(caught.value)

    def turn(self) -> str:
        """What a task says whose account's turn another call has that does not end."""
        with self.monkeypatch.context() as patch:
            patch.setattr(Broker, "_account", lambda _broker: "account")
            # What three retries of 30 seconds have beside it; so nobody waits here.
            patch.setattr(broker_module, "_GRACE", -120)
            with LocalStore(C.DEFAULT_LOCAL_TMP, C.ANSIBLE_HOME).turn("account"):
                return self.task()

    def open_folder(self) -> str:
        """What a task says whose folder of locks others may enter."""
        with self.monkeypatch.context() as patch:
            patch.setattr(C, "ANSIBLE_HOME", str(self.folder / "open"))
            (self.folder / "open" / "collectssl").mkdir(parents=True)
            (self.folder / "open" / "collectssl").chmod(0o755)
            return self.task()

    def unchecked(self) -> str:
        """A chain whose signatures are of an algorithm that nobody has heard of."""
        ders = list(authority.chain().served)
        ecdsa_with_sha256, unheard_of = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d04037f")
        ders[-1] = ders[-1].replace(ecdsa_with_sha256, unheard_of)
        return self.task(content=pem_of(*ders), order_number=None)

    def placeholder(self) -> str:
        """A certificate that nobody but itself vouches for."""
        made = authority.self_signed("localhost", authority.new_key())
        return self.task(content=pem_of(authority.der_of(made)), order_number=None)

    def mounted(self) -> str:
        """What the target says of a file that is mounted by itself."""
        with self.monkeypatch.context() as patch:
            patch.setattr(disk, "is_mounted", lambda _path: True)
            return self.target(lambda host: host.path.touch())

    def target(
        self,
        prepare: t.Callable[[installation.SmallHost], object],
        run_by: t.Callable[[t.Callable[[], t.Any]], t.Any] = lambda work: work(),
        **options: str,
    ) -> str:
        """What the target says that fails; ``{key}`` in an option is where the key of the host is."""
        content = installation.bundle("ec-theirs")
        with installation.open_folder() as folder:
            host = installation.SmallHost(folder)
            prepare(host)
            given: installation.Options = {name: value.format(key=host.key) for name, value in options.items()}
            with pytest.raises(InstallError) as caught:
                run_by(lambda: host.install(path=str(host.path), content=content, **given))
        return str(caught.value)


def key_of_another(host: installation.SmallHost) -> None:
    host.write_key("ec-mine")


def closed_folder(host: installation.SmallHost) -> None:
    host.certs.chmod(0o700)


def file_of_root(host: installation.SmallHost) -> None:
    for path in (host.certs, host.folder / "tmp"):
        path.chmod(0o777)
    host.path.write_text("of root\n", encoding="ascii")


def link_in_open_folder(host: installation.SmallHost) -> None:
    """One that anybody could have put there."""
    host.certs.chmod(0o777)
    host.path.symlink_to("elsewhere.pem")
