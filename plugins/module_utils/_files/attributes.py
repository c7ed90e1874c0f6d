# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner, group, mode, SELinux label and ``lsattr`` flags of the installed files, by the rules of ansible-core.

This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import errno
import fcntl
import os
import re
import struct
import sys
from typing import Any, Dict, Iterator, List, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, permissions
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Place

_NUMBER = re.compile(r"-?[0-9]+\Z")
_OCTAL = re.compile(r"-?(?:0o)?[0-7]+\Z")

#: To the system this number is that of no user and no group; it stands for leaving them as they are.
_NOBODYS = (1 << 32) - 1

#: Of these flags each keeps a file from being replaced.
_FROZEN = "ia"

# From linux/fs.h, by the letters of chattr.
_FLAGS = {
    "s": 0x1,
    "u": 0x2,
    "c": 0x4,
    "S": 0x8,
    "i": 0x10,
    "a": 0x20,
    "d": 0x40,
    "A": 0x80,
    "j": 0x4000,
    "t": 0x8000,
    "D": 0x10000,
    "T": 0x20000,
    "e": 0x80000,
    "C": 0x800000,
    "x": 0x2000000,
    "P": 0x20000000,
    "F": 0x40000000,
}
# FS_IOC_GETFLAGS and FS_IOC_SETFLAGS; a few processors tell reading from writing by other bits.
_READS, _WRITES = (0x4, 0x8) if os.uname().machine[:3] in ("alp", "mip", "ppc", "spa") else (0x8, 0x4)
_GET_FLAGS = _READS << 28 | struct.calcsize("l") << 16 | 0x6601
_SET_FLAGS = _WRITES << 28 | struct.calcsize("l") << 16 | 0x6602


def flag_bits(descriptor: int) -> int:
    """The ``lsattr`` flags of an open file; raises ``OSError`` where its file system has none."""
    if not sys.platform.startswith("linux"):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    return int(struct.unpack("i", fcntl.ioctl(descriptor, _GET_FLAGS, struct.pack("i", 0)))[0])


def _give_bits(descriptor: int, bits: int) -> None:
    if bits != flag_bits(descriptor):
        fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("i", bits))


def _bits_of(letters: str) -> int:
    bits = 0
    for letter in letters:
        bits |= _FLAGS[letter]
    return bits


def put_flags(place: Place, letters: str) -> None:
    """Let ``letters`` be those of the flags that keep a file from being replaced which the file at a place has."""
    with disk.doing(f"The flags of {place.path} (see lsattr) could not be set"), disk.opened(place) as descriptor:
        _give_bits(descriptor, flag_bits(descriptor) & ~_bits_of(_FROZEN) | _bits_of(letters))


