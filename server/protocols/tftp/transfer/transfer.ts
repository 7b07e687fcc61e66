/**
 * One read transfer as a machine without sockets and without a clock: it is told what came in and what time it is, and
 * says what to do. RFC 1350 section 2 and 4, RFC 2347, RFC 7440 section 4.
 *
 * It returns words and keeps the numbers in fields, so that a million ACKs make no garbage.
 */

/**
 * - `wait`: nothing to do.
 * - `send`: send the packets `from` to `to`. Packet 0 is the OACK, packet n the n-th DATA; the block number on the wire
 *   is n modulo 65536.
 * - `done`: the last block has been acknowledged.
 * - `probed`: the client only wanted to know the size (or what we support) and has said goodbye.
 * - `aborted`: the client has said that it does not want more.
 * - `silent`: the client has not answered as often as we are ready to repeat.
 */
export type Verdict = 'wait' | 'send' | 'done' | 'probed' | 'aborted' | 'silent'

export interface TransferTerms {
  /** Octets to send. */
  readonly size: number
  readonly blksize: number
  readonly windowsize: number
  readonly timeoutMs: number
  /** Whether the transfer opens with an OACK. */
  readonly oack: boolean
}

/** How often a packet is repeated: to a client that has answered before, and to one that never has. */
const retries = 5
/**
 * Anyone can send a request in somebody else's name, so a packet that nobody ever answered is repeated a few times
 * only. Until then it is the OACK or one block of 512 octets: a window needs an acknowledged OACK.
 */
const firstRetries = 3
/** Nobody who never answered is waited for longer than this at a time, whatever timeout was asked for in his name. */
const maxFirstTimeoutMs = 4000
/** The back-off doubles up to this, or stays at the agreed timeout where that is longer. */
const maxTimeoutMs = 8000
/** On a very bad line most copies get lost: after this many unanswered ones a repeated ACK is believed again. */
const maxCopies = 3

export class Transfer {
  readonly size: number
  readonly blksize: number
  readonly windowsize: number
  /** Number of DATA packets. A file that fills its last block is followed by an empty one. */
  readonly blocks: number
  /** First and last packet to send after `send`. */
  from = 0
  to = 0
  /** When `timer` wants to be called. Infinity while there is nothing to wait for. */
  deadlineMs = Number.POSITIVE_INFINITY
  /** When the client was last heard, -1 for never. */
  heardMs = -1

  readonly #timeoutMs: number
  #awaitsOackAck: boolean
  /** Highest DATA acknowledged, and highest sent. */
  #acked = 0
  #sent = 0
  /** Highest packet that has been sent more than once (-1: none), and how many copies too many are under way below it. */
  #resent = -1
  #copies = 0
  /** How often the newest ACK has come again, and whether we have answered that by sending again. */
  #repeats = 0
  #answered = false
  #tries = 0
  #sentMs = 0

  constructor(terms: TransferTerms) {
    this.size = terms.size
    this.blksize = terms.blksize
    this.windowsize = terms.windowsize
    this.blocks = Math.floor(terms.size / terms.blksize) + 1
    this.#timeoutMs = terms.timeoutMs
    this.#awaitsOackAck = terms.oack
  }

