# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One command that sees whether there is anything to do on a host, before a module is sent that costs many times that.

Once everything is installed, this controller knows each byte of each public file, and a record on the host says which
files with private keys were found to go with which certificates (``_install.records``). So one POSIX command can look:
digests, types, modes and owners, the folders on the way to a file, whether a run left something, and what the host's
own endpoints serve. It changes nothing, reads no key back, and has no secret in it.

    what it says "same" of, the module calls unchanged

Only a whole answer that is exactly as expected says so. Anything else (a difference, a missing tool, a word that was
not expected, an option that it has no words for) says nothing, and the module is sent, which alone decides and changes.
``Look`` is the command and the reading of its answer; ``files_of`` and ``endpoint_of`` put into its words what a task
wants. ``_action`` sends it.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils import _names, _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import FILE_ROLES
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.key_types import ASKING
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.transaction import HIDDEN
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.destinations import (
    COMBINED,
    chain_parts,
    content_of,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.records import FOLDER, name_of

#: A path that no tool writes in another way, that needs no quotes, and that leads where it says.
_PLAIN = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._@%+=:,-]+)+\Z")
#: A user or a group, by number or by a name without surprises: not one of digits, which is taken for a number.
_WHO = re.compile(r"(?:[0-9]{1,10}|[A-Za-z_](?:[A-Za-z0-9._-]*[A-Za-z0-9_$])?)\Z")
#: What tools write where they know no name.
_NOBODY = ("UNKNOWN",)
_OCTAL = re.compile(r"0?[0-7]{3,4}\Z")
#: The name of a host as resolvers take it.
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9_])?\Z")

#: In one argument, which a shell may quote once more on the way to root.
LONGEST = 30_000

#: Seconds in which a host has read its files.
_PATIENCE = 60

#: How many endpoints are looked at side by side.
_AT_A_TIME = 16

#: STARTTLS as ``openssl s_client`` spells it.
_STARTTLS = ("smtp", "imap", "pop3", "ftp", "ldap", "mysql", "postgres", "sieve")

#: Options that say what only the host can tell whether it is so.
_WITHOUT_WORDS = ("privatekey_passphrase", "attributes", "seuser", "serole", "setype", "selevel")

#: Those of an endpoint that the look can tell of.
_OF_ENDPOINT = ("host", "port", "server_name", "starttls")
_NOT_OF_THE_LOOK = ("connect_from", "timeout")

#: Options of an endpoint that name files, as ``openssl s_client`` calls them. Where there is none to trust, it stops.
_FILES = {"ca_path": "-CAfile", "client_certificate": "-cert", "client_key": "-key"}

#: A combined file holds a private key; so it is the owner's alone, unless a task says otherwise.
_MODE_OF_SECRETS = 0o600

_BOTH_WRITE = stat.S_IWGRP | stat.S_IWOTH


class UnfitError(Exception):
    """There is something that the look has no words for."""


class File(t.NamedTuple):
    """A file as it is to be: a public one by what it holds, one with a private key by the certificates it goes with.

    One with neither need not be there, and is not to be there if it is ``gone``. ``source`` is the private key file
    that the private key in this one is from. ``owner``, ``group`` and ``mode`` are as a task gives them, None for any.
    """

    path: str
    data: bytes | None
    goes_with: str | None = None
    owner: str | None = None
    group: str | None = None
    mode: str | int | None = None
    source: str | None = None
    gone: bool = False


class Endpoint(t.NamedTuple):
    """An endpoint that is to serve a certificate, in PEM.

    ``address`` is host and port, ``name`` the name that is asked for (SNI), None for none; both as openssl takes them.
    ``files`` are those that a look takes, such as a client certificate, with the options that name them.
    """

    address: str
    name: str | None
    starttls: str | None
    certificate: str
    files: tuple[tuple[str, str], ...] = ()

    @property
    def words(self) -> str:
        """The arguments of ``openssl s_client``."""
        words = [f'-connect "{self.address}"']
        words.append("-noservername" if self.name is None else f"-servername {self.name}")
        if self.starttls:
            words.append(f"-starttls {self.starttls}")
        # The one certificate of a server that has several, one for each kind of key.
        if self.key_type is not None:
            words.append(f"-sigalgs ${self.key_type}")
        words += [f"{option} {path}" for option, path in self.files]
        # A question for a passphrase would go to a terminal.
        return " ".join([*words, "-pass pass:"] if self.files else words)

    @property
    def key_type(self) -> str | None:
        """The kind of key that can be asked for."""
        kind = _pem.key_type(_pem.dearmour(self.certificate) or b"")
        return kind if kind in ASKING else None


