#!/bin/sh
# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Give hosts that do not run the disk that they have at first. Standard input has a line NAME RELEASE for each.
#   blank-disks.sh DIRECTORY
set -eu
while read -r name release; do
    disk=$1/tree/$name
    if [ -d "$disk" ]; then
        umount "$disk/root"
        rm -rf "$disk"
    fi
    mkdir -p "$disk/upper" "$disk/work" "$disk/root"
    mount -t overlay -o "lowerdir=$1/tree/.roots/$release,upperdir=$disk/upper,workdir=$disk/work" overlay "$disk/root"
done
