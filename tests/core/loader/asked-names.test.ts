import { describe, expect, test } from 'vitest'
import {
  folderOf,
  grubNames,
  grubOwnConfig,
  ipxeOwnScript,
  pxelinuxNames,
} from '../../../server/core/loader/asked-names.ts'
import { parseBootPath } from '../../../server/core/loader/boot-path.ts'

const machine = {
  mac: '52:54:00:aa:bb:01',
  uuid: '4c4c4544-0042-3510-8052-b4c04f4a3732',
  address: '10.99.0.58',
}

describe('the names that loaders ask for', () => {
  test('of PXELINUX 6.04, as the lab recorded them', () => {
    expect(pxelinuxNames(machine)).toEqual([
      'pxelinux.cfg/44454c4c-4200-1035-8052-b4c04f4a3732',
      'pxelinux.cfg/01-52-54-00-aa-bb-01',
      ...['0A63003A', '0A63003', '0A6300', '0A630', '0A63', '0A6', '0A', '0'].map(
        (hex) => `pxelinux.cfg/${hex}`,
      ),
      'pxelinux.cfg/default',
    ])
  })

  test('of GRUB, and of one whose prefix is built in', () => {
    expect(grubNames({ mac: machine.mac }, false)).toEqual(['grub.cfg-01-52-54-00-aa-bb-01', 'grub.cfg'])
    expect(grubNames(machine, false)).toHaveLength(11)
    expect(grubNames(machine, true)).toEqual(['grub.cfg'])
  })

  test('are names that the server knows, of the machine that asks', () => {
    const owners = [...pxelinuxNames(machine), ...grubNames(machine, false)].map(
      (name) => parseBootPath(name)?.owner.kind,
    )
    const one = ['machine', 'machine', 'address', ...Array(7).fill('network'), 'everybody']
    expect(owners).toEqual([...one, ...one])
    for (const path of [ipxeOwnScript(machine), grubOwnConfig(machine)])
      expect(parseBootPath(path)).toMatchObject({ form: 'identity', owner: { macs: [machine.mac] } })
    expect(ipxeOwnScript({ mac: machine.mac })).toBe(
      '/boot/by/52-54-00-aa-bb-01/00000000-0000-0000-0000-000000000000/ipxe',
    )
  })

  test('begin with the folder of the loader', () => {
    expect(['pxelinux.0', 'boot/pxelinux.0', '/shimx64.efi'].map(folderOf)).toEqual(['', 'boot/', '/'])
  })
})
