#!/bin/sh
# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# On a host: end what small-disk.sh began, and keep what is in the folder.
#   large-again.sh FOLDER
set -e
# A plain bind of / shows what the mount hides.
under=$(mktemp -d)
mount --bind / "$under"
find "$under$1" -mindepth 1 -delete
cp -a "$1/." "$under$1/"
umount --lazy "$1"
umount "$under"
rmdir "$under"
