#!/bin/sh
# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Start hosts. Standard input has a line NAME LINK MAC ADDRESS ADDRESS6 systemd|scripts for each.
#   start-hosts.sh ENTER MARK DIRECTORY BRIDGE CGROUP
set -eu
enter=$1 mark=$2 directory=$3 bridge=$4 cgroups=$5
while read -r name link mac address address6 init; do
    set -- unshare --net --mount --uts --ipc --pid --fork --kill-child
    if [ "$init" = systemd ]; then
        cgroup=$directory/tree/.cgroups/$cgroups/$name
        # What an earlier start has left is empty.
        [ ! -d "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} ';' || :
        mkdir -p "$cgroup"
        # shellcheck disable=SC2016 # the inner shell expands it
        set -- sh -c 'echo 0 >"$1/cgroup.procs"; shift; exec "$@"' sh "$cgroup" "$@" --cgroup
    fi
    set -- "$@" sh "$enter" "$mark" "$directory" "$name" "$link" "$mac" "$address" "$address6" "$bridge" "$init"
    setsid --fork "$@" </dev/null >>"$directory/log/$name.log" 2>&1
done
