# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is sent to a host where there is something to do, as ansible-core packs it.

``ansible.builtin.copy`` sends two modules for one file: one looks at the file, and one of two others follows.
"""

from __future__ import annotations

import pathlib
import typing as t

import ansible.modules
from ansible.executor import module_common
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.certfleet.collectssl.tests.support import places

_COLLECTION = "ansible_collections.certfleet.collectssl.plugins.modules"
_OF_CORE = pathlib.Path(next(iter(ansible.modules.__path__)))


def of_collection(module: str) -> int:
    """The size of a module of the collection, without arguments (octets)."""
    return _size(f"{_COLLECTION}.{module}", places.COLLECTION / "plugins" / "modules" / f"{module}.py")


def of_core(module: str) -> int:
    """The size of a module of ansible-core, without arguments (octets)."""
    return _size(f"ansible.legacy.{module}", _OF_CORE / f"{module}.py")


def _size(name: str, path: pathlib.Path) -> int:
    built: t.Any = module_common.modify_module(
        module_name=name,
        module_path=str(path),
        module_args={},
        templar=Templar(DataLoader()),
        task_vars={"ansible_python_interpreter": "/usr/bin/python3"},
        module_compression="ZIP_DEFLATED",
    )
    # Before ansible-core 2.19 it is the first of several things.
    return len(built[0] if isinstance(built, tuple) else built.b_module_data)
