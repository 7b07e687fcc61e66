import { setTimeout as pause } from 'node:timers/promises'
import type { OperationInput } from '../../api/operations.ts'
import { defined } from '../../core/defined.ts'
import { Failure, failureMessage } from '../../core/failure.ts'
import type { ApiClient } from './client.ts'
import type { StreamBlock } from './event-reader.ts'

export interface FollowOptions {
  readonly query: NonNullable<OperationInput<'streamEvents'>['query']>
  /** The stream is open for the first time: from now on nothing is missed. */
  readonly onOpen?: () => void
  /** A line for people: the stream has broken, or is there again. */
  readonly onTrouble: (text: string) => void
  readonly pauses?: Partial<Pauses>
  readonly silentMs?: number
}

/** The pauses before the next try, each twice as long as the one before. */
export interface Pauses {
  readonly firstMs: number
  readonly mostMs: number
}

export const usualPauses: Pauses = { firstMs: 1000, mostMs: 30_000 }

/**
 * Follows the events of a server, also over its restarts: it comes back when the stream has broken, and goes on where it
 * stopped. A `reset` is handed on as an event: nobody knows what was missed.
 *
 * @throws Failure of the first try; later only one that no waiting mends.
 */
export async function* followEvents(
  client: ApiClient,
  options: FollowOptions,
): AsyncGenerator<StreamBlock, never, undefined> {
  const { firstMs, mostMs } = { ...usualPauses, ...options.pauses }
  const known: Known = { after: undefined, isBroken: false }
  let waitMs = firstMs
  for (;;) {
    const startMs = performance.now()
    let why = `${client.url} has ended the stream`
    try {
      yield* oneStream(client, options, known)
    } catch (error) {
      if (known.after === undefined || isFinal(error)) throw error
      why = failureMessage(error)
    }
    // What the server ends at once, again and again, is not asked for every second.
    if (performance.now() - startMs > mostMs) waitMs = firstMs
    if (!known.isBroken) options.onTrouble(`${why}; trying again until it is back`)
    known.isBroken = true
    await pause(waitMs)
    waitMs = Math.min(mostMs, 2 * waitMs)
  }
}

/** What is known from the streams before. */
interface Known {
  /** The last id. Undefined before anything came. */
  after: string | undefined
  isBroken: boolean
}

async function* oneStream(
  client: ApiClient,
  { query, silentMs, onOpen, onTrouble }: FollowOptions,
  known: Known,
): AsyncGenerator<StreamBlock, void, undefined> {
  for await (const block of client.stream(query, { after: known.after, ...defined({ silentMs }) })) {
    if (known.isBroken) onTrouble(`${client.url} is there again`)
    else if (known.after === undefined) onOpen?.()
    known.isBroken = false
    known.after = block.id || (known.after ?? '')
    if (block.data !== '') yield block
  }
}

const finalKinds: ReadonlySet<string> = new Set(['unauthenticated', 'forbidden', 'too-large'])

/** Whether waiting does not mend it. */
export function isFinal(error: unknown): boolean {
  return !(error instanceof Failure) || finalKinds.has(error.kind)
}
