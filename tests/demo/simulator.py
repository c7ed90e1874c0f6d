# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rehearsal behind ``make simulator``: it stays until it is interrupted, with commands to copy."""

from __future__ import annotations

import contextlib
import pathlib
import signal
import sys
import tempfile

from rehearsal import HERE, SIMULATOR, Rehearsal


def main() -> None:
    """Start, tell, wait."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="collectssl-") as folder, contextlib.suppress(KeyboardInterrupt):
        rehearsal = Rehearsal(pathlib.Path(folder))
        with rehearsal.running():
            settings = rehearsal.folder / "rehearsal.env"
            settings.write_text("\n".join(rehearsal.exports()) + "\n")
            module = "certfleet.collectssl.collectssl_order_info"
            control = f"{sys.executable} {SIMULATOR} control {rehearsal.simulator.directory}"
            print(
                f"""The simulator runs. In another terminal:

  source {settings}

  # what four orders are at: pending, awaiting brand validation, rejected, unpaid
  {rehearsal.tool("ansible")} localhost -m {module} -a order_numbers=4711,4712,4713,4714

  # wait for an order and install it on three local hosts; again: nothing changes
  {rehearsal.tool("ansible-playbook")} {HERE / "install.yml"}
  {rehearsal.tool("ansible-playbook")} {HERE / "install.yml"} --check --diff

  # reissue the certificate, make the service misbehave once, see what it was asked
  {control} advance 4711
  {control} fault html_page --calls 1
  {control} status

Interrupt with Ctrl-C; everything goes then.""",
                flush=True,
            )
            signal.pause()
    print("\nThe simulator is stopped.")


if __name__ == "__main__":
    main()