class Look:
    """The command for some files, folders and endpoints, and what it has to say.

    ``timeout`` is in seconds and for each endpoint. Raises ``UnfitError`` where no command can say it.
    """

    def __init__(
        self,
        everything: t.Sequence[File],
        endpoints: t.Sequence[Endpoint] = (),
        folders: t.Sequence[str] = (),
        timeout: int = 10,
        records: str = FOLDER,
    ) -> None:
        if any(not _PLAIN.match(path) for path in [*(file.path for file in everything), *folders]):
            raise UnfitError
        self._public = [file for file in everything if file.data is not None]
        self._secret = [file for file in everything if file.data is None and file.goes_with is not None]
        rest = [file for file in everything if file.data is None and file.goes_with is None]
        self._others = [file.path for file in rest if not file.gone]
        self._gone = [file.path for file in rest if file.gone]
        self._folders = sorted({os.path.dirname(file.path) for file in everything})
        self._record_folder = records
        self._records = [name_of(file.path, str(file.goes_with)) for file in self._secret]
        ways = [*_above(f"{records}/x"), records] if self._records else []
        ways += [above for file in everything for above in _above(file.path)]
        ways += [way for folder in folders for way in (folder, *_above(folder))]
        self._on_the_way = sorted(set(ways))
        self._endpoints = list(endpoints)
        self._timeout = timeout
        # So that nothing that was printed before, or is printed twice, is taken for the answer.
        self._begin, self._served, self._end = (f"collectssl-{secrets.token_hex(8)}" for _place in range(3))

    @property
    def command(self) -> str:
        """For ``/bin/sh``. Each path stands in it once, and none needs quotes, which every shell on the way doubles."""
        steps = ["LC_ALL=C", "export LC_ALL", f"echo {self._begin}", "id -u"]
        if self._records:
            steps.append(f"cd {self._record_folder} || exit")
        nothing = [*(f"{folder.rstrip('/')}/{HIDDEN}" for folder in self._folders), *self._gone]
        steps += _for_each(nothing, "if test -e $f || test -h $f; then echo $f; fi")
        steps += _for_each(self._others, "if test -h $f || { test -e $f && ! test -f $f; }; then echo $f; fi")
        public, secret, found = ([*paths] for paths in (_paths(self._public), _paths(self._secret), self._records))
        for name, paths in (("p", public), ("s", secret), ("r", found)):
            steps.append(f'{name}="{" ".join(paths)}"')
        steps.append(f"stat -c %f:%u:%g:%U:%G -- {' '.join(self._on_the_way)} $p $s $r")
        # Whoever owns a folder may have put a pipe there since, hence the bounds on time as well.
        steps.append("for f in $p $s $r; do test -f $f || exit; done")
        if public:
            steps.append(f"timeout {_PATIENCE} sha256sum -- $p")
        if secret:
            steps.append(f"cat -- $r | timeout {_PATIENCE} sha256sum -c -")
        return "; ".join([*steps, *self._looks(), f"echo {self._end}"])

    def _looks(self) -> t.Iterator[str]:
        """The steps that look at endpoints; each prints one line, with its number and the digest of what it saw."""
        if not self._endpoints:
            return
        for kind in sorted({endpoint.key_type for endpoint in self._endpoints if endpoint.key_type}):
            yield f"{kind}={ASKING[kind].signatures}"
        # The first certificate is the server's. Without the trust of this host, to load it takes most of the time.
        yield (
            f'look() {{ n=$1; shift; d=; o=$(timeout {self._timeout} openssl s_client -no-CAfile -no-CApath "$@" '
            # It shows what a server sent that then ended the handshake, too; with TLS 1.3, that may come behind it.
            '2>/dev/null </dev/null); case "$? $o" in "0 "*|*New,?TLSv1.3,*) d=$(printf %s\\\\n "$o" | '
            "sed -n -e /^-----BEGIN.CERTIFICATE-----/,/^-----END.CERTIFICATE-----/p "
            f'-e /^-----END.CERTIFICATE-----/q | sha256sum);; esac; echo {self._served} $n $d; test "$d"; }}'
        )
        for begin in range(0, len(self._endpoints), _AT_A_TIME):
            some = enumerate(self._endpoints[begin : begin + _AT_A_TIME], begin)
            begun = " ".join(f'look {number} {endpoint.words} & w="$w $!";' for number, endpoint in some)
            # Where one shows nothing, it is not the same, whatever the others show: none keeps anybody waiting twice.
            yield f"w=; {begun} for i in $w; do wait $i || exit 0; done"

    def says_same(self, output: str) -> bool:
        """Whether an answer says that everything is as it is to be."""
        lines = output.replace("\r\n", "\n").split("\n")
        if lines.count(self._begin) != 1 or lines.count(self._end) != 1:
            return False
        answer = lines[lines.index(self._begin) + 1 : lines.index(self._end)]
        # Side by side as they are, they come in any order.
        seen = len(answer) - len(self._endpoints)
        return sorted(answer[seen:]) == sorted(self._to_serve()) and self._says_files_are_same(answer[:seen])

    def _to_serve(self) -> t.Iterator[str]:
        for number, endpoint in enumerate(self._endpoints):
            der = _pem.dearmour(endpoint.certificate) or b""
            yield f"{self._served} {number} {_digest(_pem.armour(der).encode('ascii'))} -"

    def _says_files_are_same(self, answer: list[str]) -> bool:
        statted = len(self._on_the_way) + len(self._public) + 2 * len(self._secret)
        expected = [f"{_digest(file.data or b'')}  {file.path}" for file in self._public]
        for file in self._secret:
            expected += [f"{path}: OK" for path in (file.path, file.source) if path is not None]
        if len(answer) != 1 + statted + len(expected) or not answer[0].isdigit():
            return False
        # The records of another user are elsewhere.
        if self._records and int(answer[0]) != 0:
            return False
        return answer[1 + statted :] == expected and self._are_as_wanted(answer[1 : 1 + statted])

    def _are_as_wanted(self, lines: list[str]) -> bool:
        try:
            seen = iter([_Seen.read(line) for line in lines])
        except ValueError:
            return False
        by_path = {path: next(seen) for path in self._on_the_way}
        files = [(next(seen), file) for file in [*self._public, *self._secret]]
        return (
            all(stat.S_ISDIR(folder.mode) for folder in by_path.values())
            and all(one.is_as(file) for one, file in files)
            and all(stat.S_ISREG(one.mode) and one.is_of_root_alone() for one in seen)
            and (not self._records or self._records_can_be_believed(by_path))
        )

    def _records_can_be_believed(self, by_path: dict[str, _Seen]) -> bool:
        folder = self._record_folder
        return by_path[folder].is_of_root_alone() and all(by_path[above].leads() for above in _above(folder))


