import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  type Stats,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { commandLine } from '../../../server/cli/run-import.ts'
import { builtFile } from '../../support/built-file.ts'
import { treebootIn } from '../../support/cli.ts'
import { faultyServer } from '../../support/faulty-server.ts'
import { isSearch } from '../../support/fuzz.ts'
import { writeIso } from '../../support/iso/write-iso.ts'
import { tarOf } from '../../support/tar.ts'
import { imagesOfTree, temporaryFolder, treeinfoText, writeBelow } from '../../support/tree-folder.ts'

const mib = 1 << 20
const bigBytes = 64 * mib
const id = 'fedora-40-server-x86_64'

/** A disc with a file that is large enough for a Ctrl-C in the middle. On this disk it is a hole. */
function makeDisc(file: string): void {
  const sector = 2048
  // Behind everything else on the disc.
  const block = 2000
  const big = { pieces: [{ block, length: bigBytes }] }
  writeFileSync(
    file,
    writeIso({ files: { '.treeinfo': treeinfoText(), ...imagesOfTree(), 'zz/big': big } }).bytes,
  )
  truncateSync(file, block * sector + bigBytes)
}

interface Ran {
  readonly code: number | null
  readonly err: string
  readonly events: { event: string; [key: string]: unknown }[]
}

/** `treeboot import` in a process of its own; `onStart` may signal it. */
async function runImport(base: string, onStart?: (child: ChildProcess) => Promise<void>): Promise<Ran> {
  const config = join(base, 'config.yaml')
  const args = ['import', '-c', config, '--unpack', '--json', join(base, 'download')]
  const child = spawn(process.execPath, [builtFile('server/main.ts'), ...args], { cwd: base })
  const ended = once(child, 'close')
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), onStart?.(child)])
  const [code] = (await ended) as [number | null]
  const events = out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Ran['events'][number])
  return { code, err, events }
}

// It takes three seconds: each run is a process of its own.
test.runIf(isSearch)(
  'after Ctrl-C in a large file nothing is visible, and the same command resumes it; events have a rate',
  async () => {
    const base = temporaryFolder()
    const trees = join(base, 'trees')
    mkdirSync(trees)
    writeFileSync(join(base, 'config.yaml'), 'paths: { trees: trees }\n')
    makeDisc(join(base, 'download'))

    const first = await runImport(base, async (child) => {
      while (child.exitCode === null && (partOf(trees)?.size ?? 0) < 8 * mib)
        await new Promise((resolve) => setTimeout(resolve, 2))
      child.kill('SIGINT')
    })
    expect([first.code, first.err.trim()]).toEqual([
      1,
      expect.stringMatching(
        /^interrupted: nothing was published; this command resumes the import:\n {2}treeboot import \S+/m,
      ),
    ])
    expect(first.events.map(({ event }) => event)).not.toContain('published')
    expect(readdirSync(trees)).toEqual(['.treeboot'])
    const had = partOf(trees)
    expect(had?.size).toBeLessThan(bigBytes)

    const second = await runImport(base)
    expect([second.code, second.err]).toEqual([0, ''])
    const progress = second.events.filter(({ event }) => event === 'progress')
    expect(progress[0]).toMatchObject({
      stage: 'reading',
      totalBytes: expect.any(Number),
      bytesPerSecond: expect.any(Number),
    })
    expect(second.events.at(-1)).toMatchObject({
      event: 'published',
      id,
      version: 1,
      files: 5, // .treeinfo, three images, zz/big
      resumed: true,
    })
    const { size, ino } = statSync(join(trees, id, 'zz/big'))
    expect([size, ino]).toEqual([bigBytes, had?.ino])
    expect(readdirSync(join(trees, '.treeboot'))).toEqual(['versions'])
  },
  120_000,
)

/** The file that is being written: the largest one in the temporary folder. */
function partOf(trees: string): Stats | undefined {
  const incoming = join(trees, '.treeboot/incoming')
  const [job = ''] = existsSync(incoming) ? readdirSync(incoming) : []
  const tempFolder = join(incoming, job, 'aside')
  const parts = (existsSync(tempFolder) ? readdirSync(tempFolder) : []).flatMap(
    (name) => statSync(join(tempFolder, name), { throwIfNoEntry: false }) ?? [],
  )
  return parts.sort((a, b) => b.size - a.size)[0]
}

