import { publishedTree, versionsInUse } from '../api/published-trees.ts'
import { removeTree } from '../api/tree-removal.ts'
import type { TreeRemovalBody } from '../api/types.ts'
import { Failure } from '../core/failure.ts'
import { bytes as size } from '../events/units.ts'
import { definitionsHere } from './definition-change.ts'
import { boundVersions, readStoredStates } from './guest-store.ts'
import { type CommonOptions, readSnapshot } from './options.ts'
import { type CliIo, exitCodes } from './output/io.ts'
import { count, json } from './output/table.ts'
import { serverOf } from './remote/connect.ts'
import { dryRunQuery } from './remote/definitions.ts'

/** The removal of a whole tree by a command: `treeboot trees rm` without `--version`. */

export const dayMs = 86_400_000

export interface WholeTreeOptions extends CommonOptions {
  readonly allVersions?: boolean
  readonly replaceBy?: string
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly now?: boolean
}

type Remove = (dryRun: boolean) => Promise<TreeRemovalBody>

export async function removeWholeTree(id: string, options: WholeTreeOptions, io: CliIo): Promise<void> {
  if (options.now && !options.allVersions)
    throw new Failure('bad-request', '--now is for versions: give --version or --all-versions, too')
  const remove = (await removingThere(id, options, io)) ?? removingHere(id, options, io)
  // Whether it is possible, before anybody is asked.
  const tried = await remove(true)
  if (options.dryRun) return print(tried, options, io)
  const { deleted } = tried
  const question = options.allVersions
    ? removing(`${id} with ${count(deleted.length, 'version')}`)
    : { question: `Take ${id} away from clients?`, text: `takes ${id} away from clients` }
  if (!(await isAgreed(question, options, io))) return io.exit(exitCodes.failed)
  print(await remove(false), options, io)
}

async function removingThere(id: string, options: WholeTreeOptions, io: CliIo): Promise<Remove | undefined> {
  const server = await serverOf(options, io)
  if (!server) return undefined
  if (options.now)
    throw new Failure('unsupported', '--now is for whoever sees the machines: run it beside the server')
  const { replaceBy, allVersions } = options
  const query = {
    ...(replaceBy !== undefined && { 'replace-by': replaceBy }),
    ...(allVersions && { versions: 'all' as const }),
  }
  return (dryRun) =>
    server.call('deleteTree', { params: { id }, query: { ...query, ...dryRunQuery(dryRun) } })
}

function removingHere(name: string, options: WholeTreeOptions, io: CliIo): Remove {
  return async (dryRun) => {
    // The other tree must be whole; else no digest matters.
    const read = async () =>
      readStoredStates(await readSnapshot({ ...options, verify: options.replaceBy !== undefined }, io), io)
    let stored = await read()
    const tree = await publishedTree({ snapshot: () => stored.snapshot }, name)
    const wanted = { replaceBy: options.replaceBy, all: options.allVersions === true, dryRun }
    return removeTree(tree, wanted, {
      snapshot: () => stored.snapshot,
      machines: { stateOf: (guest) => stored.stateOf(guest) },
      definitions: await definitionsHere(options, io),
      async needed() {
        const nowMs = Date.now()
        const pinned = await boundVersions(stored.snapshot.config, nowMs)
        return versionsInUse(tree, { pinned, graceMs: options.now ? 0 : dayMs, nowMs })
      },
      async onReplaced() {
        stored = await read()
      },
    })
  }
}

function print(removal: TreeRemovalBody, options: WholeTreeOptions, io: CliIo): void {
  if (options.json) {
    io.out(json(removal))
    return
  }
  const { id, removed, users, others, deleted, version } = removal
  for (const { where, difference } of others)
    io.out(`${difference}${where}: ${removed ? 'changed' : 'would be changed'}\n`)
  for (const { kind, name, where } of users)
    io.out(`${kind} ${name} (${where}) ${removed ? 'gets' : 'would get'} ${options.replaceBy}\n`)
  const bytes = deleted.reduce((sum, each) => sum + each.bytes, 0)
  const numbers = deleted.map((each) => each.version).join(', ')
  const all = `${deleted.length === 1 ? 'version' : 'versions'} ${numbers}, ${size(bytes)}`
  if (!removed)
    io.out(
      options.allVersions
        ? `${id}: would be removed (${all}); nothing was changed (--dry-run)\n`
        : `${id}: version ${version} would be taken away from clients; nothing was changed (--dry-run)\n`,
    )
  else if (options.allVersions) io.out(`${id}: removed (${all})\n`)
  else
    io.out(`${id}: clients see version ${version} no more; "treeboot trees rollback ${id}" offers it again\n`)
}

interface Question {
  readonly question: string
  /** What it does, after "this". */
  readonly text: string
}

export function removing(what: string): Question {
  return { question: `Remove ${what} from the disk?`, text: `removes ${what} from the disk` }
}

/** @throws Failure `bad-request` when nobody can be asked. */
export async function isAgreed(
  { question, text }: Question,
  { yes }: Pick<WholeTreeOptions, 'yes'>,
  io: CliIo,
): Promise<boolean> {
  if (yes === true) return true
  const agreed = await io.ask(`${question} [y/N] `)
  if (agreed === undefined)
    throw new Failure(
      'bad-request',
      `this ${text}. Nothing was changed: nobody can be asked here; give --yes`,
    )
  if (!agreed) io.err('nothing was changed\n')
  return agreed
}
