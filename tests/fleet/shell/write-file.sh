#!/bin/sh
# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# On a host: write a file from standard input, whole or not at all.
#   write-file.sh PATH MODE
umask 077 && cat >"$1.new" && chmod "$2" "$1.new" && mv -f "$1.new" "$1"
