# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that wait for a path they never get, and modes that YAML made decimal."""

from __future__ import annotations

import itertools
import typing as t

import pytest
import yaml
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._file_options import (
    check_command,
    check_mode,
    doubt_about_mode,
)


@pytest.mark.parametrize(
    "command", [None, "nginx -t", "sh -c 'nginx -t 2>&1'", "date +%S", "true 100%", "x '% s'", "x %d %%"]
)
def test_commands(command: str | None) -> None:
    check_command("validate", command)


@pytest.mark.parametrize(
    "command",
    ["nginx -t -c %s", "haproxy -c -f '%s'", "check --config=%s", "sh -c 'openssl x509 -in %s -noout'", "%s", "x %%s"],
)
def test_a_command_that_waits_for_a_path(command: str) -> None:
    with pytest.raises(OptionError) as caught:
        check_command("validate", command)
    assert str(caught.value) == (
        "validate holds %s, for which ansible.builtin.copy puts the path of a file that is not in place yet. Here the "
        "command runs once all files are in place, and gets no path. Name the files by their own paths, or have the "
        "service check its configuration, such as nginx -t."
    )


#: Permissions that files with certificates and keys have.
_USUAL = ("400", "440", "444", "600", "640", "644", "660", "664", "666", "700", "750", "755")


@pytest.mark.parametrize("digits", _USUAL)
def test_a_mode_without_quotes_and_without_a_nought(digits: str) -> None:
    """YAML takes it for decimal, and nobody means those bits."""
    mode = yaml.safe_load(digits)
    assert doubt_about_mode(mode) == (
        f"mode is the number {digits}, which is {mode:o} in octal. Without quotes YAML takes digits without a 0 before "
        f'them for decimal; if the permissions {digits} are meant, write mode: "0{digits}".'
    )


@pytest.mark.parametrize("digits", ["1644", "2640", "4755", "500", "550", "555", "100644"])
def test_rarer_ones(digits: str) -> None:
    assert f'"0{digits}"' in str(doubt_about_mode(yaml.safe_load(digits)))


@pytest.mark.parametrize(
    "written",
    [
        *(f"{nought}{digits}" for nought, digits in itertools.product(("0", "00"), _USUAL)),
        *(f"'{digits}'" for digits in _USUAL),
        *("0o644", "u=rw,g=r", "preserve", "0", "4", "true", "null", "-1", "644.0", "[644]", "12345678901234567890"),
    ],
)
def test_modes_that_are_what_they_say(written: str) -> None:
    """Octal for YAML too, or text, or nothing that looks like a mode; what is none, the target refuses."""
    assert doubt_about_mode(yaml.safe_load(written)) is None


def test_a_mode_with_a_tag() -> None:
    tags = pytest.importorskip("ansible._internal._datatag._tags")
    mode: t.Any = tags.Origin(path="/playbook.yml", line_num=1).tag(644)
    assert str(doubt_about_mode(mode)).startswith("mode is the number 644, which is 1204 in octal. ")


@pytest.mark.parametrize("written", ["999", "648", "1789"])
def test_a_number_that_is_no_permissions_in_octal_either(written: str) -> None:
    said = str(doubt_about_mode(yaml.safe_load(written)))
    assert said.endswith('write permissions as in mode: "0644".')
    assert f'"0{written}"' not in said


@pytest.mark.parametrize("written", ["-1", "true", "0.5", "644.0", "[644]", "{u: rw}"])
def test_what_is_no_mode(written: str) -> None:
    with pytest.raises(OptionError, match='mode must be permissions such as "0644"'):
        check_mode(yaml.safe_load(written))


@pytest.mark.parametrize("written", ["null", "0", "0644", "644", "'0644'", "u=rw", "preserve"])
def test_what_may_be_a_mode(written: str) -> None:
    check_mode(yaml.safe_load(written))
