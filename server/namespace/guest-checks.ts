import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Snapshot } from '../catalog/snapshot.ts'
import { whyTooSmall } from '../core/boot/memory.ts'
import { type BootInputs, planGuest, selectForGuest } from '../core/boot/plan-boot.ts'
import { defined } from '../core/defined.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { ownRequester } from '../machines/own-requester.ts'
import { templateDigest } from '../templates/digest.ts'
import type { AnswerCall, Answers } from './answers.ts'

/** The renderer counts its pause by another clock, and would refuse what comes too early. */
const againDelayMs = 100
/** A template rests for an hour at most. */
const longestWaitMs = 3_600_000

/** What was found out about one guest. */
interface Verdict {
  readonly guest: Guest
  /** A digest of all that its answer file was rendered from; absent where none was rendered. */
  readonly key?: string
  /** Why it cannot be installed. */
  readonly why?: string
  /** When that may change although nothing else does: its template took too long, and is tried again. */
  readonly againMs?: number
  /** What its virtual machine lacks, and what may end its installation. */
  readonly warnings: readonly string[]
}

export interface GuestChecksOptions {
  readonly answers: Answers
  readonly inputs: (call: AnswerCall) => BootInputs
  /**
   * How many answer files are rendered for each template. Further guests with the same template mostly differ only in
   * names and addresses. Default: all.
   */
  readonly mostOfOneTemplate?: number
  /** Default: `Date.now`. */
  readonly clock?: () => number
}

/** What the catalog is to those who follow it. */
interface SnapshotSource {
  readonly snapshot: Snapshot
  onChange(listener: (snapshot: Snapshot) => void): unknown
}

/**
 * Finds out in the background which guests cannot be installed, so that the operator hears of it before a machine asks:
 * plans each, and renders its answer file, one after the other. A change costs only what it concerns. A verdict about an
 * answer file holds while the values and templates that it was made from stay the same; so a new guest costs one
 * rendering, and not one for each guest.
 */
export class GuestChecks {
  readonly #options: GuestChecksOptions
  #verdicts: ReadonlyMap<string, Verdict> = new Map()
  /** The newest snapshot that was not looked at yet. */
  #next: Snapshot | undefined
  #looking: Promise<void> | undefined
  #stopped = false
  readonly #clock: () => number
  /** Until a template that took too long is tried again. */
  #again: NodeJS.Timeout | undefined

  constructor(options: GuestChecksOptions) {
    this.#options = options
    this.#clock = options.clock ?? Date.now
  }

