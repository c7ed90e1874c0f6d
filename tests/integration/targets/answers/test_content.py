# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users hand in as content, and certificates with oddities: a row each, with what is installed or said of it."""

from __future__ import annotations

import base64
import functools
import typing as t

from ansible_collections.certfleet.collectssl.tests.support import authority, certificates, files
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Lab
from ansible_collections.certfleet.collectssl.tests.support.openssl import openssl
from cryptography import x509

_NAME_CONSTRAINTS, _SCT_LIST = "2.5.29.30", "1.3.6.1.4.1.11129.2.4.2"
_ALTERNATIVE_NAMES, _BASIC_CONSTRAINTS = "2.5.29.17", "2.5.29.19"


class _Chain(t.NamedTuple):
    top: authority.Authority
    middle: authority.Authority
    leaf: bytes

    @property
    def pem(self) -> str:
        return authority.pem_of(self.leaf, self.middle.der)


def _chain(at: str = "", *odd: x509.ExtensionType, kind: str = "ecdsa") -> _Chain:
    """A chain that is valid now, with odd extensions in one of its certificates."""
    extensions = {at: odd}
    top = authority.root("Root of the test", kind, _VALID, extensions=extensions.get("root", ()))
    middle = top.subordinate("CA of the test", kind, _VALID, extensions=extensions.get("middle", ()))
    return _Chain(top, middle, middle.leaf(validity=_VALID, extensions=extensions.get("leaf", ())))


_VALID = authority.from_now(-1, 90)


@functools.cache
def _good() -> _Chain:
    return _chain()


def _pkcs7(layout: str) -> bytes:
    return openssl(
        *("crl2pkcs7", "-nocrl", "-certfile", "/dev/stdin", "-outform", layout), stdin=_good().pem.encode("ascii")
    )


def _base64(data: bytes) -> str:
    return base64.encodebytes(data).decode("ascii")


def _printed() -> str:
    chain = _good()
    blocks = (authority.pem_of(chain.leaf), authority.pem_of(chain.middle.der))
    shown = "".join(f" {number} s:CN = x\n   i:CN = y\n{block}" for number, block in enumerate(blocks))
    return f"CONNECTED(00000003)\n---\nCertificate chain\n{shown}---\nServer certificate\n{blocks[0]}subject=x\n---\n"


def _taken() -> dict[str, str]:
    pem = _good().pem
    return {
        "s_client": _printed(),
        "mail": f"-----Original Message-----\n\n{pem}-- \nJohn Doe\n----------\n",
        "yaml": f"---\n{pem}---",
        "crlf": pem.replace("\n", "\r\n"),
        "mark": "\ufeff" + pem,
        "indented": "".join(f"    {line}\n" for line in pem.splitlines()),
        "folded": " ".join(pem.splitlines()),
        "key": certificates.make_key() + pem,
        "p7b": _pkcs7("PEM").decode("ascii"),
        "p7b as certificate": _pkcs7("PEM").decode("ascii").replace("PKCS7", "CERTIFICATE"),
        "p7b in base64": _base64(_pkcs7("DER")),
        "pem in base64": _base64(pem.encode("ascii")),
    }


#: Files that slurp reads, as octets.
def _files() -> dict[str, bytes]:
    return {
        "pem": _printed().encode("ascii"),
        "windows": b"\xef\xbb\xbf" + _good().pem.replace("\n", "\r\n").encode("ascii"),
        "p7b": _pkcs7("DER"),
        "p7b-pem": _pkcs7("PEM"),
        "p7b-base64": _base64(_pkcs7("DER")).replace("\n", "\r\n").encode("ascii"),
    }


