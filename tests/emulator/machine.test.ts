import { describe, expect, test } from 'vitest'
import { type MachineOptions, machineCommand } from '../../server/emulator/machine.ts'

const bios: MachineOptions = {
  firmware: 'bios',
  mac: '52:54:00:aa:bb:01',
  memory: 512,
  network: { tap: 'tap0' },
}

describe('a machine on the command line of QEMU', () => {
  test('BIOS boots only from the network, and writes to the serial line', () => {
    const command = machineCommand(bios, '').join(' ')
    expect(command).toContain('-machine pc,accel=tcg,graphics=off -vga none -boot order=n,strict=on')
    expect(command).toContain('ifname=tap0,script=no,downscript=no,vnet_hdr=off')
    expect(command).toContain('virtio-net-pci,netdev=net0,mac=52:54:00:aa:bb:01,bootindex=1')
  })

  test('UEFI boots by its own network boot, not by QEMU’s iPXE ROM', () => {
    expect(machineCommand({ ...bios, firmware: 'uefi' }, 'v.fd').join(' ')).toContain(',romfile=,bootindex=1')
    expect(machineCommand({ ...bios, firmware: 'uefi-ipxe' }, 'v.fd').join(' ')).not.toContain('romfile=')
  })

  test('Secure Boot is enforced: Microsoft’s keys, and variables that only firmware may write', () => {
    const command = machineCommand({ ...bios, firmware: 'secure' }, 'v.fd').join(' ')
    expect(command).toContain('OVMF_CODE_4M.ms.fd')
    expect(command).toContain('driver=cfi.pflash01,property=secure,value=on')
    expect(command).toContain('smm=on')
  })

  test('a direct boot needs neither loader nor root', () => {
    const direct = { kernel: 'vmlinuz', initrd: 'initrd.img', cmdline: 'console=ttyS0 quiet' }
    const command = machineCommand({ ...bios, network: 'user', direct }, '')
    expect(command.slice(command.indexOf('-kernel'), command.indexOf('-kernel') + 6)).toEqual([
      '-kernel',
      'vmlinuz',
      '-initrd',
      'initrd.img',
      '-append',
      'console=ttyS0 quiet',
    ])
    expect(command.join(' ')).toContain('-netdev user,id=net0')
  })

  test('QEMU’s own network names a boot file, and sends it from a folder of any name', () => {
    const network = { bootFile: 'treeboot.ipxe', tftp: '/srv/a,b' }
    const command = machineCommand({ ...bios, network, accel: 'kvm' }, '').join(' ')
    expect(command).toContain('-netdev user,id=net0,tftp=/srv/a,,b,bootfile=treeboot.ipxe')
    expect(command).toContain('accel=kvm')
    // No machine of these has a disk unless it is given one.
    expect(command).not.toContain('-drive')
  })
})
