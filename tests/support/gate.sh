#!/bin/sh
# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# A command of a deployment that does what it is for, and is held before that where a test says so: FOLDER/stop has the
# step at which to hold, and without it nothing is held. FOLDER/reached is there once something is, until FOLDER/go is.
#   gate FOLDER STEP COMMAND...
folder=$1 step=$2
shift 2
stop=$(cat "$folder/stop" 2>/dev/null)

hold() {
    echo held >"$folder/reached"
    until [ -e "$folder/go" ]; do sleep 0.05; done
}

case $stop-$step in
look-reload)
    # It does its work later, so that the endpoint is waited for.
    echo held >"$folder/reached"
    (until [ -e "$folder/go" ]; do sleep 0.05; done && exec "$@") >/dev/null 2>&1 &
    exit 0
    ;;
back-reload)
    # The new files are refused; when the old ones are back, it is held.
    [ -e "$folder/refused" ] || { echo refused >"$folder/refused" && exit 1; }
    hold
    ;;
"$step-$step")
    hold
    ;;
esac
exec "$@"
