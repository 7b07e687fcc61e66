import { createHash } from 'node:crypto'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { cleanPath } from '../../server/files/path.ts'
import { Uploads } from '../../server/intake/uploads/uploads.ts'
import { leftovers, removeLeftovers } from '../../server/versions/leftovers.ts'
import { VersionStore } from '../../server/versions/version-store.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { commitCount } from '../support/commit-count.ts'
import { id, treesIn, type WorkName, works } from '../support/publishing-work.ts'
import {
  bundleChild,
  type Fault,
  faultsIn,
  runTraced,
  type TracedChild,
  type TracedRun,
  textOf,
} from '../support/system-calls.ts'
import { makeTree, namesBelow } from '../support/tree-folder.ts'

/**
 * Everything that publishes is killed, or gets a full disk, at each of its system calls that change something.
 * At every such moment the tree's name leads to the old tree or the new one; after the next start of a server it
 * leads to what was acknowledged; and doing the work again succeeds.
 *
 * Each run tries a twelfth of the calls, another one for each commit. EVERY_CALL=FILE tries all, and adds a line
 * for each to a table.
 */
const { EVERY_CALL: table } = process.env
const share = 12

interface Operation {
  readonly work: WorkName
  /** The tree that is shown before, and the one that is shown when the work has ended. */
  readonly from: string
  readonly to: string
  /** Publishes versions one after the other. */
  readonly published?: readonly string[]
  /** A folder placed by hand. */
  readonly byHand?: string
  readonly withoutExchange?: boolean
}

const operations: Readonly<Record<string, Operation>> = {
  import: { work: 'import', published: ['40'], from: '40', to: '41' },
  'import --replace': { work: 'replace', byHand: '40', from: '40', to: '41' },
  'import --replace where names cannot be exchanged': {
    work: 'replace',
    byHand: '40',
    from: '40',
    to: '41',
    withoutExchange: true,
  },
  'an upload that replaces a folder': { work: 'upload', byHand: '40', from: '40', to: '41' },
  'an upload of the next version': { work: 'upload', published: ['40'], from: '40', to: '41' },
  rollback: { work: 'rollback', published: ['41', '40'], from: '40', to: '41' },
  gc: { work: 'gc', published: ['38', '39', '40'], from: '40', to: '40' },
}

let folder: string
let child: TracedChild
beforeAll(async () => {
  // In memory, where a sync takes no time: what is on the disk after a crash of the machine is another test.
  folder = realpathSync(mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'treeboot-calls-')))
  child = await bundleChild()
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
  child.remove()
})
beforeEach(() => {
  requireClient('strace')
  requireRoot()
})

test.each(Object.entries(operations))(
  '%s',
  async (name, operation) => {
    const begun = join(folder, name.replaceAll(' ', '-'))
    await begin(begun, operation)
    const options = { child, work: operation.work, withoutExchange: operation.withoutExchange ?? false }
    const counted = await runTraced({ ...options, home: copyOf(begun) })
    expect(counted).toMatchObject({ outcome: 'ended', err: '' })
    const faults = faultsIn(counted.calls, options)
    const chosen = faults.filter((_, at) => table !== undefined || at % share === commitCount() % share)
    const wrong: string[] = []
    let missed = 0
    for (const fault of chosen) {
      const home = copyOf(begun)
      const run = await runTraced({ ...options, home, fault })
      if (!run.isHit) missed++
      const row = await judge(home, { ...operation, fault }, run)
      const outcome = run.isHit ? run.outcome : `not hit, ${run.outcome}`
      const line = [name, textOf(fault.call), fault.how, outcome, ...row.seen].join('\t')
      if (row.wrong.length > 0) wrong.push(`${line}: ${row.wrong.join('; ')} ${run.err}`)
      if (table !== undefined) appendFileSync(table, `${line}\t${row.wrong.join('; ')}\n`)
      rmSync(home, { recursive: true, force: true })
    }
    expect(wrong).toEqual([])
    expect(faults.length).toBeGreaterThan(20)
    // Concurrent work changes its order now and then, and some calls are then not met.
    expect(missed).toBeLessThanOrEqual(Math.ceil(chosen.length / 10))
  },
  3_600_000,
)