def test_content_in_every_form(lab: Lab) -> None:
    """Each installs the same files, without a call; what slurp returns is given as it is."""
    folder = lab.host_folder("web01")
    for name, data in _files().items():
        files.write(folder / f"{name}.given", data)
    tasks: list[dict[str, t.Any]] = [
        {"name": name, MODULE: {"content": content, "fullchain_path": f"{{{{ dir }}}}/{name}.pem"}}
        for name, content in _taken().items()
    ]
    for name in _files():
        tasks += [
            {"ansible.builtin.slurp": {"src": f"{{{{ dir }}}}/{name}.given"}, "register": "read"},
            {
                "name": f"slurp {name}",
                MODULE: {"content": "{{ read.content }}", "fullchain_path": f"{{{{ dir }}}}/slurp {name}.pem"},
            },
        ]
    tasks += [
        {"ansible.builtin.slurp": {"src": "{{ dir }}/der.given"}, "register": "read"},
        {"name": "slurp der", MODULE: {"content": "{{ read.content }}", "path": "{{ dir }}/slurp der.pem"}},
    ]
    files.write(folder / "der.given", _good().leaf)
    run = lab.play({"web01": {}}, tasks).must_succeed()

    for name in [*_taken(), *(f"slurp {name}" for name in _files())]:
        assert (folder / f"{name}.pem").read_text() == _good().pem, name
        assert run.one(name).changed
    assert (folder / "slurp der.pem").read_text() == authority.pem_of(_good().leaf)
    assert "PRIVATE KEY" not in run.output
    assert lab.simulator.calls() == []


_RSA_SHA256, _MD5, _UNKNOWN = "06092a864886f70d01010b", "06092a864886f70d010104", "06092a864886f70d01017f"


def _with_algorithm(der: bytes, identifier: str) -> str:
    changed = der.replace(bytes.fromhex(_RSA_SHA256), bytes.fromhex(identifier))
    return f"-----BEGIN CERTIFICATE-----\n{_base64(changed)}-----END CERTIFICATE-----\n"


def _many_names() -> str:
    names = [x509.DNSName(f"host{number:03}.example.com") for number in range(250)]
    return authority.pem_of(_good().middle.leaf(validity=_VALID, names=names), _good().middle.der)


def _odd_names() -> str:
    """One name that can be read, and an address of five octets."""
    value = b"\x30\x18\x82\x0fwww.example.com\x87\x05\x01\x02\x03\x04\x05"
    return _chain("leaf", authority.unreadable(_ALTERNATIVE_NAMES, value)).pem


def test_oddities_that_nothing_needs(lab: Lab) -> None:
    """They condemn no chain, wherever they are."""
    # Name constraints limit what stands below: at the end of a chain nothing needs them.
    odd, limits = authority.unreadable(_SCT_LIST), authority.unreadable(_NAME_CONSTRAINTS)
    chains = {f"odd {at}": _chain(at, odd) for at in ("root", "middle")}
    chains["odd leaf"] = _chain("leaf", odd, limits)
    rows = {name: chain.pem + authority.pem_of(chain.top.der) for name, chain in chains.items()}
    rows["odd name"] = _odd_names()
    tasks = [
        {
            "name": name,
            MODULE: {"content": content, "path": f"{{{{ dir }}}}/{name}.pem", "expected_names": ["www.example.com"]},
        }
        for name, content in rows.items()
    ]
    run = lab.play({"web01": {}}, tasks).must_succeed()
    for name in rows:
        assert run.one(name).data["certificate"]["subject_alt_names"] == ["DNS:www.example.com"], name
        assert (lab.host_folder("web01") / f"{name}.pem").read_text().startswith("-----BEGIN CERTIFICATE-----\n")


