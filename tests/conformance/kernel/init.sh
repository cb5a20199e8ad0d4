#!/bin/busybox sh
# Process 1 of the guest. Its root becomes this machine's, read-only under a throw-away layer; there
# it runs the job that guest.env names, with the job's output on the second serial line.
PATH=/bin:/sbin
/bin/busybox mkdir -p /proc /sys /dev /host /layer /root /lib/modules
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm

finish() {
    echo "GUEST-STATUS $1" >/dev/console
    poweroff -f
}
. /guest.env

mount -t hostfs -o "ro,$MODULES" none /lib/modules || finish 125
mount -t hostfs -o ro,/ none /host || finish 125
modprobe overlay || finish 125
mount -t tmpfs layer /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work overlay /root ||
    finish 125
for folder in proc sys dev; do mount -o rbind "/$folder" "/root/$folder"; done
for folder in mnt run tmp var/tmp; do mount -t tmpfs none "/root/$folder"; done
mkdir -p /root/run/outside
mount -t hostfs -o ro,/ none /root/run/outside || finish 125  # as it is now: nothing lies over it

ip link set lo up
ip addr add 10.0.2.15/24 dev vec0 && ip link set vec0 up || finish 125
modprobe cifs || finish 125
stty -F /dev/ttyS0 raw
chroot /root /bin/sh -c "$JOB" </dev/null >/dev/ttyS0 2>&1
finish $?
