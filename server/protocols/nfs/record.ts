import { requestLimits } from '../../core/limits/requests.ts'
import { XdrError } from './xdr.ts'

/** Bytes at the front of every reply that are free for the record mark of TCP. Over UDP they are not sent. */
export const recordMarkBytes = 4
const lastFragment = 0x8000_0000

/** All RPC clients that we know send a record as one fragment. More fragments than this are junk. */
const maxFragments = requestLimits.nfsRecord.entries

/**
 * Fills in the mark of a record that is sent as one fragment (RFC 5531 section 11). `head` begins with room
 * for it; `payloadBytes` is the length of what is sent after `head`.
 */
export function writeRecordMark(head: Buffer, payloadBytes = 0): void {
  head.writeUInt32BE((lastFragment | (head.length - recordMarkBytes + payloadBytes)) >>> 0, 0)
}

/** Cuts a TCP stream into RPC records. It keeps at most one incomplete record, of at most `maxBytes`. */
export class RecordReader {
  readonly #maxBytes: number
  /** Bytes that are not yet a whole fragment. */
  #incomplete: Buffer = Buffer.alloc(0)
  /** Whole fragments of a record whose last fragment is still to come. */
  #fragments: Buffer[] = []
  #fragmentBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * The records that `chunk` completes. They may be views of it.
   * @throws XdrError for a record over the limit; the stream cannot be read after that.
   */
  push(chunk: Buffer): Buffer[] {
    let bytes = this.#incomplete.length === 0 ? chunk : Buffer.concat([this.#incomplete, chunk])
    const records: Buffer[] = []
    while (bytes.length >= recordMarkBytes) {
      const mark = bytes.readUInt32BE(0)
      const length = mark & ~lastFragment
      this.#admit(length)
      if (bytes.length < recordMarkBytes + length) break
      const fragment = bytes.subarray(recordMarkBytes, recordMarkBytes + length)
      bytes = bytes.subarray(recordMarkBytes + length)
      if (mark >= lastFragment) records.push(this.#finish(fragment))
      else this.#keep(fragment)
    }
    // A copy, because a few bytes must not keep the whole chunk in memory.
    this.#incomplete = bytes.length === 0 ? bytes : Buffer.from(bytes)
    return records
  }

  #admit(length: number): void {
    if (this.#fragmentBytes + length > this.#maxBytes)
      throw new XdrError(`a record of ${this.#fragmentBytes + length} bytes; at most ${this.#maxBytes}`)
  }

  #keep(fragment: Buffer): void {
    if (this.#fragments.length >= maxFragments)
      throw new XdrError(`a record of more than ${maxFragments} fragments`)
    this.#fragments.push(Buffer.from(fragment))
    this.#fragmentBytes += fragment.length
  }

  #finish(fragment: Buffer): Buffer {
    if (this.#fragments.length === 0) return fragment
    const record = Buffer.concat([...this.#fragments, fragment])
    this.#fragments = []
    this.#fragmentBytes = 0
    return record
  }
}
