#!/bin/sh
# The only program of a guest that does what the initrd of a Fedora or Enterprise Linux installer does with
# inst.repo=: it finds the second stage by the tree's .treeinfo and takes it, with curl as dracut calls it, or by
# mounting the tree with mount.nfs. It says on the serial line what it got, and powers off.

say() { echo "guest: $*"; }
finish() { say "done"; poweroff -f; }

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
# Only critical messages of the kernel may come between our lines.
echo 3 >/proc/sys/kernel/printk

while read -r module; do insmod "/modules/$module" 2>/dev/null || say "no $module"; done </modules/order
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0

for word in $(cat /proc/cmdline); do
  case $word in
    inst.repo=*) repo=${word#*=} ;;
    inst.ks=*) answers=${word#*=} ;;
  esac
done
say "repo $repo"

# dracut-ng modules.d/45url-lib/url-lib.sh; the headers are anaconda's (dracut/parse-anaconda-options.sh).
fetch() {
  curl --globoff --location --retry 3 --retry-connrefused --fail --silent --show-error \
    --header 'X-Anaconda-Architecture: x86_64' --header 'X-Anaconda-System-Release: Fedora' --output "$2" "$1"
}

# anaconda dracut/anaconda-lib.sh, config_get: the first such key of a section.
config_get() {
  sed -n "/^\[$1\]/,/^\[/s/^$2 *= *//p" | head -n 1
}

# anaconda dracut/anaconda-lib.sh, anaconda_net_root: updates.img and product.img may be missing.
take_by_url() {
  base=${repo%/}
  fetch "$base/.treeinfo" /tmp/treeinfo || say "no .treeinfo"
  stage2=$(config_get stage2 mainimage </tmp/treeinfo)
  say "stage2 $stage2"
  fetch "$base/$stage2" /tmp/stage2 && say "sha256 $(sha256sum /tmp/stage2 | cut -d' ' -f1)"
  for image in updates product; do
    fetch "$base/images/$image.img" "/tmp/$image" 2>/dev/null
    say "$image.img curl $?"
  done
}

# dracut-ng modules.d/95nfs/nfs-lib.sh: nfs:[options:]server:/path. Locks are of no use to an initrd.
mount_nfs() {
  rest=${1#nfs:}
  front=${rest%%:/*}
  server=${front##*:}
  options=nfsvers=3
  [ "$front" = "$server" ] || options=${front%:*}
  mount.nfs "$server:/${rest#*:/}" /mnt -o "ro,$options,nolock" || { say "mount.nfs $?"; return 1; }
  say "mounted $(grep ' /mnt ' /proc/mounts)"
}

take_by_mount() {
  mount_nfs "$repo" || return
  stage2=$(config_get stage2 mainimage </mnt/.treeinfo)
  say "stage2 $stage2"
  say "sha256 $(sha256sum "/mnt/$stage2" | cut -d' ' -f1)"
  umount /mnt && say "unmounted"
}

# dracut-ng url-lib.sh, fetch_url, and nfs-lib.sh, nfs_fetch_url: for a file, its folder is mounted and the file
# copied.
take_answers() {
  case $answers in
    nfs:*) mount_nfs "${answers%/*}" && cp -f "/mnt/${answers##*/}" /tmp/answers && umount /mnt ;;
    *) fetch "$answers" /tmp/answers ;;
  esac
}

case $repo in
  nfs:*) take_by_mount ;;
  *) take_by_url ;;
esac
take_answers && say "answers $answers sha256 $(sha256sum /tmp/answers | cut -d' ' -f1)"
finish
