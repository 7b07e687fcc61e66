import { type Command, Option } from 'commander'
import { bootDetailView, bootSummaryView } from '../../api/boot-views.ts'
import type { BootBody, BootDetailBody } from '../../api/types.ts'
import { type BootState, bootStates } from '../../core/boots/boot.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import type { BootStore } from '../../store/boots.ts'
import { openExistingStore } from '../../store/sqlite/open.ts'
import { comparison, listBoots, readBoot } from '../../timeline/boots.ts'
import { type CommonOptions, configOption, jsonOption, readSnapshot } from '../options.ts'
import { bootsTable, bootText } from '../output/boots.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json } from '../output/table.ts'
import { serverOf } from '../remote/connect.ts'

interface ListOptions extends CommonOptions {
  readonly guest?: string
  readonly state?: BootState
  readonly limit: string
}

export function registerBoots(program: Command, io: CliIo): void {
  const boots = program
    .command('boots')
    .description(
      'list what machines booted, those that need a look first; "boots show ID" shows one step by step',
    )
    .option('--guest <name>', 'only boots of this guest')
    .addOption(new Option('--state <state>', 'only boots in this state').choices([...bootStates]))
    .option('--limit <number>', 'at most so many of the newest', '30')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((options: ListOptions) => list(options, io))
  boots
    .command('show')
    .description('show one boot: its steps, and why it does not go on')
    .argument('<id>', 'as treeboot boots shows it')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((id: string, _options: CommonOptions, command: Command) =>
      show(id, command.optsWithGlobals<CommonOptions>(), io),
    )
}

async function list(options: ListOptions, io: CliIo): Promise<void> {
  const limit = numberIn(options.limit, '--limit')
  const nowMs = Date.now()
  const filter = { limit, ...defined({ guest: options.guest, state: options.state }) }
  const server = await serverOf(options, io)
  const found = server
    ? (await server.call('listBoots', { query: filter })).items
    : ((await withBoots(options, io, (store) => listBoots(store, filter, nowMs))) ?? []).map(bootSummaryView)
  const boots = [...found].sort((a, b) => rank(a) - rank(b) || b.id - a.id)
  if (options.json) io.out(json(boots))
  else if (boots.length === 0) io.out('no boot yet\n')
  else io.out(bootsTable(boots, nowMs, io))
  if (boots.length === 0) io.exit(exitCodes.notFound)
}

async function show(id: string, options: CommonOptions, io: CliIo): Promise<void> {
  const nowMs = Date.now()
  const server = await serverOf(options, io)
  const boot = server
    ? await server.call('getBoot', { params: { id } })
    : await bootHere(numberIn(id, 'the id of a boot'), nowMs, { options, io })
  io.out(options.json ? json(boot) : bootText(boot, nowMs, io))
}

async function bootHere(
  id: number,
  nowMs: number,
  { options, io }: { readonly options: CommonOptions; readonly io: CliIo },
): Promise<BootDetailBody> {
  const found = await withBoots(options, io, async (store) => {
    const boot = await readBoot(store, id, nowMs)
    return boot && bootDetailView(boot, await comparison(store, boot, nowMs))
  })
  if (!found) throw new Failure('not-found', `no boot ${id}; treeboot boots lists them`)
  return found
}

/** Opens the boots of the store, which a running server may be using. Undefined without a store. */
export async function withBoots<T>(
  options: CommonOptions,
  io: CliIo,
  use: (store: BootStore) => Promise<T>,
): Promise<T | undefined> {
  const { config } = await readSnapshot(options, io)
  const store = await openExistingStore(config.paths)
  if (!store) return undefined
  try {
    return await use(store.boots)
  } finally {
    await store.close()
  }
}

/** Stalled first, then failed and running. */
function rank({ state }: BootBody): number {
  return Math.min(bootStates.indexOf(state), bootStates.indexOf('done'))
}

function numberIn(text: string, what: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new Failure('bad-request', `${what} is ${JSON.stringify(text)}; expected a number from 1`)
}
