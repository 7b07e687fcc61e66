import { beforeEach, describe, test } from 'vitest'
import { requireClient, requireRoot } from '../support/clients.ts'
import { bootGuest, expectInstall } from '../support/lab/boot.ts'
import { type Bench, makeBench } from '../support/lab/lab.ts'

const pxelinux = '/usr/lib/PXELINUX/pxelinux.0'
const ldlinux = '/usr/lib/syslinux/modules/bios/ldlinux.c32'

describe('BIOS, an address from somebody else’s DHCP server, everything else from treeboot', () => {
  let bench: Bench

  beforeEach(() => {
    requireRoot()
    requireClient('qemu-system-x86_64', 'dnsmasq', 'ip', 'curl', pxelinux, ldlinux)
    requireClient('/usr/lib/ipxe/qemu/pxe-virtio.rom')
    bench = makeBench()
    return () => bench.undo.unwind()
  })

  test('pxelinux.0 by TFTP, with the configuration that treeboot makes', async () => {
    const booted = await bootGuest(bench, {
      firmware: 'bios',
      loaders: { 'pxelinux.0': pxelinux, 'ldlinux.c32': ldlinux },
      advice: () => ({ bootFile: 'pxelinux.0', nextServer: '192.0.2.1' }),
    })
    await booted.machine.output.waitFor(/PXELINUX/, 60_000)
    await expectInstall(booted)
  })

  test('an iPXE script over HTTP', async () => {
    const booted = await bootGuest(bench, {
      firmware: 'bios',
      loaders: {},
      advice: ({ url }) => ({ bootFile: `${url}/boot/web01/ipxe` }),
    })
    await booted.machine.output.waitFor(/iPXE/, 60_000)
    await expectInstall(booted)
  })
})
