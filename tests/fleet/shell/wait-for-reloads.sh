#!/bin/sh
# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# On a host with systemd: wait until no reload is under way.
while systemctl list-jobs --no-legend | grep -qw reload; do sleep 0.1; done
