#!/bin/sh
# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Configure the packages of a root file system.
#   configure-root.sh ROOT
# This is done where there is no network, so that no service which a package starts could be seen from outside. Postfix
# wants some interface to be up. Nothing here has to survive a loss of power.
set -eu
cd "$1"
ip link set lo up
mount -t proc proc proc
mkdir -p etc/dpkg/dpkg.cfg.d
echo force-unsafe-io >etc/dpkg/dpkg.cfg.d/fleet
printf '#!/bin/sh\nexit 101\n' >usr/sbin/policy-rc.d
chmod 755 usr/sbin/policy-rc.d
DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot . /debootstrap/debootstrap --second-stage
rm -rf var/cache/apt/* var/lib/apt/lists/* var/log/* usr/share/doc/* usr/share/man/* usr/share/locale/* dev/*
rm -f etc/ssh/ssh_host_* etc/machine-id etc/resolv.conf etc/hostname
mkdir -p var/log/nginx var/log/apache2