test('the command that resumes has every option of the first one', () => {
  const options = { id: 'zz top', replace: true, json: false, key: ['a.asc', 'b.asc'], bootOnly: true }
  expect(commandLine(['mirror', 'http://m/f 40/'], options)).toBe(
    "treeboot mirror 'http://m/f 40/' --id 'zz top' --replace --key a.asc --key b.asc --boot-only",
  )
})

describe('a disc whose initrd boots only from that disc', () => {
  const netbootPath = 'dists/bookworm/main/installer-amd64/current/images/netboot/netboot.tar.gz'
  const info = 'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST with firmware 20240210-11:27'

  async function home() {
    const cwd = temporaryFolder()
    mkdirSync(join(cwd, 'trees'))
    writeBelow(cwd, 'disc/.disk/info', info)
    for (const name of ['vmlinuz', 'initrd.gz']) writeBelow(cwd, `disc/install.amd/${name}`, `the ${name}`)
    const tar = tarOf([
      { path: 'version.info', data: 'Debian version:  12 (bookworm)\nInstaller build: 20230607+deb12u5\n' },
      { path: 'debian-installer/amd64/linux', data: 'a kernel' },
      { path: 'debian-installer/amd64/initrd.gz', data: 'an initrd' },
    ])
    writeBelow(cwd, `archive/${netbootPath}`, gzipSync(tar))
    const server = await faultyServer(join(cwd, 'archive'))
    return { cwd, archive: server.url.replace(/\/$/, '') }
  }

  test('the import names the archive of the distribution, or the one in the configuration', async () => {
    const { cwd, archive } = await home()
    const plain = await treebootIn(cwd, 'import', 'disc', '--id', 'deb')
    expect(plain).toMatchObject({ code: 0 })
    expect(plain.err).toContain(
      `treeboot import https://deb.debian.org/debian/${netbootPath} --id deb-netboot`,
    )
    writeFileSync(join(cwd, 'config.yaml'), `import: { archives: { debian: "${archive}/" } }\n`)
    const nearer = await treebootIn(cwd, 'import', 'disc', '--id', 'deb')
    expect(nearer.err).toContain(`treeboot import ${archive}/${netbootPath} --id deb-netboot`)
  })

  test('--with-netboot imports the right images, too', async () => {
    const { cwd, archive } = await home()
    writeFileSync(join(cwd, 'config.yaml'), `import: { archives: { debian: "${archive}" } }\n`)
    const ran = await treebootIn(cwd, 'import', 'disc', '--id', 'deb', '--with-netboot')
    expect(ran).toMatchObject({ code: 0, err: '' })
    expect(existsSync(join(cwd, 'trees/deb-netboot/debian-installer/amd64/initrd.gz'))).toBe(true)
    const { out } = await treebootIn(cwd, 'lookup', '--distro', 'debian', '--version', '12')
    expect(JSON.parse(out)).toMatchObject({ tree: { id: 'deb-netboot' } })
  })

  test('every command names the configured archive, and then the tree with the images', async () => {
    const { cwd, archive } = await home()
    writeFileSync(join(cwd, 'config.yaml'), `import: { archives: { debian: "${archive}" } }\n`)
    // The second is copied by hand, and the images of the first are right for it as well.
    for (const id of ['dvd', 'dvd2']) cpSync(join(cwd, 'disc'), join(cwd, 'trees', id), { recursive: true })
    const asked = [['check'], ['lookup', '--tree', 'dvd2'], ['import', 'disc', '--id', 'deb']]
    for (const words of [...asked, ['inspect', 'trees/dvd2']]) {
      const { out, err } = await treebootIn(cwd, ...words)
      expect(out + err, words.join(' ')).toContain(`treeboot import ${archive}/${netbootPath}`)
      expect(out + err, words.join(' ')).not.toContain('deb.debian.org')
    }
    await treebootIn(cwd, 'import', `${archive}/${netbootPath}`, '--id', 'images')
    for (const words of [...asked, ['import', 'disc', '--id', 'new', '--with-netboot']]) {
      const { out, err } = await treebootIn(cwd, ...words)
      expect(out + err, words.join(' ')).toContain('use tree images,')
      expect(out + err, words.join(' ')).not.toContain(netbootPath)
    }
    await treebootIn(cwd, 'import', `${archive}/${netbootPath}`, '--id', 'dvd2-netboot')
    const { out } = await treebootIn(cwd, 'lookup', '--tree', 'dvd2')
    expect(JSON.parse(out).notes[0]).toContain('use tree dvd2-netboot,')
  })
})
