#!/bin/sh
# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# On a host: let nobody write below a folder.
#   read-only.sh FOLDER
set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
