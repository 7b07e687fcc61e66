#!/bin/sh
# The first program of a guest that sets up its network as the initrd of a Fedora or Enterprise Linux installer does: by
# dracut's own parser and its ifup (module network-legacy), with the kernel's command line as it is. It says on the serial
# line what came of it, fetches its answer file, and powers off.

export PATH=/bin:/sbin
say() { echo "guest: $*"; }
finish() { say "done"; poweroff -f; }

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
# Only critical messages of the kernel may come between our lines.
echo 3 >/proc/sys/kernel/printk
say "booted with $(cat /proc/cmdline)"

while read -r module; do insmod "/modules/$module" 2>/dev/null; done </modules/order
ip link set lo up

hookdir=/lib/dracut/hooks
mkdir -p "$hookdir/emergency" "$hookdir/initqueue" "$hookdir/shutdown-emergency" /run/initramfs /etc/cmdline.d /tmp
export hookdir
. /lib/dracut-lib.sh
. /lib/net-lib.sh
# 40network/ifname-genrules.sh makes a rule for udev of each; this is what udev does with it.
for value in $(getargs ifname=); do
  parse_ifname_opts "$value"
  card=$(iface_for_mac "$ifname_mac")
  ip link set "$card" name "$ifname_if" && say "card $card is $ifname_if"
done
# In the order of module-setup.sh of 35network-legacy. `die` ends the shell that it is called in.
for hook in parse-vlan parse-bond parse-ip-opts parse-ifname; do (. "/hooks/$hook.sh"); done
if [ -e /run/initramfs/.die ]; then cat "$hookdir/emergency/01-die.sh"; finish; fi
say "bootdev $(cat /tmp/net.bootdev 2>/dev/null) ifaces $(cat /tmp/net.ifaces 2>/dev/null)"

# What net-genrules.sh lets udev start: ifup for the named cards, and the parts of bonds and VLANs.
for each in $(cat /tmp/net.ifaces 2>/dev/null) $(sed -n 's/^phydevice="\(.*\)"/\1/p' /tmp/vlan.*.phy 2>/dev/null) \
  $(sed -n 's/^bondslaves="\(.*\)"/\1/p' /tmp/bond.*.info 2>/dev/null); do
  case $each in
    ??-??-??-??-??-??) each=$(iface_for_mac "$(fix_bootif "$each")") ;;
  esac
  [ -e "/sys/class/net/$each" ] && ifup "$each"
done
[ -s /tmp/net.ifaces ] || for card in /sys/class/net/eth*; do ifup "${card##*/}"; done

ip -o addr show scope global | while read -r _ name family address _; do say "$name $family $address"; done
ip route | grep '^default' | while read -r line; do say "route $line"; done
ip -6 route | grep '^default' | while read -r line; do say "route6 $line"; done
while read -r line; do say "resolv $line"; done </etc/resolv.conf 2>/dev/null
say "hostname $(cat /proc/sys/kernel/hostname)"
answers=$(getarg inst.ks=)
if wget -q -O /tmp/answers "$answers"; then
  say "answers $answers sha256 $(sha256sum /tmp/answers | cut -d' ' -f1)"
else
  say "could not fetch $answers"
fi
finish