def _refused() -> dict[str, tuple[str, tuple[str, ...]]]:
    """What is given, and words of what is said."""
    good, rsa = _good(), _chain(kind="rsa")
    leaf = good.middle.leaf(validity=_VALID)
    serials = [str(x509.load_der_x509_certificate(der).serial_number) for der in (good.leaf, leaf)]
    placeholder = authority.self_signed("localhost", authority.new_key(), _VALID)
    key = certificates.make_key()
    trusted = openssl("x509", "-trustout", "-addtrust", "serverAuth", stdin=authority.pem_of(good.leaf).encode("ascii"))
    forged = authority.pem_of(authority.broken(good.leaf), good.middle.der)
    unreadable_names = _chain("leaf", authority.unreadable(_ALTERNATIVE_NAMES)).pem
    unreadable_limits = _chain("middle", authority.unreadable(_BASIC_CONSTRAINTS)).pem
    checked = "cannot be checked with the key of its issuer"
    rest = authority.pem_of(rsa.middle.der, rsa.top.der)
    return {
        r"\n": (good.pem.replace("\n", r"\n"), (r"the two characters \n where its lines should end",)),
        "trusted": (trusted.decode("ascii"), ("TRUSTED CERTIFICATE", "openssl x509 -in FILE")),
        "placeholder": (
            authority.pem_of(authority.der_of(placeholder)),
            ("CN=localhost", "self-signed: a placeholder"),
        ),
        "private key": (key, ("only a private key", "privatekey_path")),
        "private key in base64": (_base64(key.encode("ascii")), ("only a private key",)),
        "page": ("<!DOCTYPE html>\n<html></html>", ("a page of HTML",)),
        "path": ("/etc/ssl/certs/www.pem", ("the path of a file",)),
        "empty": ("", ("it is empty",)),
        "something": (_base64(b"\x89PNG\r\n\x1a\n" * 9), ("base64 of something",)),
        "cut off": (good.pem[:-60], ("broken PEM block", "has no end of its own")),
        "cut boundary": (good.pem + "-----BEG", ("broken PEM block", "was cut off")),
        "two leaves": (good.pem + authority.pem_of(leaf), ("2 end-entity certificates came", *serials)),
        "many names": (
            _many_names(),
            ("does not cover www.example.com", "DNS:host000.example.com, ", " more. No file"),
        ),
        "forged": (forged, ("CN=www.example.com does not verify", "damaged or forged")),
        "md5": (_with_algorithm(rsa.leaf, _MD5) + rest, (f"CN=www.example.com {checked}", "md5WithRSAEncryption")),
        "unknown": (_with_algorithm(rsa.leaf, _UNKNOWN) + rest, (f"CN=www.example.com {checked}", "1.1.127")),
        "odd names": (
            unreadable_names,
            ("subjectAltName (2.5.29.17) of the certificate CN=www.example.com cannot be",),
        ),
        "odd limits": (
            unreadable_limits,
            ("basicConstraints (2.5.29.19) of the certificate CN=CA of the test cannot",),
        ),
        **_refused_for_constraints(),
    }


def _refused_for_constraints() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Whoever cannot read what an authority may issue cannot know whether it might issue this."""
    rows: dict[str, tuple[str, tuple[str, ...]]] = {}
    for at, name in (("middle", "CN=CA of the test"), ("root", "CN=Root of the test")):
        chain = _chain(at, authority.unreadable(_NAME_CONSTRAINTS))
        words = (f"The extension {_NAME_CONSTRAINTS} of the certificate {name} cannot be read",)
        rows[f"odd constraints of the {at}"] = (chain.pem + authority.pem_of(chain.top.der), words)
    return rows


def test_what_is_refused_is_named(lab: Lab) -> None:
    """Each in a sentence of its own, and the file stays as it was."""
    rows = _refused()
    kept = files.write(lab.host_folder("web01") / "cert.pem", "of before\n")
    tasks = [
        {
            "name": name,
            MODULE: {"content": content, "path": "{{ dir }}/cert.pem", "expected_names": ["www.example.com"]},
            "ignore_errors": True,
        }
        for name, (content, _words) in rows.items()
    ]
    run = lab.play({"web01": {}}, tasks).must_succeed()

    assert kept.read_text() == "of before\n"
    for name, (_content, words) in rows.items():
        result = run.one(name)
        assert result.status == "failed", name
        for word in words:
            assert word in result.message, f"{name}: {result.message}"
        assert result.message.endswith("No file on the target was touched.")
        assert len(result.message) < 600
        assert name == "forged" or "forged" not in result.message
    assert "MII" not in "".join(run.one(name).message for name in rows)
