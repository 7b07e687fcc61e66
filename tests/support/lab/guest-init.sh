#!/bin/sh
# The first and only program of the small guest: it says on the serial line what it was booted with, takes an
# address, fetches its answer file, says that file's digest, runs its %post, and powers off.

say() { echo "guest: $*"; }

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
# Only critical messages of the kernel may come between our lines.
echo 3 >/proc/sys/kernel/printk
say "booted with $(cat /proc/cmdline)"

while read -r module; do insmod "/modules/$module.ko" 2>/dev/null; done </modules/order

tries=0
while [ ! -e /sys/class/net/eth0 ] && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
[ -e /sys/class/net/eth0 ] || say "has no network card"
ip link set lo up
ip link set eth0 up
if udhcpc -i eth0 -n -q -t 10 -T 1 -s /udhcpc-script >/dev/null 2>&1; then
  say "address $(cat /run/address) mac $(cat /sys/class/net/eth0/address)"
else
  say "got no address"
fi

answers=
for word in $(cat /proc/cmdline); do
  case $word in
    inst.ks=*|ks=*|preseed/url=*|url=*|autoyast=*|inst.auto=*) answers=${word#*=} ;;
  esac
done

# An address from a router advertisement, which the kernel takes by itself.
case $answers in
  *//\[*)
    tries=0
    until ip -6 addr show dev eth0 scope global | grep inet6 | grep -qv tentative || [ $tries -ge 100 ]; do
      sleep 0.1
      tries=$((tries + 1))
    done
    ;;
esac

if [ -z "$answers" ]; then
  say "was told of no answer file"
elif wget -q -O /run/answers "$answers"; then
  say "answers $answers sha256 $(sha256sum /run/answers | cut -d' ' -f1)"
  sed -n '/^%post/,/^%end/{/^%/!p}' /run/answers >/run/post
  if [ -s /run/post ]; then
    sh /run/post >/run/post.log 2>&1
    say "post ended with $?"
    sed 's/^/guest post: /' /run/post.log
  fi
else
  say "could not fetch $answers"
fi
say "done"
poweroff -f
