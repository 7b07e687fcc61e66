import type { Writable } from 'node:stream'
import { Failure } from '../core/failure.ts'
import type { BufferPool, Loan } from './buffers.ts'
import type { OpenFile } from './source.ts'

/** A piece of a body: bytes as they are, or a span of the file. */
export type Part = Uint8Array | { readonly from: number; readonly length: number }

/** Writes of one download that may be under way while the next piece is read. */
const writesAhead = 2

/**
 * Writes the parts of a body in order. The file is read one piece ahead of the socket, and never further: a slow
 * client slows the reading down. Ends early, without an error, when the client is gone; then `false`.
 *
 * @throws Failure `invalid-data` when the file turns out shorter than its entry said.
 */
export async function sendParts(
  parts: readonly Part[],
  file: OpenFile | undefined,
  out: Writable,
  pool: BufferPool,
  onBytes: (count: number) => void,
): Promise<boolean> {
  let underWay = 0
  let wake: (() => void) | undefined
  const stir = (): void => {
    wake?.()
    wake = undefined
  }
  const turn = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve
    })
  const until = async (done: () => boolean): Promise<void> => {
    while (!done() && !out.destroyed) await turn()
  }
  const write = (bytes: Uint8Array, loan?: Loan): void => {
    underWay++
    out.write(bytes, (error) => {
      underWay--
      if (loan) pool.give(loan)
      if (!error) onBytes(bytes.length)
      stir()
    })
  }

  out.once('close', stir)
  try {
    for (const part of parts) {
      if (part instanceof Uint8Array) {
        write(part)
        await until(() => underWay <= writesAhead)
        continue
      }
      for (let done = 0; done < part.length; ) {
        await until(() => underWay < writesAhead)
        if (out.destroyed || !file) return false
        const loan = pool.take()
        const count = await readInto(loan, file, part.from + done, part.length - done, pool)
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
    out.off('close', stir)
  }
}

/** Reads one piece; the loan goes back when that fails. */
async function readInto(
  loan: Loan,
  file: OpenFile,
  position: number,
  left: number,
  pool: BufferPool,
): Promise<number> {
  try {
    const count = await file.read(loan.bytes, 0, Math.min(loan.bytes.length, left), position)
    if (count > 0) return count
    throw new Failure(
      'invalid-data',
      `the file ended at byte ${position}, ${left} bytes early: it was cut while being sent`,
    )
  } catch (error) {
    pool.give(loan)
    throw error
  }
}
