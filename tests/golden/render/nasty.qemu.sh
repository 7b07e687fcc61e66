curl -fo ./o-brien-sons-vmlinuz http://192.0.2.1:8080/trees/fedora/40/x86_64/images/pxeboot/vmlinuz &&
curl -fo ./o-brien-sons-initrd http://192.0.2.1:8080/trees/fedora/40/x86_64/images/pxeboot/initrd.img &&
{ [ -e o-brien-sons.qcow2 ] || qemu-img create -f qcow2 o-brien-sons.qcow2 20G; } &&
qemu-system-x86_64 -machine accel=kvm:tcg -cpu max \
  -name 'o'\''brien & <sons>' \
  -m 2048 \
  -smp 2 \
  -drive file=o-brien-sons.qcow2,format=qcow2,if=virtio \
  -netdev user,id=net0 \
  -device virtio-net-pci,netdev=net0,mac=52:54:00:00:00:01 \
  -netdev user,id=net1 \
  -device virtio-net-pci,netdev=net1,mac=52:54:00:00:00:02 \
  -kernel ./o-brien-sons-vmlinuz \
  -initrd ./o-brien-sons-initrd \
  -append 'inst.repo=http://192.0.2.1:8080/trees/fedora/40/x86_64 ip=dhcp motd="semi; $HOME `id` && <b> & 100% #1 '\''{x}'\''" a=\b empty=' \
  -no-reboot
