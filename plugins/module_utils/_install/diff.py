# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change looks like in diff mode: blocks by kind, certificates as PEM text, attributes, never key material.

This module util is private to the collection. It can have breaking changes at any time.
"""

from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.privatekey import key_blocks
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import printable

_KEY_LINE = "# private key not shown\n"
_OTHER_KEY_LINE = "# private key not shown; another one than before\n"
_KEY_TO_COME_LINE = "# private key not shown; it is not there yet\n"


def of_file(
    path: str, before: Optional[bytes], after: bytes, drift: Dict[str, Dict[str, Any]], key_to_come: bool = False
) -> Dict[str, str]:
    """The diff of a certificate file: ``before`` is None for a new one, ``drift`` its attributes that are put right.

    ``key_to_come`` says that ``after`` lacks a private key that is not there yet.
    """
    same_key = before is not None and key_blocks(before) == key_blocks(after)
    old = "" if before is None else _blocks(before, _KEY_LINE)
    new = _blocks(after, _KEY_LINE if same_key or before is None else _OTHER_KEY_LINE)
    if before is not None and old == new and before != after and not key_to_come:
        old += "# with other text, or other line ends, around the blocks\n"
    if key_to_come:
        new = _KEY_TO_COME_LINE + new
    return _entry(path, _attributes(drift, "before") + old, _attributes(drift, "after") + new)


def of_removed(path: str, before: bytes) -> Dict[str, str]:
    """The diff of a certificate file that goes away."""
    return _entry(path, _blocks(before, _KEY_LINE), "")


def of_moved_key(path: str, pending: str, existed: bool) -> Dict[str, str]:
    """The diff of a private key file that the pending key moves to."""
    return _entry(path, _KEY_LINE if existed else "", f"# private key not shown; the one from {pending}\n")


def _entry(path: str, before: str, after: str) -> Dict[str, str]:
    return {"before_header": path, "after_header": path, "before": before, "after": after}


def _blocks(data: bytes, key_line: str) -> str:
    shown = []
    for label, block in _pem.every_block(data.decode("latin-1")):
        if label.endswith("PRIVATE KEY"):
            shown.append(key_line)
        elif label == _pem.CERTIFICATE or label.endswith(" " + _pem.CERTIFICATE):
            shown.append(block)
        else:
            # Of a kind that is not known here, which might be a secret.
            shown.append(f"# a block of {label}, not shown\n")
    # What is not PEM might be anything, a key too.
    return "".join(shown) or f"# {len(data)} bytes without a certificate\n"


def _attributes(drift: Dict[str, Dict[str, Any]], side: str) -> str:
    lines: List[str] = []
    pairs: List[Tuple[str, Any]] = sorted(drift.get(side, {}).items())
    for name, value in pairs:
        text = ":".join(str(part) for part in value) if isinstance(value, (list, tuple)) else str(value)
        lines.append(f"# {name}: {printable(text)}\n")
    return "".join(lines)
