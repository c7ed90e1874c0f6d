# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: script_hash
author:
  - certfleet.collectssl contributors (@certfleet)
short_description: What a Content-Security-Policy has to allow for one inline script to run
version_added: 0.1.0
description:
  - Says by which hash a browser knows an inline script, so that a page can allow that one and no other.
positional: _input
options:
  _input:
    description: The text between C(<script>) and C(</script>), all of it.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what allows a script
  ansible.builtin.debug:
    msg: "script-src {{ script | certfleet.collectssl.script_hash }}"
  vars:
    script: document.title = "It runs.";
"""

RETURN = r"""
_value:
  description: A source expression in single quotes, such as C('sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=').
  type: str
"""

import base64
import hashlib
import typing as t

from ansible.errors import AnsibleFilterError


def script_hash(script: t.Any) -> str:
    """The source expression; raises ``AnsibleFilterError`` for what is no text."""
    if not isinstance(script, str):
        raise AnsibleFilterError("script_hash needs the text of a script.")
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {"script_hash": script_hash}
