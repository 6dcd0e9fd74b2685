#!/bin/sh
# /init of the guest in which a kernel judges volumes. /jobs, a script too, calls `look` and `edit`.
# What they find goes to a port of virtio's, on which the kernel prints nothing; kernel_judge.py reads it there.

/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
for module in /modules/*; do
    insmod "$module" || echo "could not load $module"
done
dmesg -c >/dev/null

# Begins a part of the answer, by a character that no name has.
mark() {
    printf '\036%s\n' "$1"
}

# All that is on the mounted volume.
tree() {
    cd /mnt
    mark "-- directories"
    find . -mindepth 1 -type d 2>/errors
    mark "-- links"
    find . -type l 2>>/errors
    mark "-- files"
    find . -type f -print0 2>>/errors | xargs -0 -r sha256sum 2>>/errors
    cd /
    mark "-- errors"
    sort -u /errors
}

# look TYPE DEVICE OPTIONS
look() {
    mark "-- mount"
    if mount -t "$1" -o "ro,$3" "/dev/$2" /mnt 2>&1; then
        tree
        umount /mnt 2>&1
    fi
    kernel
}

# edit TYPE DEVICE OPTIONS SCRIPT: mounted for writing, without `force`; then looked at
edit() {
    mark "-- mount"
    if mount -t "$1" -o "rw,$3" "/dev/$2" /mnt 2>&1; then
        mark "-- edit"
        if grep -q " /mnt [^ ]* rw[, ]" /proc/mounts; then
            (cd /mnt && eval "$4") 2>&1
        else
            echo "mounted read-only"
        fi
        sync
        umount /mnt 2>&1
        look "$1" "$2" "$3"
    else
        kernel
    fi
}

# What the kernel said meanwhile, each line with its level.
kernel() {
    mark "-- kernel"
    dmesg -r -c
}

exec 3>"$(ls /dev/vport*)"
. /jobs >&3
mark "== all" >&3
poweroff -f
