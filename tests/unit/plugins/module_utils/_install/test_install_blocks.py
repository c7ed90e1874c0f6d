# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else stands in the files: it stays in a combined one, and no block goes from any without the diff naming it."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.tests.support.installation import (
    SmallHost,
    bundle,
    intermediate,
    key_pem,
    leaf,
)


def _block(label: str, content: bytes = b"parameters") -> str:
    return _pem.armour(content * 9, label)


_DH = _block("DH PARAMETERS")
_OURS = key_pem("ec-key").decode() + leaf("ec-key") + intermediate()
#: What stood in a combined file, and what of it is to stand behind the chain.
_KEPT = {
    "behind": (_OURS + _DH, _DH),
    "before": (_DH + _OURS, _DH),
    "between": (key_pem("ec-other").decode() + _DH + leaf("ec-other"), _DH),
    "with text around": ("# of 2019\nDH Parameters: (2048 bit)\n" + _DH + "\n\n# the end", _DH),
    "with other line ends": ((_OURS + _DH).replace("\n", "\r\n"), _DH),
    "without a line end": ((_OURS + _DH).rstrip("\n"), _DH),
    "alone": (_DH, _DH),
    "several, in order": (
        _block("EC PARAMETERS") + _OURS + _block("X9.42 DH PARAMETERS") + _DH + _DH,
        _block("EC PARAMETERS") + _block("X9.42 DH PARAMETERS") + _DH + _DH,
    ),
    "with certificates of other kinds": (
        _block("TRUSTED CERTIFICATE") + _block("X509 CERTIFICATE") + _DH + _block("CERTIFICATE REQUEST"),
        _DH + _block("CERTIFICATE REQUEST"),
    ),
    "with keys of every kind": (
        "".join(_block(f"{kind}PRIVATE KEY") for kind in ("", "RSA ", "EC ", "ENCRYPTED ", "OPENSSH ")) + _DH,
        _DH,
    ),
    "torn": (_OURS + _DH + _DH[:60], _DH),
    "nothing else": (_OURS.replace(leaf("ec-key"), leaf("ec-other")), ""),
    "no file": (None, ""),
}


@pytest.fixture(name="host")
def fixture_host(tmp_path: pathlib.Path) -> SmallHost:
    """A host with the key that goes with ``bundle("ec-key")``."""
    host = SmallHost(tmp_path)
    host.write_key("ec-key")
    return host


@pytest.mark.parametrize("before", _KEPT)
def test_blocks_that_are_not_ours_stay_in_a_combined_file(before: str, host: SmallHost) -> None:
    held, kept = _KEPT[before]
    if held is not None:
        host.combined.write_bytes(held.encode())
    options = host.everything(content=bundle("ec-key"))
    predicted = host.install(check=True, **options)
    result = host.install(**options)
    assert host.combined.read_text() == _OURS + kept
    assert result["diff"] == predicted["diff"]
    assert result["files"] == predicted["files"]
    assert not host.install(**options)["changed"]
    # And through a renewal with another key.
    host.write_key("ec-next")
    host.install(**host.everything(content=bundle("ec-next", 1)))
    assert host.combined.read_text() == key_pem("ec-next").decode() + leaf("ec-next", 1) + intermediate() + kept


def _diff(result: dict[str, t.Any], path: pathlib.Path) -> dict[str, str]:
    (found,) = [entry for entry in result["diff"] if entry["after_header"] == str(path)]
    return {side: found[side] for side in ("before", "after")}


def test_the_diff_names_every_block_that_stays_or_goes(host: SmallHost) -> None:
    options = host.everything(content=bundle("ec-key"))
    host.install(**options)
    key, request = key_pem("ec-other").decode(), _block("CERTIFICATE REQUEST")
    host.combined.write_text(_DH + key + key + leaf("ec-other"))
    host.path.write_text(leaf("ec-other") + _DH + request)
    host.fullchain.write_text(key + host.fullchain.read_text())
    host.chain.write_text(_block("SOMETHING NEW", b"secret"))
    result = host.install(check=True, **options)
    dh, hidden = "# a block of DH PARAMETERS, not shown\n", "# private key not shown\n"
    assert _diff(result, host.combined) == {
        "before": dh + hidden + hidden + leaf("ec-other"),
        "after": "# private key not shown; another one than before\n" + leaf("ec-key") + intermediate() + dh,
    }
    assert _diff(result, host.path) == {
        "before": leaf("ec-other") + dh + "# a block of CERTIFICATE REQUEST, not shown\n",
        "after": leaf("ec-key"),
    }
    assert _diff(result, host.fullchain)["before"].startswith(hidden + leaf("ec-key"))
    assert _diff(result, host.chain)["before"] == "# a block of SOMETHING NEW, not shown\n"
    assert key.splitlines()[1] not in str(result)
    assert _pem.armour(b"secret" * 9).splitlines()[1] not in str(result)


def test_a_block_that_only_moves_and_text_that_goes_are_shown(host: SmallHost) -> None:
    options = host.everything(content=bundle("ec-key"))
    host.combined.write_text(_DH + _OURS)
    host.combined.chmod(0o600)
    shown = _diff(host.install(check=True, **options), host.combined)
    assert shown["before"] != shown["after"]
    host.combined.write_text(_OURS + "# a note\n" + _DH)
    shown = _diff(host.install(check=True, **options), host.combined)
    assert shown["before"] == shown["after"] + "# with other text, or other line ends, around the blocks\n"


def test_other_files_hold_what_they_are_for_alone(host: SmallHost) -> None:
    options = host.everything(content=bundle("ec-key"))
    host.install(**options)
    for path in (host.path, host.chain, host.fullchain, host.root):
        good = path.read_bytes()
        path.write_bytes(good + _DH.encode())
        assert host.install(**options)["changed"]
        assert path.read_bytes() == good
