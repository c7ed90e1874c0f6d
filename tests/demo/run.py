# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration behind ``make demo``: an order's way from pending to installed on three hosts, and on."""

from __future__ import annotations

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import typing as t

from rehearsal import HERE, HOSTS, Rehearsal

COLOURLESS = {"ANSIBLE_NOCOLOR": "true", "ANSIBLE_FORCE_COLOR": "false", "NO_COLOR": "1", "FORCE_COLOR": ""}
"""What keeps ansible-core from colours, whatever the user's environment and configuration force upon it.

Its output is read here as well as shown, and it may end in a file.
"""


def takes_bold(stream: t.TextIO) -> bool:
    """Whether codes for bold letters belong into ``stream``: a terminal, and nobody said that they are unwelcome."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Demonstration:
    """Runs commands where the user sees them, and checks that each did what its line says."""

    def __init__(self, rehearsal: Rehearsal, bold: bool) -> None:
        self._rehearsal = rehearsal
        self._bold = bold
        self._step = 0

    def say(self, line: str) -> None:
        """The next step, in a line."""
        self._step += 1
        heading = f"{self._step}. {line}"
        print(f"\n\033[1m{heading}\033[0m" if self._bold else f"\n{heading}", flush=True)

    def run(self, tool: str, *arguments: str) -> str:
        """Run a command of ansible-core, shown as it goes; its output."""
        print(f"   $ {tool} {shlex.join(arguments)}", flush=True)
        output = []
        with subprocess.Popen(
            [self._rehearsal.tool(tool), *arguments],
            env={**self._rehearsal.environment, **COLOURLESS},
            cwd=HERE,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            for line in process.stdout or ():
                print(f"   {line}", end="", flush=True)
                output.append(line)
        if process.returncode:
            sys.exit(f"{tool} ended with status {process.returncode}.")
        return "".join(output)

    def install(self) -> int:
        """Run the playbook; on how many hosts it changed something."""
        output = self.run("ansible-playbook", "install.yml")
        return len(re.findall(r"ok=1 +changed=1 ", output))

    def expect(self, true: bool, what: str) -> None:
        """End the demonstration where it does not show what it promises."""
        if not true:
            sys.exit(f"This was to be seen, and was not: {what}.")
        print(f"   => {what}", flush=True)

    def installed(self) -> set[str]:
        """The different chains that the hosts have installed."""
        hosts = self._rehearsal.folder / "hosts"
        return {(hosts / name / "www.fullchain.pem").read_text() for name in HOSTS}


def main() -> None:
    """All steps."""
    with tempfile.TemporaryDirectory(prefix="collectssl-demo-") as folder:
        rehearsal = Rehearsal(pathlib.Path(folder))
        show = Demonstration(rehearsal, bold=takes_bold(sys.stdout))
        show.say("A simulator of the provider starts, with an order that is still pending.")
        with rehearsal.running():
            print(f"   It answers at {rehearsal.environment['COLLECTSSL_API_URL']}")
            show.say("Three hosts want it: one worker asks, the others wait with it, then each installs the chain.")
            show.expect(show.install() == len(HOSTS), "issued, and installed on three hosts")
            first = show.installed()
            calls = len(rehearsal.simulator.calls())
            show.expect(calls == 3, "three calls for three hosts: two polls, and the answer")

            show.say("The same again: one call, nothing to do.")
            show.expect(show.install() == 0, "nothing changed")

            show.say("The provider reissues the certificate under the same order number; the next run picks it up.")
            rehearsal.simulator.advance("4711")
            show.expect(show.install() == len(HOSTS), "installed on three hosts")
            show.expect(len(show.installed() | first) == 2, "all hosts have the new certificate, and it is another one")

            show.say("What an order waits for, asked from the command line.")
            module = "certfleet.collectssl.collectssl_order_info"
            output = show.run("ansible", "localhost", "-m", module, "-a", "order_number=4712")
            show.expect('"state": "pending"' in output, "order 4712 is pending")

            status = rehearsal.simulator.control("status")
            show.say("What the provider saw of all this.")
            show.expect(status["peak_in_flight"] == 1, f"{status['calls']} calls, never two at a time")
    print(f"\nThat was all of it. Next: {HERE / 'simulator.py'} (`make simulator` in a checkout) keeps it running.")


if __name__ == "__main__":
    main()
