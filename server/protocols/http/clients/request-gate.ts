import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClientConnection } from './clients.ts'

/** A request as node:http gives it. */
export interface NodeRequest {
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

/** Bytes of later requests that are read ahead. The others wait in the client's and our kernel. */
const readAheadBytes = 16 * 1024
/** The parser gets a chunked body in pieces of this size: what comes behind the body is in the last piece. */
const chunkedPieceBytes = 4 * 1024

const lineFeed = 0x0a
const carriageReturn = 0x0d

/**
 * Gives node:http the requests of a connection one at a time. By itself node:http parses all that one read has
 * brought and starts every response at once: 64 KiB hold 1,600 small requests. With the gate, the parser gets the
 * bytes up to the end of one head, then its body, and the next head when the response has ended. A client that
 * does not read its responses so has one in progress, and its other requests wait as bytes.
 *
 * Where a body ends, the gate only guesses from the head. A wrong guess gives the parser two requests at once, and
 * then the second one waits here.
 */
export class RequestGate {
  readonly #connection: ClientConnection
  readonly #parse: (bytes: Buffer) => void
  readonly #begin: (request: NodeRequest) => void
  /** Bytes that the parser has not got yet. */
  #held: Buffer | undefined
  /** Whether the line that comes next in a head has nothing before it. */
  #lineIsEmpty = true
  /** The message that the parser got last. While it is incomplete, its body comes next. */
  #message: IncomingMessage | undefined
  /** Bytes of that body which the parser has not got. */
  #bodyLeft = 0
  #inProgress = false
  /** The response that is in progress, or was last. */
  #response: ServerResponse | undefined
  /** Requests that the parser made although one was in progress. */
  readonly #parsed: NodeRequest[] = []
  #nextIsDue = false
  #awaitsDrain = false
  #reading = true

  /**
   * @param parse Gives bytes to the parser of node:http.
   * @param begin Called for a request when all earlier ones of the connection have ended.
   */
  constructor(
    connection: ClientConnection,
    parse: (bytes: Buffer) => void,
    begin: (request: NodeRequest) => void,
  ) {
    this.#connection = connection
    this.#parse = parse
    this.#begin = begin
    connection.socket.on('data', this.receive).resume()
  }

  /** Whether a response is in progress of which the client has got the beginning. */
  get isSending(): boolean {
    return this.#inProgress && this.#response?.headersSent === true
  }

  /** Bytes have come from the client. */
  readonly receive = (bytes: Buffer): void => {
    this.#held = this.#held ? Buffer.concat([this.#held, bytes]) : bytes
    this.#feed()
  }

  /** The parser has made a request. */
  arrived(request: NodeRequest): void {
    const { headers } = request.req
    this.#message = request.req
    this.#bodyLeft = Number(headers['content-length'] ?? 0)
    if (this.#inProgress || this.#parsed.length > 0) this.#parsed.push(request)
    else this.#start(request)
  }

  #start(request: NodeRequest): void {
    this.#inProgress = true
    this.#response = request.res
    this.#connection.requestBegins()
    request.res.once('close', () => this.#ended())
    this.#begin(request)
  }

  #ended(): void {
    this.#inProgress = false
    if (this.#parsed.length === 0 && !this.#held) {
      this.#connection.requestEnded()
      return
    }
    // In another turn of the event loop, so that the requests of other connections come in between.
    this.#nextIsDue = true
    setImmediate(() => {
      this.#nextIsDue = false
      const next = this.#parsed.shift()
      if (next) this.#start(next)
      this.#feed()
    })
  }

  /** Gives the parser what it may have now. */
  #feed(): void {
    while (this.#held && this.#mayFeed()) {
      const bytes = this.#held
      const length = this.#bodyIsNext ? this.#pieceOfBody(bytes) : this.#pieceOfHead(bytes)
      this.#held = length < bytes.length ? bytes.subarray(length) : undefined
      this.#parse(length < bytes.length ? bytes.subarray(0, length) : bytes)
    }
    this.#setReading((this.#held?.length ?? 0) <= readAheadBytes)
  }

  /**
   * Stops or goes on reading from the socket. Its `pause` would not do: node:http calls `resume` after each
   * request. While there is a listener for `readable`, that has no effect.
   */
  #setReading(on: boolean): void {
    if (this.#reading === on) return
    this.#reading = on
    const { socket } = this.#connection
    if (on) socket.off('readable', ignore).on('data', this.receive).resume()
    else socket.off('data', this.receive).on('readable', ignore)
  }

  get #bodyIsNext(): boolean {
    return this.#message !== undefined && !this.#message.complete
  }

  #mayFeed(): boolean {
    const { socket } = this.#connection
    if (socket.destroyed || socket.writableEnded) {
      this.#held = undefined
      return false
    }
    if (this.#bodyIsNext) return true
    if (this.#inProgress || this.#nextIsDue || this.#parsed.length > 0) return false
    // The client does not read the last response.
    if (socket.writableNeedDrain && !this.#awaitsDrain) {
      this.#awaitsDrain = true
      socket.once('drain', () => {
        this.#awaitsDrain = false
        this.#feed()
      })
    }
    return !this.#awaitsDrain
  }

  #pieceOfBody(bytes: Buffer): number {
    const length = Math.min(bytes.length, this.#bodyLeft || chunkedPieceBytes)
    this.#bodyLeft = Math.max(0, this.#bodyLeft - length)
    return length
  }

  /** The length up to the end of a head, which is an empty line; or of everything. */
  #pieceOfHead(bytes: Buffer): number {
    for (let from = 0; ; ) {
      const end = bytes.indexOf(lineFeed, from)
      const isEmpty = this.#lineIsEmpty && isBlank(bytes.subarray(from, end < 0 ? bytes.length : end))
      // Without a line feed, the rest of the line comes with the next bytes.
      this.#lineIsEmpty = end < 0 ? isEmpty : true
      if (end < 0) return bytes.length
      if (isEmpty) return end + 1
      from = end + 1
    }
  }
}

function isBlank(line: Buffer): boolean {
  return line.length === 0 || (line.length === 1 && line[0] === carriageReturn)
}

function ignore(): void {}
