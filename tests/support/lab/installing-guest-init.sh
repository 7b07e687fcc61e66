#!/bin/sh
# The first and only program of a guest that does, on the serial line and by its requests, what anaconda does: it takes
# its answer file, then the second stage, which is the first that the tree's .treeinfo names, else images/install.img
# (anaconda 45, dracut/anaconda-lib.sh, anaconda_net_root), and runs the %pre of the answer file.
# Without a second stage it ends as dracut does, in an emergency shell.

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1

while read -r module; do insmod "/modules/$module.ko" 2>/dev/null; done </modules/order

tries=0
while [ ! -e /sys/class/net/eth0 ] && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
ip link set lo up
ip link set eth0 up
udhcpc -i eth0 -n -q -t 10 -T 1 -s /udhcpc-script >/dev/null 2>&1

for word in $(cat /proc/cmdline); do
  case $word in
    inst.repo=*|inst.stage2=*) tree=${word#*=} ;;
    inst.ks=*) answers=${word#*=} ;;
  esac
done

wget -q -O /run/answers "$answers"
wget -q -O /run/treeinfo "$tree/.treeinfo"
stage2=$(sed -n 's/^mainimage *= *//p' /run/treeinfo | head -n 1)
# An initrd that was made for another tree has another name here.
[ -e /stage2-name ] && stage2=$(cat /stage2-name)
if ! wget -q -O /run/stage2 "$tree/${stage2:-images/install.img}"; then
  echo "dracut-initqueue: Warning: anaconda: failed to fetch stage2 from $tree"
  # The words of dracut 059, modules.d/98dracut-systemd/dracut-emergency.sh and emergency.service.
  echo "Entering emergency mode. Exit the shell to continue."
  while true; do sleep 60; done
fi
echo "anaconda 40.22.3-1 for Fedora 40 started."
sed -n '/^%pre/,/^%end/{/^%/!p}' /run/answers >/run/pre
sh /run/pre
poweroff -f