async function begin(home: string, { published = [], byHand }: Operation): Promise<void> {
  makeTree(join(home, 'new'), { version: '41' })
  mkdirSync(join(treesIn(home), '.treeboot/incoming'), { recursive: true })
  if (byHand !== undefined) makeTree(join(treesIn(home), id), { version: byHand })
  for (const version of published) {
    const path = join(treesIn(home), '.treeboot/incoming', version)
    makeTree(path, { version })
    await new VersionStore(treesIn(home)).publish({ id, kind: 'folder', path, source: 'a test' })
  }
}

let copies = 0
function copyOf(begun: string): string {
  const home = join(folder, `run${++copies}`)
  cpSync(begun, home, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
  return home
}

/** Looks at what everybody sees, starts a server, and does the work again. */
async function judge(
  home: string,
  { work, from, to, ...circumstances }: Operation & { readonly fault: Fault },
  { outcome, promises }: TracedRun,
): Promise<{ readonly seen: readonly string[]; readonly wrong: readonly string[] }> {
  const wrong: string[] = []
  const check = (isRight: boolean, what: string): void => void (isRight || wrong.push(what))
  const atOnce = shown(home)
  check(
    [from, to, ...(isBetweenRenames(circumstances) ? ['nothing'] : [])].includes(atOnce),
    `shows ${atOnce}`,
  )
  await startAndStop(home, (uploads) => {
    const received = promises.filter((line) => line.startsWith('received ')).map((line) => line.slice(9))
    for (const path of shown(home) === to ? [] : received) {
      check(isWhole(home, path), `${path} was received and is not there`)
      check(!uploads.isPartial(cleanPath(path)), `${path} was received and counts as cut off`)
    }
  })
  const restarted = shown(home)
  check([from, to].includes(restarted), `after a start the name leads to ${restarted}`)
  check(outcome !== 'ended' || restarted === to, `acknowledged, and after a start it leads to ${restarted}`)
  check(atOnce !== to || restarted === to, 'the new tree was public, and was taken back')
  try {
    if (restarted !== to || work === 'gc') await works[work]({ home, say: () => undefined })
  } catch (error) {
    wrong.push(`the second try: ${error}`)
  }
  check(shown(home) === to, `the second try shows ${shown(home)}`)
  await removeLeftovers(treesIn(home))
  check((await leftovers(treesIn(home))).length === 0, 'leftovers')
  check(shown(home) === to, 'gc removed what was current')
  return { seen: [atOnce, restarted], wrong }
}

/** Where names cannot be exchanged, a kill between two renames leaves no name. The next start makes it. */
function isBetweenRenames({ withoutExchange, fault }: Pick<Operation, 'withoutExchange'> & { fault: Fault }) {
  return withoutExchange === true && fault.how === 'kill' && textOf(fault.call).endsWith(`-PID trees/${id}`)
}

async function startAndStop(home: string, look: (uploads: Uploads) => void): Promise<void> {
  const troubles: string[] = []
  const uploads = new Uploads({
    trees: () => treesIn(home),
    events: (event) => troubles.push(JSON.stringify(event)),
    quietMs: 1e9,
  })
  await uploads.start()
  look(uploads)
  await uploads.stop()
  expect(troubles).toEqual([])
}

/** The version of the whole tree that the name leads to, or what is wrong with it. */
function shown(home: string): string {
  const name = join(treesIn(home), id)
  if (!existsSync(name)) return 'nothing'
  const tree = digestOf(realpathSync(name))
  return ['38', '39', '40', '41'].find((version) => wholeDigest(version) === tree) ?? 'half a tree'
}

const digests = new Map<string, string>()
function wholeDigest(version: string): string {
  const known = digests.get(version)
  if (known !== undefined) return known
  const whole = join(folder, `whole-${version}`)
  makeTree(whole, { version })
  digests.set(version, digestOf(whole))
  return wholeDigest(version)
}

function digestOf(tree: string): string {
  const hash = createHash('sha256')
  for (const path of namesBelow(tree)) hash.update(`${path}\0`).update(readFileSync(join(tree, path)))
  return hash.digest('hex')
}

/** Whether an uploaded file, such as `/x/.treeinfo`, is as it was sent. */
function isWhole(home: string, path: string): boolean {
  const sent = join(home, 'new', path.slice(id.length + 2))
  const kept = join(treesIn(home), '.treeboot/incoming/uploads', path)
  return existsSync(kept) && existsSync(dirname(kept)) && readFileSync(kept).equals(readFileSync(sent))
}
