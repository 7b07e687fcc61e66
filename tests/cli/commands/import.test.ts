import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
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
import { expect, test } from 'vitest'
import { commandLine } from '../../../server/cli/run-import.ts'
import { builtFile } from '../../support/built-file.ts'
import { isSearch } from '../../support/fuzz.ts'
import { writeIso } from '../../support/iso/write-iso.ts'
import { imagesOfTree, temporaryFolder, treeinfoText } from '../../support/tree-folder.ts'

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
