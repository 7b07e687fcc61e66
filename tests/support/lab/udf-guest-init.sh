#!/bin/sh
# The only program of a guest that mounts UDF. Disks named in udf.read are read: it says the digest of their files
# and of their symlinks. Those in udf.write get the files of the tar archive on the disk udf.tar, and are worked on
# as people do, which leaves files in pieces and deleted names behind.

say() { echo "guest: $*"; }

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
# Only critical messages of the kernel may come between our lines.
echo 3 >/proc/sys/kernel/printk

while read -r module; do insmod "/modules/$module" 2>/dev/null || say "no $module"; done </modules/order

for word in $(cat /proc/cmdline); do
  case $word in
    udf.read=*) reading=$(echo "${word#*=}" | tr , ' ') ;;
    udf.write=*) writing=$(echo "${word#*=}" | tr , ' ') ;;
    udf.tar=*) archive=${word#*=} ;;
  esac
done

tell() {
  cd /mnt || return
  files=$(find . -type f -print0 | xargs -0 sha256sum | sort -k 2 | sha256sum | cut -d' ' -f1)
  links=$(find . -type l | sort | while read -r link; do echo "$(readlink "$link")  $link"; done | sha256sum | cut -d' ' -f1)
  say "$1 has files $files links $links"
  cd /
}

for disk in $writing; do
  mount -t udf "/dev/$disk" /mnt || { say "cannot mount $disk"; continue; }
  tar xf "/dev/$archive" -C /mnt || say "cannot unpack on $disk"
  mkdir /mnt/worked
  i=0
  while [ $i -lt 300 ]; do
    # In turns: neither file has its blocks together.
    dd if=/dev/urandom bs=4096 count=1 2>/dev/null | tee -a /mnt/worked/one >>/mnt/worked/two
    echo "$i" >"/mnt/worked/a name to be deleted $i"
    i=$((i + 1))
  done
  # Nine of ten: the names that end in 0 stay.
  find /mnt/worked -name '*[1-9]' -exec rm {} +
  mv /mnt/worked/one "/mnt/worked/now with a longer name"
  sync
  tell "$disk"
  umount /mnt || say "cannot unmount $disk"
done

for disk in $reading; do
  mount -t udf -o ro "/dev/$disk" /mnt || { say "cannot mount $disk"; continue; }
  tell "$disk"
  umount /mnt || say "cannot unmount $disk"
done

say "done"
poweroff -f
