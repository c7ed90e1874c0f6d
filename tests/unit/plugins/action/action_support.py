# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real action plugins with a real task and a real local connection; only the run of the module is recorded instead."""

from __future__ import annotations

import os
import typing as t

from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader
from ansible.template import Templar
from ansible_collections.certfleet.collectssl.tests.support.broker import PASSWORD

ACCOUNT: dict[str, t.Any] = {"login_name": "account", "login_password": PASSWORD}


def run(action_class: t.Any, args: dict[str, t.Any], environment: t.Any = None, **settings: t.Any) -> dict[str, t.Any]:
    """What a task comes to."""
    return action_of(action_class, args, environment, **settings).run(task_vars={})


def action_of(action_class: t.Any, args: dict[str, t.Any], environment: t.Any = None, **settings: t.Any) -> t.Any:
    """An action for a task with some arguments and, perhaps, an environment."""
    task = Task()
    task.args = args
    task.async_val = 0
    task.environment = environment
    for name, value in settings.items():
        setattr(task, name, value)
    play_context = PlayContext()
    loader = DataLoader()
    return action_class(
        task=task,
        connection=connection_loader.get("local", play_context, os.devnull),
        play_context=play_context,
        loader=loader,
        templar=Templar(loader=loader, variables={}),
        shared_loader_obj=None,
    )
