import type { ServerResponse } from 'node:http'
import type { Caller } from '../core/access/access.ts'
import { requestLimits } from '../core/limits/requests.ts'
import type { Feed } from '../feed/feed.ts'
import type { FeedEvent } from '../feed/news.ts'
import { feedView } from '../feed/views.ts'

/** In milliseconds: how soon a browser comes back when its stream has ended. */
const retryMs = 3000
/** In characters: more is not given to the socket at once. */
const pieceLength = 16 * 1024
/** A stream whose client has read nothing for so many comments is ended. */
const mostComments = 2

/** Who wants a stream, and of what. */
export interface StreamRequest {
  readonly caller: Caller
  /** What the streams of one caller are counted by. */
  readonly key: string
  /** Whether the caller may still have it. Undefined: no. A session has its reference. */
  readonly still: () => Promise<{ readonly session?: string } | undefined>
  readonly wants: (event: FeedEvent) => boolean
  /** Where it goes on; undefined: from now on. `lost`: nobody knows what it missed. */
  readonly resumed: ReturnType<Feed['resume']> | 'lost'
  readonly res: ServerResponse
}

/**
 * One stream of events (WHATWG HTML, 9.2). What its client has not read stays in the feed, which all share, so a slow
 * client costs no memory. One that reads too slowly is disconnected: it comes back with `Last-Event-ID`.
 */
export class EventStream {
  readonly #feed: Feed
  readonly #res: ServerResponse
  readonly #wants: (event: FeedEvent) => boolean
  /** Events of an earlier run of the server that come first. */
  #before: readonly FeedEvent[] = []
  #beforeAt = 0
  #sent: number
  /** Set while the client has not read what was written: the newest event then. */
  #blockedAt: number | undefined
  #comments = 0

  constructor(feed: Feed, { res, wants, resumed }: StreamRequest) {
    this.#feed = feed
    this.#res = res
    this.#wants = wants
    const isResumed = resumed !== undefined && resumed !== 'lost'
    this.#sent = isResumed ? resumed.after : feed.newest
    if (isResumed) this.#before = resumed.before
    res.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      // nginx would gather events until its buffer is full.
      'X-Accel-Buffering': 'no',
    })
    res.on('drain', () => this.#drained())
    const reset = resumed === 'lost' ? 'event: reset\ndata: {}\n' : ''
    // An id without data makes no event in a browser, and is sent back by it all the same.
    const id = isResumed ? '' : `id: ${feed.idAt(this.#sent)}\n`
    this.#write(`retry: ${retryMs}\n${reset}${id}\n`)
    this.pump()
  }

  /** Writes what is new, as far as the client reads it. */
  pump(): void {
    if (this.#blockedAt !== undefined) {
      if (this.#feed.newest - this.#blockedAt > requestLimits.eventsBehind.entries) this.#drop()
      return
    }
    let piece = ''
    for (let event = this.#next(); event; event = this.#next()) {
      if (this.#wants(event)) piece += textOf(event)
      if (piece.length < pieceLength) continue
      if (!this.#write(piece)) return
      piece = ''
    }
    if (piece !== '') this.#write(piece)
  }

  /** Keeps proxies from ending the connection, and tells the client how far it has come. */
  comment(): void {
    if (this.#blockedAt !== undefined) {
      this.#comments++
      if (this.#comments >= mostComments) this.#drop()
      return
    }
    this.#write(`: still here\nid: ${this.#feed.idAt(this.#sent)}\n\n`)
  }

  end(): void {
    if (this.#blockedAt === undefined) this.#res.end()
    else this.#drop()
  }

  #next(): FeedEvent | undefined {
    const first = this.#before[this.#beforeAt++]
    if (first) return first
    this.#before = []
    if (this.#sent >= this.#feed.newest || this.#res.destroyed) return undefined
    const event = this.#feed.at(this.#sent + 1)
    // The feed has gone on, and keeps that event no more.
    if (event) this.#sent++
    else this.#drop()
    return event
  }

  #write(text: string): boolean {
    if (this.#res.destroyed || this.#res.writableEnded) return false
    const hasRoom = this.#res.write(text)
    if (!hasRoom) this.#blockedAt = this.#feed.newest
    return hasRoom
  }

  #drained(): void {
    this.#blockedAt = undefined
    this.#comments = 0
    this.pump()
  }

  #drop(): void {
    this.#res.destroy()
  }
}

/** The text of each event is made once for all streams. */
const texts = new WeakMap<FeedEvent, string>()

function textOf(event: FeedEvent): string {
  const kept = texts.get(event)
  if (kept !== undefined) return kept
  const text = `event: ${event.news.type}\nid: ${event.id}\ndata: ${JSON.stringify(feedView(event))}\n\n`
  texts.set(event, text)
  return text
}