class _Seen(t.NamedTuple):
    """What ``stat`` says of a file."""

    mode: int
    uid: str
    gid: str
    user: str
    group: str

    @classmethod
    def read(cls, line: str) -> _Seen:
        """From one line; raises ``ValueError`` for any other."""
        mode, uid, gid, user, group = line.split(":")
        return cls(int(mode, 16), uid, gid, user, group)

    def is_as(self, file: File) -> bool:
        """Whether this is how a file is to be."""
        return (
            stat.S_ISREG(self.mode)
            and _is(file.owner, self.uid, self.user)
            and _is(file.group, self.gid, self.group)
            and (file.mode is None or stat.S_IMODE(self.mode) == _octal(file.mode))
        )

    def is_of_root_alone(self) -> bool:
        """Whether nobody but root could have made, or changed, it."""
        return self.uid == "0" and not self.mode & _BOTH_WRITE

    def leads(self) -> bool:
        """Whether what root has in this folder stays where it is."""
        return self.uid == "0" and (not self.mode & _BOTH_WRITE or bool(self.mode & stat.S_ISVTX))


def _is(wanted: str | None, number: str, name: str) -> bool:
    """Whether a user or group is the wanted one; digits are a number, whatever somebody is called."""
    return wanted is None or (str(int(wanted)) == number if wanted.isdigit() else wanted == name)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _paths(files: t.Iterable[File]) -> list[str]:
    return [file.path for file in files]


def _for_each(paths: t.Sequence[str], step: str) -> list[str]:
    return [f"for f in {' '.join(paths)}; do {step}; done"] if paths else []


def _above(path: str) -> t.Iterator[str]:
    while path != "/":
        path = os.path.dirname(path)
        yield path


def _octal(mode: str | int) -> int:
    return mode if isinstance(mode, int) else int(mode, 8)


