#!/bin/sh
# The only program of a guest that mounts an NFS export: it says on the serial line what it mounted, reads the whole
# tree, says the digest of every file and the target of every link, tries to write, and powers off.

say() { echo "guest: $*"; }

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
# Only critical messages of the kernel may come between our lines.
echo 3 >/proc/sys/kernel/printk

while read -r module; do insmod "/modules/$module" 2>/dev/null || say "no $module"; done </modules/order
ip link set lo up
ip link set eth0 up

for word in $(cat /proc/cmdline); do
  case $word in
    nfs.options=*) options=${word#*=} ;;
    nfs.server=*) server=${word#*=} ;;
    nfs.path=*) path=${word#*=} ;;
    nfs.address=*) ip addr add "${word#*=}" dev eth0 ;;
  esac
done

# Version 4 has no MOUNT: it asks the port of the NFS service itself.
port=
case ,$options in *,port=*) port=,$options port=${port##*,port=} port=${port%%,*} ;; esac

# Debian's busybox leaves NFS options to the kernel, which then speaks MOUNT and the port mapper by itself.
if mount -t nfs4 -o "addr=$server,clientaddr=0.0.0.0,vers=4.2${port:+,port=$port}" "$server:$path" /mnt 2>/dev/null; then
  say "mounted as version 4"
  umount /mnt
else
  say "version 4 refused"
fi

if mount -t nfs -o "nolock,vers=3,proto=tcp,addr=$server,mountaddr=$server,$options" "$server:$path" /mnt; then
  say "mounted $(grep ' /mnt ' /proc/mounts)"
else
  say "cannot mount $server:$path with $options"
  poweroff -f
fi

cd /mnt || poweroff -f
say "files $(find . -type f | wc -l) folders $(find . -type d | wc -l)"
find . -type f -print0 | xargs -0 sha256sum >/tmp/sums 2>/tmp/errors
say "errors $(wc -l </tmp/errors)"
say "digest $(sort -k 2 /tmp/sums | sha256sum | cut -d' ' -f1)"
find . -type l | while read -r link; do say "link $link -> $(readlink "$link")"; done
find . -type l | while read -r link; do [ -d "$link" ] || say "through $(sha256sum "$link")"; done
say "changing it: $( (echo x >/mnt/new) 2>&1; rm -f /mnt/.treeinfo 2>&1)"
ls -l /mnt | while read -r line; do say "ls $line"; done
cd /
umount /mnt && say "unmounted"
say "done"
poweroff -f