  /** Octets that the client has acknowledged. */
  get ackedBytes(): number {
    return Math.min(this.#acked * this.blksize, this.size)
  }

  /** Highest DATA packet acknowledged. */
  get ackedBlock(): number {
    return this.#acked
  }

  start(nowMs: number): Verdict {
    return this.#awaitsOackAck ? this.#sendOack(nowMs) : this.#sendWindow(nowMs)
  }

  /**
   * An ACK, with its block number as on the wire.
   *
   * An ACK inside the window moves it and sends the next one from there: after a gap, RFC 7440 clients acknowledge the
   * last block before it.
   */
  ack(block: number, nowMs: number): Verdict {
    this.heardMs = nowMs
    if (this.#awaitsOackAck) {
      if (block !== 0) return 'wait'
      this.#awaitsOackAck = false
      this.#tries = 0
      return this.#sendWindow(nowMs)
    }
    const ahead = (block - this.#acked) & 0xffff
    if (ahead > this.#sent - this.#acked) return 'wait'
    if (ahead === 0) return this.#repeatedAck(nowMs)
    this.#acked += ahead
    this.#tries = 0
    this.#repeats = 0
    this.#answered = false
    if (this.#acked > this.#resent) this.#copies = 0
    if (this.#acked !== this.blocks) return this.#sendWindow(nowMs)
    this.deadlineMs = Number.POSITIVE_INFINITY
    return 'done'
  }

  /**
   * The client's ERROR. EDK2 asks for the size first and ends that with ERROR 8 "User aborted the transfer", iPXE and
   * GRUB with ERROR 0: in answer to an OACK these are the normal end of a question.
   */
  error(code: number): Verdict {
    this.deadlineMs = Number.POSITIVE_INFINITY
    return this.#awaitsOackAck && (code === 0 || code === 8) ? 'probed' : 'aborted'
  }

  /** The clock has come to `nowMs`. */
  timer(nowMs: number): Verdict {
    if (nowMs < this.deadlineMs) return 'wait'
    this.#tries++
    if (this.#tries > (this.heardMs === -1 ? firstRetries : retries)) {
      this.deadlineMs = Number.POSITIVE_INFINITY
      return 'silent'
    }
    return this.#awaitsOackAck ? this.#sendOack(nowMs) : this.#sendWindow(nowMs)
  }

  /** The packets could not be sent yet, because their bytes are still being read: the client is not to blame. */
  hold(): void {
    this.deadlineMs = Number.POSITIVE_INFINITY
  }

  /** They are being sent now. */
  resume(nowMs: number): void {
    this.#sentMs = nowMs
    this.deadlineMs = nowMs + this.#waitMs()
  }

  /**
   * The ACK that we had already: the client's own timer ran out, or the first block of a window is lost. One
   * repetition is sent at once, as atftpd does, which makes a lossy line bearable; never two for the same ACK, and none
   * for an ACK that is explained by packets which we sent twice ourselves. Otherwise one late duplicate would be
   * doubled on and on until the end of the file: the Sorcerer's Apprentice.
   */
  #repeatedAck(nowMs: number): Verdict {
    this.#repeats++
    const explained = this.#acked <= this.#resent ? this.#copies : 0
    if (this.#answered || this.#repeats <= explained) {
      // It is alive and stuck: no reason to wait longer than the first time.
      const soonMs = this.#sentMs + this.#timeoutMs
      if (this.deadlineMs !== Number.POSITIVE_INFINITY && soonMs < this.deadlineMs) this.deadlineMs = soonMs
      return 'wait'
    }
    this.#answered = true
    return this.#sendWindow(nowMs)
  }

  #sendOack(nowMs: number): Verdict {
    if (this.#tries > 0) this.#countCopies(0)
    this.from = 0
    this.to = 0
    this.deadlineMs = nowMs + this.#waitMs()
    return 'send'
  }

  #sendWindow(nowMs: number): Verdict {
    this.from = this.#acked + 1
    this.to = Math.min(this.#acked + this.windowsize, this.blocks)
    const again = Math.min(this.to, this.#sent)
    if (again >= this.from) this.#countCopies(again)
    if (this.to > this.#sent) this.#sent = this.to
    this.resume(nowMs)
    return 'send'
  }

  #countCopies(through: number): void {
    this.#resent = Math.max(this.#resent, through)
    this.#copies = Math.min(this.#copies + 1, maxCopies)
  }

  #waitMs(): number {
    if (this.heardMs === -1) return Math.min(this.#timeoutMs * 2 ** this.#tries, maxFirstTimeoutMs)
    return Math.min(this.#timeoutMs * 2 ** this.#tries, Math.max(maxTimeoutMs, this.#timeoutMs))
  }
}
