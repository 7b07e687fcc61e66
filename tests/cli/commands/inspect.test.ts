import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { registerInspect } from '../../../server/cli/commands/inspect.ts'
import { expectGolden } from '../../support/golden.ts'
import { writeIso } from '../../support/iso/write-iso.ts'
import { writeUdf } from '../../support/iso/write-udf.ts'

const fixtures = join(import.meta.dirname, '../../fixtures/treeinfo/trees')
let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'treeboot-inspect-'))
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  put('debian-12/version.info', 'Debian version:  12 (bookworm)\n')
  put('debian-12/debian-installer/amd64/linux', 'k')
  put('debian-12/debian-installer/amd64/initrd.gz', 'i')
  put('junk/README', 'nothing')
  put('junk/.treeinfo', 'not an ini file')
  put(
    'lying/.treeinfo',
    '[general]\nfamily = A\u001b[31m\nversion = 1\narch = x86_64\n[images-x86_64]\nkernel = k\n',
  )
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function inspect(...args: string[]): Promise<{ out: string; err: string; code: number }> {
  const said = { out: '', err: '', code: -1 }
  const program = new Command()
  registerInspect(program, {
    out: (text) => {
      said.out += text
    },
    err: (text) => {
      said.err += text
    },
    ask: async () => undefined,
    exit: (code) => {
      said.code = code
    },
    color: false,
    cwd: folder,
  })
  await program.parseAsync(['inspect', ...args], { from: 'user' })
  return said
}

const fixture = (name: string) => join(fixtures, `${name}.treeinfo`)

describe('--json', () => {
  test('one descriptor file', async () => {
    const { out, code } = await inspect(fixture('osinfo-db__almalinux__almalinux8__s390x'), '--json')
    const said = JSON.parse(out)
    expect(code).toBe(0)
    expect(said).toMatchObject({
      family: 'AlmaLinux',
      version: '8',
      variant: 'BaseOS',
      arch: 's390x',
      distro: 'alma',
      installer: 'anaconda',
      era: 'treeinfo-1.2',
      stage2: 'images/install.img',
      problems: [],
    })
    expect(said.platforms).toEqual({
      s390x: {
        kernel: 'images/kernel.img',
        initrd: 'images/initrd.img',
        'boot.iso': 'images/boot.iso',
        'generic.ins': 'generic.ins',
        'generic.prm': 'images/generic.prm',
        'genericdvd.prm': 'images/genericdvd.prm',
        'initrd.addrsize': 'images/initrd.addrsize',
      },
    })
    expect(said.repositories.map(({ path }: { path: string }) => path)).toEqual([
      '.',
      '../../../AppStream/s390x/os',
    ])
    expect(said.checksums['images/kernel.img']).toMatch(/^sha256:[0-9a-f]{64}$/)
  })

  test('no stage 2 is null, problems are file:line: message', async () => {
    const { out, code } = await inspect(fixture('heiden-deng-source__root'), '--json')
    const said = JSON.parse(out)
    expect(code).toBe(3)
    expect(said.platforms.x86_64).toEqual({ initrd: 'images/pxeboot/initrd.img' })
    expect(said.problems[0]).toMatch(
      /heiden-deng-source__root\.treeinfo:11: \[images-x86_64\] names no kernel$/,
    )
    expect(JSON.parse((await inspect('debian-12', '--json')).out).stage2).toBeNull()
  })
})

describe('for people', () => {
  test('a folder', async () => {
    const { out, code } = await inspect('debian-12')
    expect(code).toBe(0)
    expectGolden('cli/inspect-debian-12.txt', out)
  })

  test.each([
    ['ISO 9660', writeIso],
    ['UDF alone', writeUdf],
  ])('an image with %s, by its content and not by its name', async (_name, write) => {
    const treeinfo =
      '[general]\nfamily = Fedora\nversion = 40\narch = x86_64\n[images-x86_64]\nkernel = k\ninitrd = i\n'
    const image = write({ files: { '.treeinfo': treeinfo, k: 'kernel', i: 'initrd' } })
    writeFileSync(join(folder, 'disc'), image.bytes)
    const { out, code } = await inspect(join(folder, 'disc'), '--json')
    expect(JSON.parse(out)).toMatchObject({
      family: 'Fedora',
      platforms: { x86_64: { kernel: 'k', initrd: 'i' } },
    })
    expect(code).toBe(0)
  })

  test('an image without a descriptor file: by its volume descriptor, which the name contradicts', async () => {
    const { bytes } = writeIso({
      files: { 'images/pxeboot/vmlinuz': 'kernel', 'images/pxeboot/initrd.img': 'initrd' },
      ids: { system: 'LINUX', volume: 'Fedora-S-dvd-x86_64-40', publisher: 'Fedora Project\u001b[31m' },
    })
    mkdirSync(join(folder, 'discs'))
    writeFileSync(join(folder, 'discs/rocky-9.iso'), bytes)
    const { out, code } = await inspect('discs/rocky-9.iso')
    expect(code).toBe(0)
    expectGolden('cli/inspect-volume.txt', out)
    expect(out).not.toContain('\u001b')
  })

  test('a descriptor with two platforms', async () => {
    expectGolden(
      'cli/inspect-rhel6.txt',
      (await inspect(fixture('osinfo-db__rhel__rhel6.4__server__x86_64'))).out,
    )
  })

  test('problems come last, and control characters never reach the terminal', async () => {
    const { out, code } = await inspect('lying')
    expect(code).toBe(3)
    expectGolden('cli/inspect-problems.txt', out)
    expect(out).not.toContain('\u001b')
  })
})

describe('what is no tree', () => {
  test('a folder: says what it looked for', async () => {
    const { err, code } = await inspect('junk')
    expect(code).toBe(2)
    expect(err).toMatch(/^junk is not an installation tree: looked for \.treeinfo, .*images\/pxeboot/)
  })

  test('a file', async () => {
    const { err, code } = await inspect('junk/README')
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(/^junk\/README is not a tree descriptor; expected one of \.treeinfo/),
    ])
  })

  test('a path that is not there', async () => {
    expect(await inspect('nowhere', '--json')).toMatchObject({ code: 2, out: '' })
  })
})
