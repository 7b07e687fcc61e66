import { setTimeout as pause } from 'node:timers/promises'
import type { Command } from 'commander'
import { type Step, stepWords } from '../../core/boots/boot.ts'
import type { BootEvent } from '../../core/boots/boot-event.ts'
import { reasonNamed } from '../../core/boots/reasons.ts'
import { Failure } from '../../core/failure.ts'
import { stepText } from '../../feed/boot-words.ts'
import type { BootStore } from '../../store/boots.ts'
import { openExistingStore } from '../../store/sqlite/open.ts'
import { readBoot } from '../../timeline/boots.ts'
import { type CommonOptions, configOption, jsonOption, readSnapshot } from '../options.ts'
import { clock } from '../output/boots.ts'
import type { CliIo } from '../output/io.ts'
import { stateText } from '../output/states.ts'
import { printable } from '../output/table.ts'

interface WatchOptions extends CommonOptions {
  readonly once?: boolean
}

/** The server writes once a second. */
const everyMs = 500
const pageSize = 1000
const packagesEveryMs = 10_000

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
  const { config } = await readSnapshot(options, io)
  const store = await openExistingStore(config.paths)
  if (!store) throw new Failure('not-found', `${config.paths.data} has no store yet; start the server first`)
  const printer = new Printer(store.boots, guest, options, io)
  try {
    let seq = options.once ? await firstOfHour(store.boots) : (await store.boots.last()).event
    if (!options.json && !options.once) io.err(`watching ${guest ?? 'all machines'}; end with Ctrl-C\n`)
    // Reading the store's number of changes costs a fraction of a query.
    for (let isNew = true; ; isNew = store.changedElsewhere()) {
      if (isNew) seq = await printer.printAfter(seq)
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
    const recent = events.findIndex(({ atMs }) => atMs > Date.now() - 3_600_000)
    if (recent >= 0) return (events[recent]?.seq ?? 1) - 1
    const last = events.at(-1)
    if (!last || events.length < pageSize) return last?.seq ?? seq
    seq = last.seq
  }
}

/** Prints events as lines. A step that goes on, such as packages or a log, gets one line now and then. */
class Printer {
  readonly #store: BootStore
  readonly #guest: string | undefined
  readonly #options: WatchOptions
  readonly #io: CliIo
  /** By boot: the state that was printed last. */
  readonly #states = new Map<number, string>()
  /** By boot: when its packages, and its log, were printed last. */
  readonly #printed = { packages: new Map<number, number>(), log: new Map<number, number>() }
  /** By boot: the fault that was printed last. */
  readonly #faults = new Map<number, string>()

  constructor(store: BootStore, guest: string | undefined, options: WatchOptions, io: CliIo) {
    this.#store = store
    this.#guest = guest
    this.#options = options
    this.#io = io
  }

  /** Resolves to the number of the last event. */
  async printAfter(seq: number): Promise<number> {
    let last = seq
    for (;;) {
      const events = await this.#store.eventsAfter(last, pageSize)
      for (const event of events) {
        last = event.seq
        if (this.#guest === undefined || event.guest === this.#guest || event.machine === this.#guest)
          await this.#print(event)
      }
      if (events.length < pageSize) return last
    }
  }

  async #print(event: BootEvent): Promise<void> {
    if (this.#options.json) {
      this.#io.out(`${JSON.stringify(event)}\n`)
      return
    }
    if (event.removed) return
    const who = printable(event.machine)
    for (const step of event.steps) {
      if (!this.#isDue(event.boot, step)) continue
      const text = `${stepWords[step.kind].padEnd(14)} ${stepText(step)}`
      this.#io.out(`${clock(step.endMs)}  ${who}  ${printable(text).trimEnd()}\n`)
    }
    const state = `${event.state} ${event.reason ?? ''}`
    const before = this.#states.get(event.boot) ?? 'running '
    if (before === state) return
    remember(this.#states, event.boot, state)
    this.#io.out(
      `${clock(event.atMs)}  ${who}  ${stateText('boot', event.state, this.#io)}${await this.#why(event)}\n`,
    )
  }

  #isDue(boot: number, { kind, endMs, fault }: Step): boolean {
    if (kind !== 'packages' && kind !== 'log') return true
    const isNewFault = fault !== undefined && this.#faults.get(boot) !== fault
    if (isNewFault) remember(this.#faults, boot, fault)
    const printed = this.#printed[kind]
    if (!isNewFault && endMs - (printed.get(boot) ?? 0) < packagesEveryMs) return false
    remember(printed, boot, endMs)
    return true
  }

  async #why({ boot: id, reason }: BootEvent): Promise<string> {
    if (reason === undefined) return ''
    const boot = await readBoot(this.#store, id, Date.now())
    const { seen, try: attempt } = reasonNamed(reason)
    return boot ? `: ${printable(seen(boot))} Try: ${attempt}` : `: ${reason}`
  }
}

/** Keeps the newest boots only: `watch` may run for months. */
function remember<T>(map: Map<number, T>, boot: number, value: T): void {
  map.delete(boot)
  map.set(boot, value)
  const [oldest = 0] = map.keys()
  if (map.size > pageSize) map.delete(oldest)
}
