#!/bin/sh
# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Cut hosts off the network, by the names of the interfaces at the controller's end.
#   cut-off.sh LINK...
for link in "$@"; do ip link delete "$link" 2>/dev/null || :; done
