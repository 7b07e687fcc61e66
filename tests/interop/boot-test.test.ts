import { spawn } from 'node:child_process'
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { stringify } from 'yaml'
import { bootTest } from '../../server/boottest/gate.ts'
import type { BootTestRequest } from '../../server/boottest/request.ts'
import type { VmFirmware } from '../../server/core/boot/test-firmware.ts'
import { run } from '../../server/emulator/child.ts'
import { findClient, requireClient, requireRoot } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { encodeCpio, fileMode } from '../support/lab/cpio.ts'
import {
  type Bench,
  benchPaths,
  buildTreeboot,
  guestImages,
  labCache,
  labInstaller,
  makeBench,
  treebootMain,
} from '../support/lab/lab.ts'
import { type LabImages, type LabTreeName, makeTree } from '../support/lab/trees.ts'

/**
 * Real machines that are booted from a version before it is published. Each change boots three: one by BIOS that passes and
 * is published, one whose second stage is missing, and one whose kernel panics. The nightly run boots the others, too.
 */
const nightly = process.env.EVERY_BOOT !== undefined
const rom = '/usr/lib/ipxe/qemu/pxe-virtio.rom'
const ovmf = '/usr/share/OVMF/OVMF_CODE_4M.ms.fd'
const shim = '/usr/lib/shim/shimx64.efi.signed'
const grub = '/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed'
const aavmf = '/usr/share/AAVMF/AAVMF_CODE.fd'
const stage2Section = '\n[stage2]\nmainimage = images/install.img\n'
const all = ['kernel', 'initrd', 'stage2', 'answer']

