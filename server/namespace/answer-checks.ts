import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Snapshot } from '../catalog/snapshot.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { ownRequester } from '../machines/own-requester.ts'
import { templateDigest } from '../templates/digest.ts'
import type { Answers } from './answers.ts'

/** What the catalog is to those who follow it. */
interface SnapshotSource {
  readonly snapshot: Snapshot
  onChange(listener: (snapshot: Snapshot) => void): unknown
}

/** Whether the answer file of one guest can be made. */
interface Verdict {
  readonly guest: Guest
  /** A digest of all that it was rendered from. */
  readonly key: string
  readonly why: string | undefined
}

/**
 * Renders the answer files of all guests in the background, one after the other, and remembers which cannot be used:
 * the operator hears of it before a machine asks. A change costs only what it concerns. A verdict holds while the values
 * and templates that it was made from stay the same; so a new guest costs one rendering, and not one for each guest.
 */
export class AnswerChecks {
  readonly #answers: Answers
  #verdicts: ReadonlyMap<string, Verdict> = new Map()
  /** The newest snapshot that was not looked at yet. */
  #next: Snapshot | undefined
  #looking: Promise<void> | undefined
  #stopped = false

  constructor(answers: Answers) {
    this.#answers = answers
  }

  /** Checks the answer files of a snapshot. Of several that come while it works, it takes the last. */
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
    await this.settled()
  }

  /** Why a guest's installer would get no answer file that it can use, as far as that is known. */
  whyNone(guest: string): string | undefined {
    return this.#verdicts.get(guest)?.why
  }

  problems(): readonly SnapshotProblem[] {
    return answerProblems([...this.#verdicts.values()])
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
    const verdicts = new Map<string, Verdict>()
    for (const guest of snapshot.guests.all) {
      const template = guest.settings.template?.value
      if (template === undefined) continue
      if (this.#stopped) return
      const digest = digests.get(template) ?? templateDigest(template, snapshot.templates)
      digests.set(template, digest)
      const call = { guest, who, snapshot }
      const key = keyOf(digest, this.#answers.valuesOf(call))
      const known = this.#verdicts.get(guest.name)
      const isKnown = known?.key === key
      const why = isKnown ? known.why : await this.#answers.tryOut(call)
      // Where nothing has to be rendered, requests come in between, too.
      if (isKnown) await nextTurn()
      verdicts.set(guest.name, { guest, key, why })
    }
    this.#verdicts = verdicts
  }
}

function keyOf(templateDigest: string, values: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify([templateDigest, values]))
    .digest('base64')
}

/** One problem for each reason, with the first guest that it concerns. */
export function answerProblems(
  verdicts: readonly { readonly guest: Guest; readonly why: string | undefined }[],
): readonly SnapshotProblem[] {
  const guestsByReason = new Map<string, Guest[]>()
  for (const { guest, why } of verdicts)
    if (why !== undefined) guestsByReason.set(why, [...(guestsByReason.get(why) ?? []), guest])
  return [...guestsByReason].map(([why, [first, ...others]]) => ({
    severity: 'error',
    where: first?.definedAt ?? '',
    message: `guest ${first?.name}${others.length > 0 ? ` and ${others.length} more` : ''} cannot be installed: ${why}`,
  }))
}
