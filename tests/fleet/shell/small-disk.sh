#!/bin/sh
# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# On a host: let a folder be a small disk of its own, with all that is in it.
#   small-disk.sh FOLDER SIZE
set -e
new=$(mktemp -d)
mount -t tmpfs -o "size=$2,mode=$(stat -c %a "$1")" tmpfs "$new"
cp -a "$1/." "$new/"
# Where systemd runs, mounts are shared, and those can't be moved.
mount --bind "$new" "$1"
umount "$new"
rmdir "$new"