describe('a version is booted before it is published', () => {
  let bench: Bench
  beforeEach(() => {
    // A plain user has a network namespace only where the system allows user namespaces.
    requireRoot()
    requireClient('qemu-system-x86_64', 'ip', 'unshare', 'dnsmasq', rom)
    buildTreeboot()
    bench = makeBench()
    return () => bench.undo.unwind()
  })

  /** A tree outside of `trees/`, as an upload has it before it is published. */
  async function version(name: LabTreeName = 'fedora', images?: LabImages): Promise<BootTestRequest> {
    const { folder } = bench
    const made = images ?? (await guestImages('amd64', 'installing-guest-init.sh'))
    const { id } = makeTree(join(folder, 'incoming'), name, made)
    const path = join(folder, 'incoming', id)
    if (name.startsWith('fedora')) appendFileSync(join(path, '.treeinfo'), stage2Section)
    return {
      id: name,
      path,
      kind: 'folder',
      trees: ['.'],
      firmware: ['bios'],
      reach: 'auto',
      timeoutMs: 'auto',
      // Shared by all tests, so that the reference boot is measured once.
      folder: join(labCache, 'boot-tests'),
    }
  }

  const program = [process.execPath, treebootMain, 'boot-test'] as const
  const tested = (request: BootTestRequest) => bootTest(request, { program })

  function writeConfig(firmware: readonly VmFirmware[]): void {
    const paths = benchPaths(bench)
    const config = { paths, verify: { 'boot-test': { firmware } } }
    writeFileSync(join(bench.folder, 'config.yaml'), stringify(config))
  }

  const treeboot = (args: readonly string[], path = process.env.PATH ?? ''): string => {
    const file = join(bench.folder, 'config.yaml')
    return run('env', `PATH=${path}`, process.execPath, treebootMain, ...args, '--config', file)
  }

  test('and an import that passes is published, with what the machine showed in its record', async () => {
    const { path } = await version()
    writeConfig(['bios'])
    treeboot(['import', path, '--id', 'fedora-40'])
    const record = join(bench.folder, 'trees/.treeboot/versions/fedora-40/1.json')
    expect(JSON.parse(readFileSync(record, 'utf8'))).toMatchObject({
      bootTest: [
        { firmware: 'bios', outcome: 'passed', reached: all, untested: expect.stringMatching(/^TFTP:/) },
      ],
    })
    expect(treeboot(['trees', 'history', 'fedora-40'])).toContain('boot test: bios passed')
  })

  test('fails when the installer does not find its second stage', async () => {
    // An initrd of another release, whose second stage has another name: each file for itself is whole.
    const { kernel, initrd } = await guestImages('amd64', 'installing-guest-init.sh')
    const other = join(bench.folder, 'other.img')
    const name = { name: 'stage2-name', mode: fileMode, data: Buffer.from('images/gone.img') }
    writeFileSync(other, Buffer.concat([readFileSync(initrd), gzipSync(encodeCpio([name]))]))
    const tree = await version('fedora', { kernel, initrd: other })
    const [result] = await tested({ ...tree, firmware: ['direct'] })
    expect(result).toMatchObject({ firmware: 'direct', outcome: 'failed' })
    expect(result?.why).toMatch(/^an emergency shell was opened.*not reached: stage 2/)
    expect(result?.why).toContain('images/gone.img" and did not get it')
    expect(readFileSync(result?.log ?? '', 'utf8')).toContain('Linux version')
  })

  test('fails when its kernel panics', async () => {
    const empty = join(bench.folder, 'empty.img')
    writeFileSync(empty, gzipSync(encodeCpio([])))
    const { kernel } = await guestImages()
    const request = await version('fedora', { kernel, initrd: empty })
    const [result] = await tested({ ...request, firmware: ['direct'] })
    expect(result).toMatchObject({ outcome: 'failed', why: expect.stringMatching(/^the kernel panicked/) })
  })

  test('is not published where QEMU is missing, unless somebody accepts it with a reason', async () => {
    const tree = await version()
    writeConfig(['bios', 'uefi-x64'])
    const programs = join(bench.folder, 'programs')
    mkdirSync(programs)
    for (const name of ['env', 'nice', 'unshare', 'setpriv', 'ip'])
      symlinkSync(findClient(name) ?? '', join(programs, name))
    const importing = (...more: string[]) =>
      treeboot(['import', tree.path, '--id', 'fedora-40', ...more], programs)
    expect(() => importing()).toThrow()
    expect(() => readFileSync(join(bench.folder, 'trees/.treeboot/versions/fedora-40/1.json'))).toThrow()
    importing('--accept', 'no QEMU on this host')
    expect(treeboot(['trees', 'history', 'fedora-40', '--json'])).toContain('the boot test was not run')
    const [result] = await withPath(programs, () => tested(tree))
    expect(result).toMatchObject({
      outcome: 'impossible',
      why: expect.stringContaining('install qemu-system-x86'),
    })
  })

  async function withPath<T>(path: string, work: () => Promise<T>): Promise<T> {
    const before = process.env.PATH
    process.env.PATH = path
    try {
      return await work()
    } finally {
      process.env.PATH = before
    }
  }

  interface Other {
    readonly firmware: VmFirmware
    readonly needs: readonly string[]
    readonly arch?: 'arm64'
    readonly network?: 'user'
  }
  const others: readonly Other[] = [
    { firmware: 'uefi-x64', needs: [ovmf, 'dnsmasq', '/usr/lib/ipxe/snponly.efi'] },
    { firmware: 'secure-boot', needs: [ovmf, shim, grub] },
    { firmware: 'uefi-http', needs: [ovmf, 'dnsmasq', '/usr/lib/ipxe/snponly.efi'] },
    { firmware: 'bios', needs: [], network: 'user' },
    { firmware: 'uefi-x64', needs: [ovmf, '/usr/lib/ipxe/qemu/efi-rtl8139.rom'], network: 'user' },
    { firmware: 'secure-boot', needs: [ovmf, shim, grub], network: 'user' },
    { firmware: 'direct', needs: [] },
    { firmware: 'uefi-arm64', needs: ['qemu-system-aarch64', aavmf], arch: 'arm64' },
  ]

  const said = ({ firmware, network }: { firmware: VmFirmware; network: 'auto' | 'user' }) => {
    if (firmware === 'direct') return 'alone'
    return network === 'user' ? 'on QEMU’s own network' : 'by DHCP'
  }
  const cases = others.map((each) => ({ network: 'auto' as const, ...each }))

  test.runIf(nightly).each(cases.map((each) => ({ ...each, how: said(each) })))(
    'and passes with $firmware $how',
    async ({ firmware, needs, arch, network }) => {
      for (const need of needs) requireClient(need)
      const made = arch && (await guestImages(arch, 'installing-guest-init.sh'))
      const tree = await version(arch ? 'fedora-arm64' : 'fedora', made)
      if (arch) await addSignedChain(tree.path)
      const [result, ...more] = await tested({ ...tree, firmware: [firmware], network })
      expect([result?.why, more]).toEqual([undefined, []])
      expect(result).toMatchObject({ firmware, outcome: 'passed', reached: all })
      if (firmware === 'direct') expect(result?.untested).toMatch(/^firmware, loader, DHCP and TFTP/)
      else if (network === 'user') expect(result?.untested).toMatch(/^DHCP and TFTP: .* by root/)
      else if (firmware === 'secure-boot' || arch) expect(result?.untested).toMatch(/^treeboot’s DHCP/)
      else expect(result?.untested).toBeUndefined()
    },
  )

  /** Debian has these loaders in packages for arm64 only; its installer brings them to every architecture. */
  async function addSignedChain(path: string): Promise<void> {
    const installer = await labInstaller('arm64')
    for (const file of ['bootnetaa64.efi', 'grubaa64.efi'])
      copyFileSync(join(installer.folder, 'debian-installer/arm64', file), join(path, 'images/pxeboot', file))
  }

  test.runIf(nightly)('and the real debian-installer passes', async () => {
    const { kernel, initrd } = await labInstaller('amd64')
    const results = await tested(await version('debian', { kernel, initrd }))
    expect(results).toMatchObject([{ outcome: 'passed', reached: ['kernel', 'initrd', 'answer'] }])
  })

  /** There is one Debian package with an installer for another architecture that treeboot tests by its kernel alone. */
  test.runIf(nightly)('and so does that of ppc64le, by its kernel alone', async () => {
    const images = '/usr/lib/debian-installer/images/12/ppc64el/text/debian-installer/ppc64el'
    requireClient('qemu-system-ppc64', join(images, 'vmlinux'))
    const { path, ...request } = await version('debian')
    const at = join(path, '../installer-ppc64el/current/images/netboot/debian-installer/ppc64el')
    mkdirSync(at, { recursive: true })
    for (const name of ['vmlinux', 'initrd.gz']) copyFileSync(join(images, name), join(at, name))
    const listed = 'netboot/debian-installer/ppc64el/vmlinux\t-- kernel image for netboot\n'
    writeFileSync(join(at, '../../../MANIFEST'), listed)
    const other = { ...request, path: join(path, '../installer-ppc64el') }
    const results = await tested({ ...other, firmware: ['bios', 'direct'] })
    expect(results).toMatchObject([
      { firmware: 'direct', outcome: 'passed', untested: expect.stringMatching(/^firmware, loader/) },
    ])
    expect(results[0]?.reached).toEqual(['kernel', 'initrd', 'answer'])
  })

  test('ends with the import that started it, also when that is killed', async () => {
    const { path } = await version()
    // The files of this machine are named in its command.
    writeConfig(['direct'])
    const file = join(bench.folder, 'config.yaml')
    const importing = spawn(process.execPath, [treebootMain, 'import', path, '--config', file])
    bench.undo.push('import', () => importing.kill('SIGKILL'))
    const own = join(bench.folder, 'trees/.treeboot/boot-tests')
    await vi.waitFor(() => expect(machinesIn(own)).toHaveLength(1), { timeout: 120_000, interval: 250 })
    importing.kill('SIGKILL')
    await eventually(() => expect(machinesIn(own)).toEqual([]))
    // What is left is removed by the next test.
    const again = await tested({
      ...(await version()),
      folder: own,
      firmware: ['uefi-http'],
      network: 'user',
    })
    expect(again).toMatchObject([{ outcome: 'impossible' }])
    expect(readdirSync(own).filter((name) => name.startsWith('work-'))).toEqual([])
  })

  /** The process ids of machines whose files are below a folder. */
  function machinesIn(folder: string): string[] {
    return readdirSync('/proc').filter((pid) => {
      if (!/^\d+$/.test(pid)) return false
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        return command.startsWith('qemu-system') && command.includes(folder)
      } catch {
        return false
      }
    })
  }

  test.runIf(nightly)('and the machine of a guest can be tried by hand', async () => {
    const { path } = await version()
    const paths = benchPaths(bench)
    const guests = { web01: { mac: '52:54:00:aa:bb:01', tree: 'fedora-40' } }
    writeFileSync(join(bench.folder, 'config.yaml'), stringify({ paths, guests }))
    treeboot(['import', path, '--id', 'fedora-40'])
    const said = treeboot(['try', 'web01', '--vm', '--firmware', 'bios'])
    expect(said).toMatch(/^bios: passed after \d+ s: kernel, initrd, stage 2, answer file; not tested: TFTP/m)
  })
})