  /** Checks the guests of a snapshot. Of several that come while it works, it takes the last. */
  readonly look = (snapshot: Snapshot): void => {
    this.#next = snapshot
    this.#looking ??= this.#lookOn().finally(() => {
      this.#looking = undefined
    })
  }

  /** Checks the snapshot of a catalog now, and each that follows. */
  follow(catalog: SnapshotSource): void {
    catalog.onChange(this.look)
    this.look(catalog.snapshot)
  }

  /** Resolves when the newest snapshot was looked at. */
  async settled(): Promise<void> {
    await this.#looking
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#again)
    await this.settled()
  }

  /** Why a guest cannot be installed although a tree fits it, as far as that is known. */
  whyNot(guest: string): string | undefined {
    return this.#verdicts.get(guest)?.why
  }

  problems(): readonly SnapshotProblem[] {
    const verdicts = [...this.#verdicts.values()]
    const errors = groupedBy(verdicts, ({ why }) => (why === undefined ? [] : [why]))
    const warnings = groupedBy(verdicts, ({ warnings: own }) => own)
    return [
      ...errors.map(({ who, where, text }): SnapshotProblem => {
        return { severity: 'error', where, message: `${who} cannot be installed: ${text}` }
      }),
      ...warnings.map(({ who, where, text }): SnapshotProblem => {
        return { severity: 'warning', where, message: `${who}: ${text}` }
      }),
    ]
  }

  async #lookOn(): Promise<void> {
    for (let snapshot = this.#next; snapshot && !this.#stopped; snapshot = this.#next) {
      this.#next = undefined
      await this.#check(snapshot)
    }
  }

  async #check(snapshot: Snapshot): Promise<void> {
    const who = ownRequester(snapshot.config)
    const digests = new Map<string, string>()
    const counts = new Map<string, number>()
    const verdicts = new Map<string, Verdict>()
    for (const guest of snapshot.guests.all) {
      const template = guest.settings.template?.value
      const count = (counts.get(template ?? '') ?? 0) + 1
      counts.set(template ?? '', count)
      if (template !== undefined && count > (this.#options.mostOfOneTemplate ?? Number.POSITIVE_INFINITY))
        continue
      if (this.#stopped) return
      const digest = digests.get(template ?? '') ?? templateDigest(template ?? '', snapshot.templates)
      digests.set(template ?? '', digest)
      verdicts.set(guest.name, await this.#judge({ guest, who, snapshot }, digest))
    }
    this.#verdicts = verdicts
    this.#lookAgain(snapshot)
  }

  /** A time that is further away than any pause was written before the clock was set back. */
  #isAgain(againMs: number | undefined): boolean {
    if (againMs === undefined) return false
    const leftMs = againMs - this.#clock()
    return leftMs <= 0 || leftMs > longestWaitMs
  }

  /** Looks at the same snapshot again when a template that took too long may be tried. */
  #lookAgain(snapshot: Snapshot): void {
    clearTimeout(this.#again)
    const times = [...this.#verdicts.values()].flatMap(({ againMs }) =>
      againMs === undefined ? [] : [againMs],
    )
    if (times.length === 0 || this.#stopped) return
    const waitMs = Math.min(Math.max(0, Math.min(...times) - this.#clock()), longestWaitMs) + againDelayMs
    this.#again = setTimeout(() => this.look(this.#next ?? snapshot), waitMs).unref()
  }

  async #judge(call: AnswerCall, digest: string): Promise<Verdict> {
    const { answers, inputs } = this.#options
    const { guest } = call
    const { why, warnings } = planned(guest, inputs(call))
    if (why !== undefined || guest.settings.template === undefined) {
      await nextTurn()
      return { guest, warnings, ...defined({ why }) }
    }
    const key = keyOf(digest, answers.valuesOf(call))
    const known = this.#verdicts.get(guest.name)
    if (known?.key !== key || this.#isAgain(known.againMs))
      return { guest, key, warnings, ...(await answers.tryOut(call)) }
    // Where nothing has to be rendered, requests come in between, too.
    await nextTurn()
    return { guest, key, warnings, ...defined({ why: known.why, againMs: known.againMs }) }
  }
}

/** What the plan says of a guest for which there is a tree. One without is a problem of its setting, or waits for a tree. */
function planned(guest: Guest, inputs: BootInputs): Pick<Verdict, 'why' | 'warnings'> {
  if (!selectForGuest(guest, inputs.trees, inputs.stateOf?.(guest.name)).found) return { warnings: [] }
  const plan = planGuest(guest, {}, inputs)
  if (plan.kind === 'install')
    return {
      warnings: [whyTooSmall(plan), ...plan.doubts.map(({ why }) => why)].filter(
        (text) => text !== undefined,
      ),
    }
  return { why: plan.why.replace(`guest ${guest.name}: `, ''), warnings: [] }
}

function keyOf(templateDigest: string, values: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify([templateDigest, values]))
    .digest('base64')
}

/** Each text once, with the guests that it is about, at the place of the first. */
function groupedBy(
  verdicts: readonly Verdict[],
  textsOf: (verdict: Verdict) => readonly string[],
): { readonly text: string; readonly who: string; readonly where: string }[] {
  const guestsByText = new Map<string, Guest[]>()
  for (const verdict of verdicts) {
    for (const text of textsOf(verdict)) {
      const guests = guestsByText.get(text)
      if (guests) guests.push(verdict.guest)
      else guestsByText.set(text, [verdict.guest])
    }
  }
  return [...guestsByText].map(([text, [first, ...others]]) => ({
    text,
    who: `guest ${first?.name}${others.length > 0 ? ` and ${others.length} more` : ''}`,
    where: first?.definedAt ?? '',
  }))
}
