import { type Command, Option } from 'commander'
import { type Boot, type BootState, bootStates } from '../../core/boots/boot.ts'
import { reasonNamed } from '../../core/boots/reasons.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import type { BootStore } from '../../store/boots.ts'
import { openExistingStore } from '../../store/sqlite/open.ts'
import { comparison, listBoots, readBoot } from '../../timeline/boots.ts'
import { type CommonOptions, configOption, jsonOption, readSnapshot } from '../options.ts'
import { bootsTable, bootText, comparisonText } from '../output/boots.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json } from '../output/table.ts'

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
  const found = (await withBoots(options, io, (store) => listBoots(store, filter, nowMs))) ?? []
  const boots = [...found].sort((a, b) => rank(a) - rank(b) || b.id - a.id)
  if (options.json) io.out(json(boots.map(withReason)))
  else if (boots.length === 0) io.out('no boot yet\n')
  else io.out(bootsTable(boots, nowMs, io))
  if (boots.length === 0) io.exit(exitCodes.notFound)
}

async function show(text: string, options: CommonOptions, io: CliIo): Promise<void> {
  const id = numberIn(text, 'the id of a boot')
  const nowMs = Date.now()
  const found = await withBoots(options, io, async (store) => {
    const boot = await readBoot(store, id, nowMs)
    return boot && { boot, compared: await comparison(store, boot, nowMs) }
  })
  if (!found) throw new Failure('not-found', `no boot ${id}; treeboot boots lists them`)
  const { boot, compared } = found
  if (options.json) io.out(json({ ...withReason(boot), comparison: compared ?? null }))
  else io.out(bootText(boot, nowMs, io) + (compared ? comparisonText(compared) : ''))
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
function rank({ state }: Boot): number {
  return Math.min(bootStates.indexOf(state), bootStates.indexOf('done'))
}

/** With the reason in words, for programs that do not have our table. */
function withReason(boot: Boot): object {
  if (boot.reason === undefined) return boot
  const { id, seen, means, try: attempt } = reasonNamed(boot.reason)
  return { ...boot, reason: { id, seen: seen(boot), means, try: attempt } }
}

function numberIn(text: string, what: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new Failure('bad-request', `${what} is ${JSON.stringify(text)}; expected a number from 1`)
}
