# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that a fleet hangs on: the first one of its process namespace. A program of its own, for any Python 3.

    _keeper.py MARK DIRECTORY keeper owned|free COMMAND...

Its network namespace is the controller's, and its mount namespace holds the disks of the hosts. When it ends, however
that comes, the kernel ends every process of the fleet, and mounts, bridge and interfaces go with the namespaces.
An owned keeper ends when its standard input does, that is with the process that brought the fleet up. It runs COMMAND
then, which removes what outlives processes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys


def main() -> None:
    """Prepare the namespaces, say so on standard output, and stay."""
    directory, ownership = sys.argv[2], sys.argv[4]
    tree = os.path.join(directory, "tree")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "collectssl-fleet", tree], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    # What the hosts and the controller leave behind is collected by the kernel from now on.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if ownership == "free":
        while True:
            signal.pause()
    while os.read(0, 4096):
        pass
    # The owner is gone without having taken the fleet down, and nobody else will take away what is left.
    os.kill(-1, signal.SIGKILL)
    subprocess.call(["umount", "--lazy", tree])
    subprocess.call(sys.argv[5:])


if __name__ == "__main__":
    main()
