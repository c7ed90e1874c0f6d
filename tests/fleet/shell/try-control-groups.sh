#!/bin/sh
# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Fail where no host could have a control group. Runs in a mount namespace of its own.
#   try-control-groups.sh NAME
set -e
mount -t cgroup2 none /mnt
mkdir "/mnt/$1"
rmdir "/mnt/$1"
unshare --cgroup true
