import type { Writable } from 'node:stream'
import { Failure } from '../core/failure.ts'
import type { BufferPool, Loan } from './buffers.ts'
import type { OpenFile } from './source.ts'

/** A span of a file. */
export interface Span {
  readonly from: number
  readonly length: number
}

/** A piece of a body: bytes in memory, or a span of the file. */
export type Part = Uint8Array | Span

/** What all parts of one body share. */
export interface SendContext {
  readonly pool: BufferPool
  /** Called with the number of bytes whenever some have been handed to the system. */
  readonly onBytes: (count: number) => void
}

/** How many pieces of the file may be with the socket at once. While one is, the next one is read. */
const writesAhead = 2

/**
 * Writes the parts of a body in order. The file is read one piece ahead of the socket and never further, so a
 * slow client slows the reading down. Resolves to false, early and without an error, when the client is gone.
 *
 * @param file Undefined when all parts are bytes in memory.
 * @throws Failure `invalid-data` when the file turns out shorter than its entry said.
 */
export async function sendParts(
  parts: readonly Part[],
  file: OpenFile | undefined,
  out: Writable,
  { pool, onBytes }: SendContext,
): Promise<boolean> {
  let underWay = 0
  let wake: (() => void) | undefined
  const wakeUp = (): void => {
    wake?.()
    wake = undefined
  }
  const nextWakeUp = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve
    })
  const until = async (done: () => boolean): Promise<void> => {
    while (!done() && !out.destroyed) await nextWakeUp()
  }
  const write = (bytes: Uint8Array, loan?: Loan): void => {
    underWay++
    out.write(bytes, (error) => {
      underWay--
      if (loan) pool.give(loan)
      if (!error) onBytes(bytes.length)
      wakeUp()
    })
  }

  out.once('close', wakeUp)
  try {
    for (const part of parts) {
      if (part instanceof Uint8Array) {
        // These bytes need no buffer: they are written first, and then there is a wait until no more than
        // `writesAhead` writes are under way.
        write(part)
        await until(() => underWay <= writesAhead)
        continue
      }
      for (let done = 0; done < part.length; ) {
        // Room for one more is needed before a buffer is taken.
        await until(() => underWay < writesAhead)
        if (out.destroyed || !file) return false
        const loan = pool.take()
        const left = { from: part.from + done, length: part.length - done }
        const count = await readInto(loan, file, left).catch((error) => {
          pool.give(loan)
          throw error
        })
        if (out.destroyed) {
          pool.give(loan)
          return false
        }
        done += count
        write(loan.bytes.subarray(0, count), loan)
      }
    }
    await until(() => underWay === 0)
    return !out.destroyed
  } finally {
    out.off('close', wakeUp)
  }
}

/** Reads the beginning of a span, as much as the buffer holds. */
async function readInto({ bytes }: Loan, file: OpenFile, { from, length }: Span): Promise<number> {
  const count = await file.read(bytes, 0, Math.min(bytes.length, length), from)
  if (count > 0) return count
  throw new Failure(
    'invalid-data',
    `the file ended at byte ${from}, ${length} bytes early: it was cut while being sent`,
  )
}
