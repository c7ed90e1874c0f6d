#!/bin/sh
# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Become a host: the first process of fresh namespaces, with /proc still the controller's.
#   enter-host.sh MARK DIRECTORY NAME LINK MAC ADDRESS ADDRESS6 BRIDGE systemd|scripts
set -eu
mark=$1 directory=$2 name=$3 link=$4 mac=$5 address=$6 address6=$7 bridge=$8 init=$9
root=$directory/tree/$name/root

# The same card every time: its neighbours remember it for a while after the host went away.
ip link add eth0 address "$mac" type veth peer name "$link" netns /proc/1/ns/net
nsenter --net=/proc/1/ns/net ip link set "$link" master "$bridge" up
ip link set lo up
# Without duplicate address detection, which would keep services from the address for a second.
ip -6 address add "$address6" dev eth0 nodad
ip address add "$address" dev eth0
ip link set eth0 up
hostname "$name"

mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/zero" c 1 5
mknod -m 666 "$root/dev/full" c 1 7
mknod -m 666 "$root/dev/random" c 1 8
mknod -m 666 "$root/dev/urandom" c 1 9
mknod -m 666 "$root/dev/tty" c 5 0
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t proc proc "$root/proc"
if [ "$init" = systemd ]; then
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    # systemd would set some of the kernel's settings, which are this machine's.
    mount --bind "$root/proc/sys" "$root/proc/sys"
    mount -o remount,bind,ro "$root/proc/sys"
fi

# From here on nothing of this machine's file systems is left in the host's mount namespace.
cd "$root"
pivot_root . .
umount --lazy .
if [ "$init" = systemd ]; then
    # As it is on every machine that systemd has started.
    mount --make-rshared /
    set -- env -i container=fleet /sbin/init --unit=fleet.target
else
    set -- /bin/sh /sbin/init
fi
exec chroot . /bin/sh -c 'exec "$@" </dev/null >>/var/log/init.log 2>&1' sh "$@" "$mark" "$directory" "$name"
