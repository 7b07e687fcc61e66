curl -fo ./web01-vmlinuz http://192.0.2.1:8080/trees/fedora/40/x86_64/images/pxeboot/vmlinuz &&
curl -fo ./web01-initrd http://192.0.2.1:8080/trees/fedora/40/x86_64/images/pxeboot/initrd.img &&
{ [ -e web01.qcow2 ] || qemu-img create -f qcow2 web01.qcow2 20G; } &&
qemu-system-x86_64 -machine accel=kvm:tcg -cpu max \
  -name web01 \
  -uuid 4c4c4544-0042-3510-8052-b4c04f4a3132 \
  -m 2048 \
  -smp 2 \
  -drive file=web01.qcow2,format=qcow2,if=virtio \
  -netdev bridge,br=br0,id=net0 \
  -device virtio-net-pci,netdev=net0,mac=52:54:00:aa:bb:01 \
  -kernel ./web01-vmlinuz \
  -initrd ./web01-initrd \
  -append 'inst.repo=http://192.0.2.1:8080/trees/fedora/40/x86_64 ip=dhcp inst.ks=http://192.0.2.1:8080/ks/web01 console=ttyS0' \
  -no-reboot
