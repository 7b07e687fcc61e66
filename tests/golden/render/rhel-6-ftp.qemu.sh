curl -fo ./el6-vmlinuz http://192.0.2.1:8080/trees/rhel-6.10/images/pxeboot/vmlinuz &&
curl -fo ./el6-initrd http://192.0.2.1:8080/trees/rhel-6.10/images/pxeboot/initrd.img &&
{ [ -e el6.qcow2 ] || qemu-img create -f qcow2 el6.qcow2 20G; } &&
qemu-system-x86_64 -machine accel=kvm:tcg -cpu max \
  -name el6 \
  -m 2048 \
  -smp 2 \
  -drive file=el6.qcow2,format=qcow2,if=virtio \
  -netdev bridge,br=virbr0,id=net0 \
  -device virtio-net-pci,netdev=net0,mac=52:54:00:aa:bb:01 \
  -kernel ./el6-vmlinuz \
  -initrd ./el6-initrd \
  -append 'method=ftp://192.0.2.1:10021/trees/rhel-6.10 ip=dhcp ksdevice=52:54:00:aa:bb:01 ks=ftp://192.0.2.1:10021/ks/el6' \
  -no-reboot
