#!/bin/sh
# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# On a host: let a module go on that is held by a trap, and wait for its end.
#   let-go.sh FOLDER
touch "$1/go"
while kill -0 "$(cat "$1/reached")"; do sleep 0.1; done
