import type { Command } from 'commander'
import type { TreeDetail, TreeSummary } from '../../api/types.ts'
import { treeDetail, treeSummary } from '../../api/views.ts'
import { Failure } from '../../core/failure.ts'
import {
  type CommonOptions,
  configOption,
  jsonOption,
  readSnapshot,
  type VerifyOption,
  verifyOption,
} from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { stateCell, stateText } from '../output/states.ts'
import { json, table } from '../output/table.ts'
import { serverOf } from '../remote/connect.ts'
import { registerImport } from './import.ts'
import { registerMirror } from './mirror.ts'
import { registerTreesGc } from './trees-gc.ts'
import { registerTreesHistory } from './trees-history.ts'
import { registerTreesRm } from './trees-rm.ts'
import { registerVerify } from './verify.ts'

export function registerTrees(program: Command, io: CliIo): void {
  const command = program
    .command('trees')
    .description('list the trees below trees/, with the state of each and what is wrong with it')
    .addOption(verifyOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .action((options: CommonOptions & VerifyOption) => listTrees(options, io))
  command
    .command('show')
    .description(
      'show one tree: what it is, its boot files with their digests, its repositories, and its problems',
    )
    .argument('<tree>', 'the id of a tree')
    .addOption(configOption())
    .addOption(jsonOption())
    // `trees` has the same options, and commander stores their values there: hence `optsWithGlobals`.
    .action((id: string, _: unknown, shown: Command) => showTree(id, shown.optsWithGlobals(), io))
  registerImport(command, io)
  registerMirror(command, io)
  registerVerify(command, io)
  registerTreesHistory(command, io)
  registerTreesRm(command, io)
  registerTreesGc(command, io)
}

async function listTrees(options: CommonOptions & VerifyOption, io: CliIo): Promise<void> {
  const server = await serverOf(options, io)
  const trees = server
    ? await server.all('listTrees', {})
    : (await readSnapshot(options, io)).trees.all.map(treeSummary)
  if (options.json) io.out(json(trees))
  else io.out(trees.length === 0 ? 'no trees yet: copy one into trees/\n' : describeTrees(trees, io))
  if (trees.length === 0) io.exit(exitCodes.notFound)
}

/** Nothing is known of it: an image that cannot be read. */
function isUnknown({ state, family }: TreeSummary): boolean {
  return state !== 'ready' && family === ''
}

function describeTrees(trees: readonly TreeSummary[], io: CliIo): string {
  const rows = trees.map((tree) => [
    stateCell('tree', tree.state, io),
    tree.id,
    systemText(tree),
    tree.arch,
    // A pair whose architecture nothing tells has a platform without a name.
    tree.platforms.map((name) => name || 'unknown').join(' ') || (isUnknown(tree) ? '-' : 'packages only'),
  ])
  const reasons = trees.flatMap((tree) => tree.reasons.map((reason) => `${tree.id}: ${reason}\n`))
  return `${table([['STATE', 'TREE', 'SYSTEM', 'ARCH', 'PLATFORMS'], ...rows])}${reasons.length > 0 ? `\n${reasons.join('')}` : ''}`
}

function systemText({
  family,
  version,
  variant,
}: Pick<TreeSummary, 'family' | 'version' | 'variant'>): string {
  return [family, version, variant].filter(Boolean).join(' ')
}

async function showTree(id: string, options: CommonOptions & VerifyOption, io: CliIo): Promise<void> {
  const server = await serverOf(options, io)
  const tree = server ? await server.call('getTree', { params: { id } }) : await treeHere(id, options, io)
  io.out(options.json ? json(tree) : describeTree(tree, io))
}

async function treeHere(id: string, options: CommonOptions & VerifyOption, io: CliIo): Promise<TreeDetail> {
  const tree = (await readSnapshot(options, io)).trees.byId(id)
  if (!tree) throw new Failure('not-found', `no tree ${id}; treeboot trees lists them`)
  // As JSON has it: without what is undefined.
  return JSON.parse(JSON.stringify(treeDetail(tree))) as TreeDetail
}

function describeTree(tree: TreeDetail, io: CliIo): string {
  const { id, state, arch, era, origin, platforms, repositories, problems, reasons } = tree
  const facts = [
    ['system', systemText(tree) || '-'],
    ['arch', arch || '-'],
    ['kept as', origin === 'iso' ? 'an ISO image' : 'a folder'],
    ['described by', era],
    ...(tree.release ? [['version', String(tree.release.version)]] : []),
    ...(tree.upstream === undefined ? [] : [['packages at', tree.upstream]]),
    ...Object.entries(platforms).flatMap(([name, { kernel, initrd }]) => [
      ...fileRow(`${name || 'unknown'} kernel`, kernel, tree),
      ...fileRow(`${name || 'unknown'} initrd`, initrd, tree),
    ]),
    ...fileRow('stage 2', tree.stage2, tree),
    ...repositories.map((each) => ['repository', `${each.path}  ${each.name || each.id} (${each.kind})`]),
    ...reasons.map((reason) => ['why', reason]),
    ...(tree.remedy === undefined ? [] : [['remedy', tree.remedy]]),
    ...problems.map(({ file, line, message }) => [
      'problem',
      [file, line, message].filter((part) => part !== undefined).join(': '),
    ]),
  ]
  return `${id}  ${stateText('tree', state, io)}\n${table(facts.map(([what = '', value = '']) => [`  ${what}`, value]))}`
}

/** A file with its size and digest, as far as they are known. */
function fileRow(what: string, path: string | undefined, { sizes, sha256 }: TreeDetail): string[][] {
  if (path === undefined) return []
  const size = sizes[path]
  const digest = sha256[path]
  const known = [size !== undefined && `${size} bytes`, digest !== undefined && `sha256 ${digest}`]
  return [[what, [path, ...known.filter(Boolean)].join('  ')]]
}
