import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadSnapshot } from '../../../server/catalog/load-snapshot.ts'
import type { LoaderFile } from '../../../server/core/loader/files.ts'
import { familyOf, installCommand } from '../../../server/host/package-family.ts'
import { loaderReport } from '../../../server/namespace/loader-report.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'treeboot-loaders-'))
  for (const name of ['tftpboot', 'host', 'trees']) mkdirSync(join(folder, name))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const file = (name: string, debian: string): LoaderFile => ({
  name,
  what: name,
  places: [join(folder, 'host', name)],
  packages: { debian, fedora: `${debian}-fedora` },
})

async function report(family: 'debian' | 'fedora' | undefined) {
  const files = [
    file('undionly.kpxe', 'ipxe'),
    file('snponly.efi', 'ipxe'),
    file('shimx64.efi', 'shim-signed'),
    file('shimaa64.efi', 'shim-signed:mips'),
  ]
  return loaderReport(await loadSnapshot({ cwd: folder }), family, files)
}

describe('treeboot loaders', () => {
  test('names what is missing, and the one command that installs it', async () => {
    const { loaders, command, firmware } = await report('debian')
    expect(loaders.map(({ from }) => from)).toEqual(['missing', 'missing', 'missing', 'missing'])
    // A package of another architecture is named, but not in the command: it cannot simply be installed.
    expect(command).toBe('apt-get install ipxe shim-signed')
    expect(loaders[3]?.package).toBe('shim-signed:mips')
    expect(firmware.find((line) => line.firmware === 'bios')).toMatchObject({
      why: expect.stringMatching(/^missing: undionly\.kpxe, pxelinux\.0/),
    })
    expect((await report('fedora')).command).toMatch(/^dnf install ipxe-fedora/)
    expect((await report(undefined)).command).toBeUndefined()
  })

  test('a file of the operator comes before one of the host', async () => {
    writeFileSync(join(folder, 'host/snponly.efi'), 'host')
    writeFileSync(join(folder, 'host/undionly.kpxe'), 'host')
    writeFileSync(join(folder, 'tftpboot/snponly.efi'), 'mine')
    const { loaders, firmware } = await report('debian')
    expect(loaders.slice(0, 2).map(({ from }) => from)).toEqual(['host', 'tftpboot'])
    expect(firmware.find((line) => line.firmware === 'uefi-http-x64')?.loader).toBe('/snponly.efi')
  })
})

describe('which packages a system has', () => {
  test.each([
    ['ID=debian\n', 'debian'],
    ['NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n', 'debian'],
    ['ID=fedora\n', 'fedora'],
    ['ID="rocky"\nID_LIKE="rhel centos fedora"\n', 'fedora'],
    ['ID=alpine\n', undefined],
    ['', undefined],
  ])('%j', (text, family) => expect(familyOf(text)).toBe(family))

  test('the command', () => {
    expect(installCommand('fedora', ['a', 'b'])).toBe('dnf install a b')
  })
})
