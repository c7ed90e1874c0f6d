# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is held ends once: who ends it again is told, and neither files nor backups are touched."""

from __future__ import annotations

import pathlib

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.step import Step
from ansible_collections.certfleet.collectssl.tests.support.installation import module_arguments


@pytest.mark.parametrize("again", ["undo", "let_go"])
@pytest.mark.parametrize("first", ["undo", "let_go"])
def test_what_is_held_ends_once(first: str, again: str, tmp_path: pathlib.Path) -> None:
    soup, cake = tmp_path / "soup.txt", tmp_path / "cake.txt"
    soup.write_text("old soup\n", encoding="ascii")
    with module_arguments({"_ansible_no_log": True, "_ansible_tmpdir": str(tmp_path)}):
        module = AnsibleModule({}, add_file_common_args=True)
    with Places() as places:
        paths = [places.find("recipe", str(path)) for path in (soup, cake)]
        steps = (
            Step(paths[0], existed=True, content=b"new soup\n", backup=f"{soup}.kept"),
            Step(paths[1], existed=False, content=b"new cake\n"),
        )
        with transaction.locked_for_change(places, paths) as locked:
            held = transaction.hold(module, transaction.switch(module, locked, steps, FileAttributes(module), "it"))
            getattr(transaction, first)(module, held)
            before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
            with pytest.raises(InstallError, match="nothing is held of them any more") as told:
                getattr(transaction, again)(module, held)
        assert str(soup) in str(told.value)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
        assert transaction.is_clean(paths)
