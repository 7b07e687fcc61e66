import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { cmdlineLimit } from '../../../server/core/boot/limits.ts'
import { coveredBy, distros, shippedTemplate } from '../../../server/core/distro/distro.ts'
import { diskLoaders, otherLoaders, packagedEfiFolders } from '../../../server/core/distro/efi.ts'
import { isDistro, recordOf } from '../../../server/core/distro/families.ts'
import { bootImagesIn, isTellingFolder, mayBeKernel } from '../../../server/core/distro/layouts.ts'
import { codenameOf, parseVersion, versionOfCodename } from '../../../server/core/tree/version.ts'
import { makeTree } from '../../support/boot-inputs.ts'

const templates = join(import.meta.dirname, '../../../kickstart-templates')

describe('records of distributions', () => {
  test('each id, name and alias belongs to one distribution', () => {
    const names = distros.flatMap((distro) => {
      const { name, aliases = [] } = recordOf(distro)
      const own = [distro, name, ...aliases].map((each) => each.toLowerCase().replace(/[\s_.-]+/g, ''))
      return [...new Set(own)]
    })
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([])
  })

  test('the distributions and the template that a record names exist', () => {
    for (const distro of distros) {
      const { exceptions = [], covers = [], template } = recordOf(distro)
      for (const other of [...exceptions.map((each) => each.distro), ...covers])
        expect(isDistro(other), `${distro} names ${other}`).toBe(true)
      const names = typeof template === 'string' ? [template] : Object.values(template ?? {})
      for (const name of names) expect(existsSync(join(templates, name)), name).toBe(true)
    }
    expect(coveredBy('centos')).toEqual(['centos', 'centos-stream'])
  })

  test('the installer of a version has the shipped template that it can read', () => {
    expect(shippedTemplate('opensuse', '15.6')).toBe('suse.autoyast.xml')
    expect(shippedTemplate('opensuse', '42.3')).toBe('suse.autoyast.xml')
    expect(shippedTemplate('opensuse', 'tumbleweed')).toBe('suse.autoyast.xml')
    expect(shippedTemplate('opensuse', '16.0')).toBe('suse.agama.json')
    expect(shippedTemplate('sles', '16.1')).toBe('suse.agama.json')
    expect(shippedTemplate('slem', '6.1', 'pxeboot.x.x86_64-6.1.kernel')).toBeUndefined()
    expect(shippedTemplate('rocky', '9.4')).toBe('fedora.ks')
    expect(shippedTemplate('arch', '2024.01.01')).toBeUndefined()
  })

  test('each code name belongs to one release', () => {
    const all = distros.flatMap((distro) => Object.entries(recordOf(distro).codenames ?? {}))
    expect(new Set(all.map(([name]) => name)).size).toBe(all.length)
    for (const [name, version] of all) expect(versionOfCodename(name)).toBe(version)
    expect(versionOfCodename(' Bookworm ')).toBe('12')
    expect(codenameOf('debian', '12.5.0')).toBe('bookworm')
    expect(codenameOf('debian', '12')).toBe('bookworm')
    expect(codenameOf('debian', '120')).toBeUndefined()
    expect(codenameOf('ubuntu', '22')).toBeUndefined()
    expect(codenameOf('ubuntu', '22.04.3')).toBe('jammy')
    expect(codenameOf('fedora', '12')).toBeUndefined()
  })

  test('the name of each rolling release is read as one', () => {
    for (const distro of distros)
      for (const word of Object.keys(recordOf(distro).rolling ?? {}))
        expect(parseVersion(word).rolling, word).toBeGreaterThan(0)
  })

  test('scans look into the folder of each known kernel, and its name counts as a kernel name', () => {
    for (const path of [
      'casper/vmlinuz',
      'install.amd/vmlinuz',
      'boot/x86_64/loader/linux',
      'arch/boot/x86_64/vmlinuz',
    ])
      for (const folder of path.split('/').slice(0, -1)) expect(isTellingFolder(folder), folder).toBe(true)
    for (const name of ['vmlinuz-lts', 'linux26', 'linux64', 'fcos-live-kernel-x86_64', 'kernel.img'])
      expect(mayBeKernel(name), name).toBe(true)
    expect(mayBeKernel('linux65')).toBe(false)
  })

  test('layouts of one family come before layouts that several families share', () => {
    const paths = ['boot/linux26', 'boot/initrd.img', 'boot/vmlinuz', 'boot/initrd']
    expect(bootImagesIn(paths, 'x86_64')).toMatchObject({
      family: 'Proxmox',
      platforms: { x86_64: { kernel: 'boot/linux26' } },
    })
  })

  test('disk loaders: shims come before GRUBs, and shims of any name before removable media', () => {
    expect(diskLoaders[0]).toBe('/EFI/fedora/shim$cpu.efi')
    const lastShim = diskLoaders.findLastIndex((path) => /\/shim[^/]*\.efi$/.test(path))
    const firstGrub = diskLoaders.findIndex((path) => path.endsWith('/grub$cpu.efi'))
    expect(firstGrub).toBeGreaterThan(lastShim)
    expect(diskLoaders.at(-1)).toBe('/EFI/systemd/systemd-boot$cpu.efi')
    expect(otherLoaders.map(([first]) => first)).toEqual([
      '/EFI/*/shim$cpu.efi',
      '/EFI/BOOT/BOOT$cpu.EFI',
      '/EFI/*/grub$cpu.efi',
    ])
    // What SUSE installs, what Kali and Devuan install without a shim, and Debian without Secure Boot.
    const installed = ['sles/shim', 'opensuse/shim', 'kali/grub$cpu', 'devuan/grub$cpu', 'debian/grub$cpu']
    expect(diskLoaders).toEqual(expect.arrayContaining(installed.map((file) => `/EFI/${file}.efi`)))
    // The manual lists the folders in the same order.
    const manual = readFileSync(join(import.meta.dirname, '../../../docs/network-boot.md'), 'utf8')
    const [, listed = ''] = /\n1\. Shim, in the folders.*?:([^.]*)\.\n/s.exec(manual) ?? []
    const shims = diskLoaders.slice(0, lastShim + 1).map((path) => path.split('/')[2])
    expect([...listed.matchAll(/`(\w+)`/g)].map(([, folder]) => folder)).toEqual(shims)
    expect(packagedEfiFolders).toEqual(['fedora', 'redhat', 'centos', 'rocky', 'almalinux', 'oracle'])
  })

  test('the limit of the command line depends on distribution, version and arch', () => {
    // Bytes: 512, 896, 2048 and 4096, less the NUL at the end.
    const limit = (
      distro: 'fedora' | 'rocky' | 'debian' | 'sles' | 'ubuntu',
      version: string,
      arch: string,
    ) => cmdlineLimit(makeTree('t', { distro, version, arch }))
    expect(['27', '28'].map((version) => limit('fedora', version, 'ppc64le'))).toEqual([511, 2047])
    expect(['9', '10'].map((version) => limit('rocky', version, 's390x'))).toEqual([895, 4095])
    expect(['9', '10'].map((version) => limit('debian', version, 'ppc64le'))).toEqual([511, 2047])
    expect(['15', '16'].map((version) => limit('sles', version, 's390x'))).toEqual([895, 4095])
    expect(['18.04', '18.10'].map((version) => limit('ubuntu', version, 'ppc64el'))).toEqual([511, 2047])
    expect(['22.04.5', '22.10'].map((version) => limit('ubuntu', version, 's390x'))).toEqual([895, 4095])
    expect(limit('fedora', '40', 'x86_64')).toBe(2047)
  })
})
