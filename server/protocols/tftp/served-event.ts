import { defined } from '../../core/defined.ts'
import type { FailureKind } from '../../core/failure.ts'
import { plainAddress } from '../../core/net/address.ts'
import type { Event } from '../../events/bus.ts'
import type { TransferResult } from './transfer/backend.ts'
import { errorReply } from './wire/error.ts'

type ServedEvent = Extract<Event, { type: 'served' }>

export interface ServedRequest {
  readonly client: string
  /** Cleaned; as the client wrote it when the request failed before its transfer began. */
  readonly path: string
  readonly startMs: number
  /** The decision of the entry; undefined for a request that failed before its transfer began. */
  readonly decision?: ServedEvent['decision'] | undefined
  readonly who?: ServedEvent['who'] | undefined
  /** The agreed octets of a block. */
  readonly blksize?: number | undefined
}

interface Outcome {
  readonly outcome: ServedEvent['outcome']
  readonly kind?: FailureKind
  readonly detail?: string | undefined
}

/**
 * The event for a request that has ended: the log, the metrics and the history of machines are made from it.
 *
 * Undefined for a size probe, which is a question and not a download. EDK2 asks each boot file for its
 * `tsize` and sends ERROR 8 instead of an ACK of the OACK; then it sends a second request for the file. A
 * probe that ends in another way is an `aborted` event with `bytes: 0`, because the client has acknowledged
 * no DATA. iPXE and GRUB acknowledge the OACK and then send ERROR 0; others send nothing more.
 */
export function servedEvent(
  request: ServedRequest,
  result: TransferResult,
  nowMs: number,
): ServedEvent | undefined {
  const outcome = outcomeOf(result)
  if (!outcome) return undefined
  return defined({
    type: 'served' as const,
    protocol: 'tftp' as const,
    client: plainAddress(request.client),
    path: request.path,
    outcome: outcome.outcome,
    kind: outcome.kind,
    detail: outcome.detail,
    bytes: result.bytes,
    ms: nowMs - request.startMs,
    retries: result.retries ? result.retries : undefined,
    blksize: request.blksize,
    silent: result.end === 'silent' ? (true as const) : undefined,
    decision: request.decision,
    who: request.who,
  })
}

function outcomeOf(result: TransferResult): Outcome | undefined {
  switch (result.end) {
    case 'done':
      return { outcome: 'complete' }
    // If this were no download, a machine whose last ACK was lost could be installed again and again.
    case 'unconfirmed':
      return { outcome: 'complete', detail: 'the last ACK did not come' }
    case 'probed':
      return undefined
    case 'aborted':
      return { outcome: 'aborted', detail: result.detail }
    case 'silent':
      return { outcome: 'aborted', detail: 'the client has stopped responding' }
    case 'failed': {
      const { kind, detail } = errorReply(result.error)
      return { outcome: 'failed', kind, detail }
    }
  }
}
