import type { EventSink } from '../events/bus.ts'

/** A transfer of a service, as a stop sees it. */
export interface RunningTransfer {
  /** The same value for as long as the transfer runs. */
  readonly key: unknown
  /** Any measure of its progress: while it differs from one look to the next, the transfer moves. */
  readonly moved: number
}

/** How long a stop waits for transfers. */
export interface StopGrace {
  /** `server.stop-grace` of config.yaml. Called when there is something to wait for. */
  readonly graceMs: () => number
  /** Ends the waiting. */
  readonly cut?: AbortSignal
  /** Is told what the stop waits for. */
  readonly events: EventSink
}

/**
 * A client that moves nothing for so long is gone, or will not end in time. A client with a line of 50 KB/s takes ten
 * seconds for one of our buffers.
 */
export const stallMs = 10_000
const lookEveryMs = 100

/**
 * The transfers that a stop waits for: those that ran when it began, as long as they move. Later ones, on connections
 * that were open already, do not prolong it.
 */
export class MovingTransfers {
  readonly #last = new Map<unknown, { moved: number; sinceMs: number }>()
  readonly #stallMs: number

  constructor(running: Iterable<RunningTransfer>, nowMs: number, stalledMs = stallMs) {
    this.#stallMs = stalledMs
    for (const { key, moved } of running) this.#last.set(key, { moved, sinceMs: nowMs })
  }

  get size(): number {
    return this.#last.size
  }

  /** Forgets those that have ended or stand still. */
  look(running: Iterable<RunningTransfer>, nowMs: number): void {
    const moved = new Map([...running].map((transfer) => [transfer.key, transfer.moved]))
    for (const [key, last] of this.#last) {
      const now = moved.get(key)
      if (now !== undefined && now !== last.moved) this.#last.set(key, { moved: now, sinceMs: nowMs })
      else if (now === undefined || nowMs - last.sinceMs >= this.#stallMs) this.#last.delete(key)
    }
  }
}

/** Waits until no transfer moves, the time is over or `cut` is aborted. Resolves to whether none moves. */
export async function waitForTransfers(
  running: () => Iterable<RunningTransfer>,
  { graceMs, cut, events }: StopGrace,
): Promise<boolean> {
  const startMs = performance.now()
  const moving = new MovingTransfers(running(), startMs)
  if (moving.size === 0) return true
  const mostMs = graceMs()
  if (cut?.aborted || mostMs === 0) return false
  events({ type: 'stop', message: waitingText(moving.size, mostMs) })
  while (moving.size > 0 && !cut?.aborted && performance.now() - startMs < mostMs) {
    await pause(Math.min(lookEveryMs, mostMs), cut)
    moving.look(running(), performance.now())
  }
  return moving.size === 0
}

function waitingText(transfers: number, mostMs: number): string {
  const what = transfers === 1 ? '1 transfer' : `${transfers} transfers`
  return `stopping: waiting for ${what}, at most ${mostMs / 1000} s; a second signal ends it`
}

function pause(ms: number, cut: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      cut?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    cut?.addEventListener('abort', end)
  })
}
