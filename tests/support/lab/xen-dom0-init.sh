#!/bin/sh
# The first and only program of dom0: starts Xen's daemons, then installs each guest named on the command line as
# a person would: it takes the guest's xl.cfg from treeboot, does what the head of that file says, and runs
# "xl create -c". All that is seen goes to the serial line, the guest's own console included.

/bin/busybox --install -s /bin 2>/dev/null
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
say() { echo "dom0: $*"; }
finish() { say "done"; poweroff -f; }

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /var/lock
mount -t devpts -o ptmxmode=666 pts /dev/pts
ln -s /run /var/run
exec </dev/console >/dev/console 2>&1
# Only critical messages of the kernel may come between our lines.
echo 3 >/proc/sys/kernel/printk

while read -r module; do insmod "/modules/$module" || say "no $module"; done </modules/order
mount -t xenfs xenfs /proc/xen
grep -q control_d /proc/xen/capabilities || { say "this is no dom0"; finish; }

for word in $(cat /proc/cmdline); do
  case $word in
    dom0.address=*) address=${word#*=} ;;
    dom0.treeboot=*) treeboot=${word#*=} ;;
    dom0.guests=*) guests=${word#*=} ;;
  esac
done

# Guests are on one network with us: the bridge is named as their xl.cfg says.
ip link set lo up
ip link add br0 type bridge forward_delay 0 stp_state 0
ip link set eth0 master br0 up
ip link set br0 up
ip addr add "$address" dev br0

xen=$(echo /usr/lib/xen-*/bin)
mkdir -p /run/xenstored
"$xen/xenstored" --pid-file /run/xenstored.pid
tries=0
until xenstore-read -s / >/dev/null 2>&1 || [ $tries -gt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
"$xen/xen-init-dom0" >/dev/null
"$xen/xenconsoled" --pid-file /run/xenconsoled.pid
say "$(xl info | grep xen_version) $(xl info | grep xen_caps)"

# The steps are commands behind "# ", between the first line and the one with the guest's name.
take_configuration() {
  curl -fsS -o "/root/$1.cfg" "$treeboot/boot/$1/xl.cfg" || return
  say "$1: xl.cfg sha256 $(sha256sum <"/root/$1.cfg" | cut -d' ' -f1)"
  sed -n '2,/^name/s/^# //p' "/root/$1.cfg" >/run/steps
  sh -e /run/steps >/run/steps.log 2>&1 || { cat /run/steps /run/steps.log; return 1; }
  for key in kernel ramdisk; do
    file=$(sed -n "s/^$key = \"\(.*\)\"/\1/p" "/root/$1.cfg")
    say "$1: $key sha256 $(sha256sum <"$file" | cut -d' ' -f1)"
  done
}

# xl reads what is typed for the guest; an input that has ended would end the console.
mkfifo /run/keyboard
exec 3<>/run/keyboard
install_guest() {
  timeout 150 xl create -c "/root/$1.cfg" <&3
  code=$?
  say "$1: xl create ended with $code"
  [ $code -eq 0 ] && return
  xl list
  tail -n 20 /var/log/xen/*.log
  xl destroy "$1"
}

for guest in $(echo "$guests" | tr + ' '); do
  if take_configuration "$guest"; then install_guest "$guest"; else say "cannot take $guest"; fi
done
finish
