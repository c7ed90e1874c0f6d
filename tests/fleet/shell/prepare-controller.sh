#!/bin/sh
# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Prepare the controller's namespaces, from inside: the network of the hosts, names, and the releases that disks lie on.
#   prepare-controller.sh DIRECTORY CGROUP BRIDGE ADDRESS ADDRESS6 RELEASE=ROOT...
# Everything below tree/ is in the keeper's mount namespace alone. The roots get short names there, since the options of
# an overlay have a bounded length and characters of their own.
set -eu
directory=$1 cgroups=$2 bridge=$3 address=$4 address6=$5
shift 5
ip link add "$bridge" type bridge
ip -6 address add "$address6" dev "$bridge" nodad
ip address add "$address" dev "$bridge"
ip link set "$bridge" up
mount --bind "$directory/hosts" /etc/hosts
mount --bind "$directory/resolv.conf" "$(readlink -f /etc/resolv.conf)"
if [ -n "$cgroups" ]; then
    mkdir "$directory/tree/.cgroups"
    mount -t cgroup2 none "$directory/tree/.cgroups"
    mkdir -p "$directory/tree/.cgroups/$cgroups"
fi
for root in "$@"; do
    mkdir -p "$directory/tree/.roots/${root%%=*}"
    mount --bind -o ro "${root#*=}" "$directory/tree/.roots/${root%%=*}"
done
