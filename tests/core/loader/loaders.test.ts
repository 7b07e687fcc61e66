import { expect, test } from 'vitest'
import { restartSecondsOf } from '../../../server/core/loader/loaders.ts'
import { decideOffer } from '../../../server/core/loader/network-offer.ts'

test('only PXELINUX is told when to restart the machine, from wherever its file comes', () => {
  for (const file of ['/pxelinux.0', '/lpxelinux.0', '/boot/loader/host/pxelinux.0'])
    expect(restartSecondsOf(file), file).toBe(60)
  for (const file of ['/undionly.kpxe', '/shimx64.efi', '/boot/grub/i386-pc/core.0', '/pxelinux.0.bak', ''])
    expect(restartSecondsOf(file), file).toBeUndefined()
})

test.each(['bios', 'ipxe-bios'] as const)('its offer says so, and that of iPXE does not: %s', (firmware) => {
  const inputs = { firmware, httpBase: 'http://192.0.2.1', tftp: 'open', http: 'open' } as const
  const offerOf = (kind: 'pxelinux' | 'ipxe', urlPath: string) => {
    const decided = decideOffer({ ...inputs, loader: { kind, urlPath, why: 'a test' } })
    return 'offer' in decided ? decided.offer : undefined
  }
  expect(offerOf('pxelinux', '/pxelinux.0')).toMatchObject({ bootFile: 'pxelinux.0', restartSeconds: 60 })
  expect(offerOf('ipxe', '/undionly.kpxe')).not.toHaveProperty('restartSeconds')
})