class FileAttributes:
    """The common file options of one task.

    ``module`` is the ``AnsibleModule``. Its helpers end the process when something is wrong; here they raise
    ``InstallError`` instead, so that a transaction can be undone first.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self._options_tried = False

    def drift(self, place: Place, source: Optional[Place], secret: bool) -> Dict[str, Dict[str, Any]]:
        """What attributes of an existing file are not as wanted: ``{"before": {...}, "after": {...}}``, or ``{}``.

        ``source`` is where the file is that ``place`` holds or will hold before the change, None for none; ``secret``
        says that it holds a private key.
        """
        path = place.path
        self._require_options(path)
        if source is None:
            self._try_options(path)
            return {}
        diff: Dict[str, Dict[str, Any]] = {}
        arguments = self._arguments(path, source.path, secret)
        # A look that changes nothing, by the rules of ansible-core, so it may go by the name.
        with self._raising(path, source.path), self._pretending():
            changed = self._module.set_fs_attributes_if_different(arguments, False, diff, expand=False)
        return diff if changed else {}

    def _require_options(self, path: str) -> None:
        """Raise ``InstallError`` for values that the helpers of ansible-core take, and the system does not."""
        for option, whom in (("owner", "user"), ("group", "group")):
            value = self._option(option)
            if value is not None and _NUMBER.match(value) and not 0 <= int(value) < _NOBODYS:
                raise InstallError(f"{path}: {option}: {value} is the number of no {whom}.")
        mode = self._option("mode")
        if mode is not None and _OCTAL.match(mode.strip()) and not 0 <= int(mode, 8) <= 0o7777:
            raise InstallError(f"{path}: mode: {mode} is no mode; the greatest one is 07777.")
        self._flags_named(path)

    def _flags_named(self, path: str) -> Optional[Tuple[str, str]]:
        wanted = self._module.params.get("attributes")
        if not wanted:
            return None
        sign, letters = (wanted[0], wanted[1:]) if wanted[0] in "+-=" else ("=", wanted)
        unknown = [letter for letter in letters if letter not in _FLAGS]
        if unknown:
            raise InstallError(f"{path}: attributes: there is no flag {unknown[0]}.")
        return sign, letters

    def _try_options(self, path: str) -> None:
        # An owner nobody knows or a mode that is none would only be found when the file is written, and check mode
        # would promise what cannot be done. So they are tried on a stand-in.
        wanted = [self._module.params.get(option) for option in ("owner", "group", "mode")]
        if self._options_tried or not any(value is not None for value in wanted):
            return
        self._options_tried = True
        with disk.scratch(self._module.tmpdir, b"") as probe:
            arguments = self._arguments(probe, probe, False)
            arguments.update({"attributes": None, "secontext": [None, None, None]})
            with self._raising(path, probe), self._pretending():
                self._module.set_fs_attributes_if_different(arguments, False, {}, expand=False)

    def prepare_staged(self, staged: int, place: Place, existing: bool, secret: bool) -> None:
        """Give an open staged file the attributes it is to have at ``place``, but for flags that would keep it off.

        What no option speaks of stays as it is with the existing file, or becomes what a new file gets.
        """
        if existing:
            present = disk.protection(place)
            if secret:
                self.require_meant(present.uid, place)
            disk.protect(staged, self._as_wanted(present))
        else:
            if secret and not place.there.settled:
                # Whoever owns the folder has said in its default list who is to read what is made in it.
                disk.unlist(staged)
            umask = os.umask(0o077)
            os.umask(umask)
            # Whatever the umask allows, nobody is to write into what others come to trust.
            disk.set_mode(staged, 0o600 if secret else 0o644 & ~umask)
        with self._raising(place.path, place.path):
            if not existing:
                self._label(staged, self._default_label(place.path))
            self._settle(staged, place.path, secret)

    def require_meant(self, present: int, place: Place) -> None:
        """Raise ``InstallError`` where a private key would go to ``present``, the owner of the file that is there.

        As it was seen is not enough: he may have put it there since.
        """
        meant = permissions.uid_of(self._option("owner"))
        permissions.require_meant("A private key", place.path, present, meant, place.there.settled)

    def settle(self, descriptor: int, path: str, secret: bool) -> None:
        """Give a file that is in its place, and stays there, the attributes that options speak of, less the flags."""
        with self._raising(path, path):
            self._settle(descriptor, path, secret)

    def _settle(self, descriptor: int, path: str, secret: bool) -> None:
        arguments = self._arguments(path, path, secret)
        self._label(descriptor, arguments["secontext"])
        status = os.fstat(descriptor)
        owner, group = permissions.uid_of(self._option("owner")), permissions.gid_of(self._option("group"))
        wanted = (status.st_uid if owner is None else owner, status.st_gid if group is None else group)
        if wanted != (status.st_uid, status.st_gid):
            os.fchown(descriptor, *wanted)
        if arguments["mode"] is not None:
            disk.set_mode(descriptor, self._octal(descriptor, arguments["mode"], path))

    def protection_to_be(self, place: Place, secret: bool) -> disk.Protection:
        """The protection that ``settle`` would give a file."""
        mode = self._arguments(place.path, place.path, secret)["mode"]
        with disk.opened(place) as descriptor:
            wanted = self._as_wanted(disk.protection_of(descriptor))
            return wanted if mode is None else wanted._replace(mode=self._octal(descriptor, mode, place.path))

    def _octal(self, descriptor: int, mode: Any, path: str) -> int:
        if isinstance(mode, int):
            return mode
        try:
            return int(mode, 8)
        except ValueError:
            pass
        try:
            return int(self._module._symbolic_mode_to_octal(os.fstat(descriptor), mode))
        except ValueError as exc:
            raise InstallError(f"{path}: {mode} is no mode.") from exc

    def _default_label(self, path: str) -> List[Optional[str]]:
        """What a new file is labelled; found from its path alone."""
        if not self._module.selinux_enabled():
            return []
        return list(self._module.selinux_default_context(path))

    def _label(self, descriptor: int, context: Optional[List[Optional[str]]]) -> None:
        if not context or not any(context) or not self._module.selinux_enabled():
            return
        try:
            present = os.getxattr(descriptor, disk.LABEL).rstrip(b"\0").decode("ascii", "replace").split(":", 3)
        except OSError as exc:
            if exc.errno in (errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP):
                return  # a file system whose files have no labels of their own
            raise
        wanted = [new or old for new, old in zip(list(context) + [None] * 4, present)]
        if wanted != present:
            os.setxattr(descriptor, disk.LABEL, ":".join(wanted).encode("ascii") + b"\0")

    def finish(self, descriptor: int, path: str) -> None:
        """Set the wanted ``lsattr`` flags on an open file that is in its place."""
        named = self._flags_named(path)
        if named is None:
            return
        sign, letters = named
        try:
            present, meant = flag_bits(descriptor), _bits_of(letters)
            # What is neither set nor taken by chattr is of the file system.
            fixed = present & ~_bits_of("".join(_FLAGS))
            bits = {"+": present | meant, "-": present & ~meant, "=": fixed | meant}[sign]
            _give_bits(descriptor, bits)
        except OSError as exc:
            raise InstallError(f"{path}: chattr failed: {permissions.cause(exc)}.{permissions.advice(exc)}") from exc

    def flags(self, place: Place) -> str:
        """The ``lsattr`` letters of a file that keep it from being replaced.

        A task that could set flags, and does not, meets none of its own, and is spared the look.
        """
        if not self._module.params.get("attributes", True):
            return ""
        try:
            with disk.opened(place) as descriptor:
                present = flag_bits(descriptor)
        except OSError:
            return ""  # no such flags here, or none that this user could see
        return "".join(letter for letter in _FROZEN if present & _FLAGS[letter])

    def _as_wanted(self, present: disk.Protection) -> disk.Protection:
        """A protection with the owner and group that options name, and without a label that they replace."""
        owner, group = permissions.uid_of(self._option("owner")), permissions.gid_of(self._option("group"))
        relabelled = any(self._option(name) is not None for name in ("seuser", "serole", "setype", "selevel"))
        return present._replace(
            uid=present.uid if owner is None else owner,
            gid=present.gid if group is None else group,
            extended=tuple(pair for pair in present.extended if pair[0] != disk.LABEL or not relabelled),
        )

    def _option(self, name: str) -> Optional[str]:
        value = self._module.params.get(name)
        return None if value is None else str(value)

    def _arguments(self, path: str, subject: str, secret: bool) -> Dict[str, Any]:
        arguments = self._module.load_file_common_arguments(self._module.params, path=path)
        arguments["path"] = subject
        if secret and arguments["mode"] is None:
            arguments["mode"] = 0o600
        return dict(arguments)

    @contextlib.contextmanager
    def _pretending(self) -> Iterator[None]:
        check_mode, self._module.check_mode = self._module.check_mode, True
        try:
            yield
        finally:
            self._module.check_mode = check_mode

    @contextlib.contextmanager
    def _raising(self, path: str, subject: str) -> Iterator[None]:
        """Let a failure be an ``InstallError`` about ``path``, whatever file, ``subject``, the module works on."""

        def fail_json(msg: str, **details: Any) -> None:
            refused = sys.exc_info()[1]
            if isinstance(refused, OSError):
                # The module's own words are those of Python, with the name of the file it works on.
                raise InstallError(
                    f"{path}: {msg.partition(':')[0]}: {permissions.cause(refused)}.{permissions.advice(refused)}"
                )
            reason = str(details.get("details") or "").strip()
            cause = f": {reason}" if reason and "\n" not in reason else ""
            raise InstallError(f"{path}: {msg}{cause}.".replace(subject, path))

        self._module.fail_json = fail_json
        try:
            yield
        except OSError as exc:
            raise InstallError(
                f"The attributes of {path} could not be set: {permissions.cause(exc)}.{permissions.advice(exc)}"
            ) from exc
        finally:
            del self._module.fail_json