def files_of(sent: t.Mapping[str, t.Any], include_root: bool) -> list[File]:
    """What an installation leaves behind, as the module would be asked for it.

    :arg sent: the options that the module would be sent, as the task spells them, and ``content``.
    :arg include_root: what that option comes to.
    :raises UnfitError: where the look has no words for one of them.
    """
    if any(sent.get(option) is not None for option in _WITHOUT_WORDS):
        raise UnfitError
    params = {**sent, "include_root": include_root}
    try:
        parts = chain_parts(params)
    except InstallError as exc:
        # The module says it better.
        raise UnfitError from exc
    owner, group, bits = who(sent.get("owner")), who(sent.get("group")), mode(sent.get("mode"))
    key, pending = (sent.get(f"{which}privatekey_path") for which in ("", "pending_"))
    files = []
    for option, role in FILE_ROLES:
        if not sent.get(option):
            continue
        path, data = str(sent[option]), content_of(role, parts, include_root, "")
        if role != COMBINED:
            files.append(File(path, data, None, owner, group, bits))
        elif key:
            bits_of_secrets = _MODE_OF_SECRETS if bits is None else bits
            files.append(File(path, None, data.decode("latin-1"), owner, group, bits_of_secrets, str(key)))
        else:
            raise UnfitError
    if key:
        files.append(File(str(key), None, parts.leaf))
    if pending:
        files.append(File(str(pending), None))
    if len({file.path for file in files}) != len(files):
        raise UnfitError
    return files


def files_gone(sent: t.Mapping[str, t.Any]) -> list[File]:
    """What is left where an installation is to be gone: none of its files but private keys, which may be there."""
    gone = [File(str(sent[option]), None, gone=True) for option, _role in FILE_ROLES if sent.get(option)]
    keys = [sent[option] for option in ("privatekey_path", "pending_privatekey_path") if sent.get(option)]
    return [*gone, *(File(str(key), None) for key in keys)]


def endpoint_of(options: t.Mapping[str, t.Any], certificate: str) -> Endpoint:
    """An endpoint that the host itself looks at, and the certificate in PEM that it is to serve.

    :arg options: those that say where it is and how it is looked at, as ``tls_endpoint_info`` takes them.
    :raises UnfitError: where the look has no words for one of them, or for any other.
    """
    known = (*_OF_ENDPOINT, *_NOT_OF_THE_LOOK, *_FILES)
    # What is not asked for needs no words; no proxy is spoken to before TLS.
    if any(value not in (None, False) for option, value in options.items() if option not in known):
        raise UnfitError
    files = tuple((word, str(options[option])) for option, word in _FILES.items() if options.get(option) is not None)
    if not all(_PLAIN.match(path) for _word, path in files):
        raise UnfitError
    if options.get("connect_from", "target") != "target":
        raise UnfitError
    host, name = str(options["host"]), options.get("server_name")
    identity = _names.identity(host if name is None else str(name))
    starttls = options.get("starttls")
    if starttls is not None and starttls not in _STARTTLS:
        raise UnfitError
    sni = None if _names.address(identity) is not None else identity
    if sni is not None and not _HOST.match(sni):
        raise UnfitError
    return Endpoint(f"{_host(host)}:{int(options['port'])}", sni, starttls, certificate, files)


def _host(host: str) -> str:
    address = _names.address(host)
    if address is not None and "%" not in host:
        return f"[{address}]" if address.version == 6 else str(address)
    found = _names.ascii_name(host)
    # What looks like a number is an address to resolvers, in more forms than there is a word for.
    if not _HOST.match(found) or found.rpartition(".")[2].isdigit() or "0x" in found.lower():
        raise UnfitError
    return found


def unchanged_files(sent: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """The ``files`` of the results where nothing is to be done, as the module has them."""
    return [
        {"path": sent[option], "role": role, "changed": False, "backup_file": None}
        for option, role in FILE_ROLES
        if sent.get(option)
    ]


def who(name: t.Any) -> str | None:
    """An owner or a group as a task gives it; raises ``UnfitError`` for one that tools may write in another way."""
    if name is None:
        return None
    if not _WHO.match(str(name)) or str(name) in _NOBODY:
        raise UnfitError
    return str(name)


def mode(value: t.Any) -> str | int | None:
    """A mode as a task gives it; raises ``UnfitError`` for a symbolic one, which depends on the mode before."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if not _OCTAL.match(str(value)):
        raise UnfitError
    return str(value)
