# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: collectssl_rollback_point
author:
  - certfleet.collectssl contributors (@certfleet)
short_description: Keep files as they are until a change is proven, and put them back if it is not
version_added: 0.1.0
description:
  - Keeps copies of files on the target, private keys too, before they are changed; puts all of them back as one
    transaction if the change turns out wrong; and forgets the copies once it is proven.
  - The role P(certfleet.collectssl.deploy#role) uses it around the installation of a certificate, the reload of the
    services and the look at their endpoints. On its own it fits any change to a few small files.
  - A rollback point outlives the run that made it. If that run is killed, the next one finds the state from before the
    first change, however many runs are killed in between.
extends_documentation_fragment:
  - certfleet.collectssl._attributes
  - certfleet.collectssl._attributes.files
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - The files may hold private keys.
  idempotent:
    support: full
  safe_file_operations:
    support: full
    details:
      - Every file is written beside its destination and takes its place in one step.
  action:
    support: none
  async:
    support: full
  platform:
    platforms: posix
options:
  name:
    description:
      - The name of the rollback point, of letters, digits, and C(. _ @ + -), beginning with a letter or digit.
    type: str
    required: true
  paths:
    description:
      - The files to keep, each an absolute path. A file that is not there is noted as such, and removed when the point
        is restored. For a symbolic link, the file it points to is kept.
      - Required with O(state=present). With O(state=restored) every file of the point is put back, in any case.
      - They are put back in the reverse order. So name a file that depends on another one before that.
    type: list
    elements: path
    default: []
  state:
    description:
      - With V(present) the files are copied. What a point of that name holds already stays as it is.
      - With V(restored) the files are put back, and the point stays. Nothing happens if there is no point.
      - With V(absent) the point is removed, even a damaged one, which the other states refuse.
    type: str
    default: present
    choices: [present, restored, absent]
  directory:
    description:
      - The folder of the rollback points. It is made if its parent is there, belongs to the user who runs the module
        alone (mode V(0700)), and is removed with the last point in it.
      - A folder of the point's name in it that holds anything but a rollback point is refused, and nothing in it is
        touched.
    type: path
    default: /var/lib/certfleet-collectssl
  unsafe_writes:
    description:
      - Whether to write into files that cannot be replaced in one step, such as bind-mounted ones. If that is cut off,
        a file is left half written.
    type: bool
    default: false
notes:
  - The copies keep the mode and the owner of the files, in a folder that nobody else can enter.
  - If an installation of the same files was interrupted, it is undone first, which counts as a change.
seealso:
  - module: certfleet.collectssl.collectssl_certificate
"""

EXAMPLES = r"""
- name: Try a configuration, and go back if the service does not take it
  block:
    - name: Keep the configuration as it is
      certfleet.collectssl.collectssl_rollback_point:
        name: nginx-site
        paths:
          - /etc/nginx/conf.d/site.conf

    - name: Write the new configuration
      ansible.builtin.template:
        src: site.conf.j2
        dest: /etc/nginx/conf.d/site.conf
        mode: "0644"

    - name: Let nginx read it
      ansible.builtin.service:
        name: nginx
        state: reloaded

    - name: Forget the old configuration
      certfleet.collectssl.collectssl_rollback_point:
        name: nginx-site
        state: absent
  rescue:
    - name: Put the old configuration back
      certfleet.collectssl.collectssl_rollback_point:
        name: nginx-site
        state: restored
"""

RETURN = r"""
found:
  description: Whether there was such a rollback point before the task.
  type: bool
  returned: success
fingerprint_sha256:
  description:
    - The SHA-256 fingerprint of the first certificate in the first of RV(files) that holds one; null where none does.
  type: str
  returned: success
files:
  description:
    - The files of the rollback point, in the order of O(paths); empty for a damaged one that was removed.
  type: list
  elements: dict
  returned: success
  contains:
    path:
      description: The file, with symbolic links followed.
      type: str
      returned: always
    existed:
      description: Whether there was such a file when it was kept.
      type: bool
      returned: always
    changed:
      description: Whether it was put back by this task, or by undoing an interrupted installation.
      type: bool
      returned: always
    fingerprint_sha256:
      description: The SHA-256 fingerprint of the first certificate in it as it was kept; null where it holds none.
      type: str
      returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import rollback_point_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places
from ansible_collections.certfleet.collectssl.plugins.module_utils._rollback.point import RollbackPoint
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import decodable


def main() -> None:
    """Keep, put back or forget."""
    module = AnsibleModule(supports_check_mode=True, **rollback_point_spec().kwargs())
    try:
        with Places() as places:
            point = RollbackPoint(module, places)
            work = {"present": point.keep, "restored": point.restore, "absent": point.drop}[module.params["state"]]
            result = work()
    except InstallError as exc:
        module.fail_json(msg=decodable(str(exc)), **exc.details)
    except OSError as exc:
        module.fail_json(msg=decodable(f"{exc.filename or 'A file'}: {exc.strerror or exc}."))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
