#!/bin/sh
# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Remove what outlives the processes of a fleet: its control groups and its directory. Runs in a mount namespace of its own.
#   remove-fleet.sh DIRECTORY STATE CGROUP
set -eu
directory=$1 state=$2

# A machine without such groups has none to remove.
if mount -t cgroup2 none /mnt 2>/dev/null; then
    cgroup=/mnt/$3 tries=0
    while [ -d "$cgroup" ]; do
        find "$cgroup" -depth -type d -exec rmdir {} ';' 2>/dev/null || :
        [ -d "$cgroup" ] || break
        # Processes that were killed a moment ago are still in theirs.
        tries=$((tries + 1))
        if [ "$tries" -gt 100 ]; then
            echo "there are processes in the control group $3" >&2
            exit 1
        fi
        sleep 0.1
    done
fi

# By its state a directory is known as a fleet's, so that goes last. Another one may be at the same work.
[ ! -d "$directory" ] || find "$directory" -mindepth 1 -maxdepth 1 ! -name "$state" -exec rm -rf {} + 2>/dev/null || :
rm -rf "$directory"
