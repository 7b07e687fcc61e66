import type { BootBody, BootEventBody } from '../../api/types.ts'
import { stepWords } from '../../core/boots/boot.ts'
import { stepText } from '../../feed/boot-words.ts'
import { clock } from './boots.ts'
import type { CliIo } from './io.ts'
import { stateText } from './states.ts'
import { printable } from './table.ts'

export interface PrinterParts {
  readonly json: boolean
  readonly io: Pick<CliIo, 'out' | 'color'>
  /** Why a boot does not go on; undefined for one that is gone. */
  readonly reasonOf: (boot: number) => Promise<BootBody['reason'] | undefined>
}

type Step = BootEventBody['steps'][number]

/** Boots whose state is remembered: `watch` may run for months. */
const mostRemembered = 1000
const packagesEveryMs = 10_000

/** Prints events of boots as lines. A step that goes on, such as packages or a log, gets one line now and then. */
export class BootEventPrinter {
  readonly #parts: PrinterParts
  /** By boot: the state that was printed last. */
  readonly #states = new Map<number, string>()
  /** By boot: when its packages, and its log, were printed last. */
  readonly #printed = { packages: new Map<number, number>(), log: new Map<number, number>() }
  /** By boot: the fault that was printed last. */
  readonly #faults = new Map<number, string>()

  constructor(parts: PrinterParts) {
    this.#parts = parts
  }

  async print(event: BootEventBody): Promise<void> {
    const { json, io } = this.#parts
    if (json) {
      io.out(`${JSON.stringify(event)}\n`)
      return
    }
    if (event.removed) return
    const who = printable(event.machine)
    for (const step of event.steps) {
      if (!this.#isDue(event.boot, step)) continue
      const text = `${stepWords[step.kind].padEnd(14)} ${stepText(step)}`
      io.out(`${clock(Date.parse(step.end))}  ${who}  ${printable(text).trimEnd()}\n`)
    }
    const state = `${event.state} ${event.reason ?? ''}`
    const before = this.#states.get(event.boot) ?? 'running '
    if (before === state) return
    remember(this.#states, event.boot, state)
    const shown = stateText('boot', event.state, io)
    io.out(`${clock(Date.parse(event.at))}  ${who}  ${shown}${await this.#why(event)}\n`)
  }

  #isDue(boot: number, { kind, end, fault }: Step): boolean {
    if (kind !== 'packages' && kind !== 'log') return true
    const isNewFault = fault !== null && this.#faults.get(boot) !== fault
    if (isNewFault) remember(this.#faults, boot, fault)
    const printed = this.#printed[kind]
    const endMs = Date.parse(end)
    if (!isNewFault && endMs - (printed.get(boot) ?? 0) < packagesEveryMs) return false
    remember(printed, boot, endMs)
    return true
  }

  async #why({ boot, reason }: BootEventBody): Promise<string> {
    if (reason === null) return ''
    const words = await this.#parts.reasonOf(boot)
    return words ? `: ${printable(words.seen)} Try: ${words.try}` : `: ${reason}`
  }
}

/** Keeps the newest boots only. */
function remember<T>(map: Map<number, T>, boot: number, value: T): void {
  map.delete(boot)
  map.set(boot, value)
  const [oldest = 0] = map.keys()
  if (map.size > mostRemembered) map.delete(oldest)
}
