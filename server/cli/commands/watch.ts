import { setTimeout as pause } from 'node:timers/promises'
import type { Command } from 'commander'
import { bootSummaryView } from '../../api/boot-views.ts'
import { bootEvent } from '../../api/schemas/boots.ts'
import type { BootEventBody } from '../../api/types.ts'
import { Failure } from '../../core/failure.ts'
import { canonicalMac } from '../../core/net/mac.ts'
import { bootEventView } from '../../feed/views.ts'
import type { BootStore } from '../../store/boots.ts'
import { openExistingStore } from '../../store/sqlite/open.ts'
import { readBoot } from '../../timeline/boots.ts'
import { type CommonOptions, configOption, jsonOption, readSnapshot } from '../options.ts'
import { BootEventPrinter } from '../output/boot-events.ts'
import type { CliIo } from '../output/io.ts'
import type { ApiClient } from '../remote/client.ts'
import { serverOf } from '../remote/connect.ts'
import { followEvents } from '../remote/follow-events.ts'

interface WatchOptions extends CommonOptions {
  readonly once?: boolean
}

/** What of all events is printed. */
type Wanted = (event: Pick<BootEventBody, 'guest' | 'machine'>) => boolean

/** The server writes once a second. */
const everyMs = 500
const pageSize = 1000
const hourMs = 3_600_000

export function registerWatch(program: Command, io: CliIo): void {
  program
    .command('watch')
    .description('show what machines boot as it happens, one line for each step; ends with Ctrl-C')
    .argument('[guest]', 'only this guest, or the machine with this MAC')
    .option('--once', 'show what is known of the last hour, and end')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((guest: string | undefined, options: WatchOptions) => watch(guest, options, io))
}

async function watch(guest: string | undefined, options: WatchOptions, io: CliIo): Promise<void> {
  const server = await serverOf(options, io)
  await (server ? watchThere(guest, server, { options, io }) : watchHere(guest, options, io))
}

function sayBegin(guest: string | undefined, options: WatchOptions, io: CliIo): void {
  if (!options.json) io.err(`watching ${guest ?? 'all machines'}; end with Ctrl-C\n`)
}

/** @param guestWith The name of the guest whose machine has a MAC. */
async function wantedOf(
  text: string | undefined,
  guestWith: (mac: string) => Promise<string | undefined>,
): Promise<Wanted> {
  if (text === undefined) return () => true
  const mac = canonicalMac(text)
  const name = (mac === undefined ? undefined : await guestWith(mac)) ?? text
  return ({ guest, machine }) => guest === name || machine === (mac ?? name)
}

async function watchHere(guest: string | undefined, options: WatchOptions, io: CliIo): Promise<void> {
  const { config, guests } = await readSnapshot(options, io)
  const store = await openExistingStore(config.paths)
  if (!store) throw new Failure('not-found', `${config.paths.data} has no store yet; start the server first`)
  const isWanted = await wantedOf(guest, async (mac) => {
    return guests.all.find(({ macs }) => macs.includes(mac))?.name
  })
  const printer = new BootEventPrinter({
    json: options.json === true,
    io,
    async reasonOf(id) {
      const boot = await readBoot(store.boots, id, Date.now())
      return boot && bootSummaryView(boot).reason
    },
  })
  try {
    let seq = options.once ? await firstOfHour(store.boots) : (await store.boots.last()).event
    if (!options.once) sayBegin(guest, options, io)
    // Reading the store's number of changes costs a fraction of a query.
    for (let isNew = true; ; isNew = store.changedElsewhere()) {
      if (isNew) seq = await printAfter(seq, store.boots, { isWanted, printer })
      if (options.once) return
      await pause(everyMs)
    }
  } finally {
    await store.close()
  }
}

async function firstOfHour(store: BootStore): Promise<number> {
  let seq = 0
  for (;;) {
    const events = await store.eventsAfter(seq, pageSize)
    const recent = events.findIndex(({ atMs }) => atMs >= Date.now() - hourMs)
    if (recent >= 0) return (events[recent]?.seq ?? 1) - 1
    const last = events.at(-1)
    if (!last || events.length < pageSize) return last?.seq ?? seq
    seq = last.seq
  }
}

/** Resolves to the number of the last event. */
async function printAfter(
  seq: number,
  store: BootStore,
  { isWanted, printer }: { readonly isWanted: Wanted; readonly printer: BootEventPrinter },
): Promise<number> {
  let last = seq
  for (;;) {
    const events = await store.eventsAfter(last, pageSize)
    for (const event of events) {
      last = event.seq
      const view = bootEventView(event)
      if (isWanted(view)) await printer.print(view)
    }
    if (events.length < pageSize) return last
  }
}

async function watchThere(
  guest: string | undefined,
  server: ApiClient,
  { options, io }: { readonly options: WatchOptions; readonly io: CliIo },
): Promise<void> {
  const isWanted = await wantedOf(guest, async (mac) => {
    const { items } = await server.call('listGuests', { query: { q: mac } })
    return items.find(({ macs }) => macs.includes(mac))?.name
  })
  const printer = new BootEventPrinter({
    json: options.json === true,
    io,
    reasonOf: (id) => reasonAt(server, id),
  })
  if (options.once) {
    const since = new Date(Date.now() - hourMs).toISOString()
    for await (const event of server.each('listBootEvents', { query: { since } }))
      if (isWanted(event)) await printer.print(event)
    return
  }
  const events = followEvents(server, {
    query: { types: 'boots' },
    onOpen: () => sayBegin(guest, options, io),
    onTrouble: (text) => io.err(`${text}\n`),
  })
  for await (const { event: type, data } of events) {
    if (type === 'reset') sayReset(options, io)
    const event = type === 'boots' ? eventIn(data, server) : undefined
    if (event && isWanted(event)) await printer.print(event)
  }
}

function sayReset(options: WatchOptions, io: CliIo): void {
  if (options.json) io.out('{"type":"reset"}\n')
  io.err('nobody knows any more what happened meanwhile; treeboot boots shows where each machine is now\n')
}

function eventIn(data: string, server: ApiClient): BootEventBody {
  try {
    const value: unknown = JSON.parse(data)
    // It is printed as it came: a newer server may say more than we know.
    if (bootEvent.safeParse(value).success) return value as BootEventBody
  } catch {
    // Said below.
  }
  throw new Failure('invalid-data', `${server.url} sends events of boots that treeboot does not know here`)
}

/** A boot that was removed meanwhile has none; what the server cannot say now is not waited for. */
async function reasonAt(server: ApiClient, id: number) {
  try {
    return (await server.call('getBoot', { params: { id: String(id) } })).reason
  } catch (error) {
    if (error instanceof Failure && (error.kind === 'not-found' || error.kind === 'unavailable'))
      return undefined
    throw error
  }
}
