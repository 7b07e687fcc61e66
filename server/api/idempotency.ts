import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { type Caller, callerText } from '../core/access/access.ts'
import { Failure } from '../core/failure.ts'
import { lru } from '../host/lru.ts'
import type { Reply } from './reply.ts'

/** Responses that are kept: a program tries again within minutes. */
const mostKept = 1000
const longestKey = 200

export interface RepeatableRequest {
  readonly req: IncomingMessage
  /** As it was parsed. */
  readonly body: unknown
  readonly caller: Caller | undefined
}

interface Kept {
  /** Of the request that made the response. */
  readonly digest: string
  readonly reply: Promise<Reply>
}

/**
 * The first responses to requests with an `Idempotency-Key`. A program that lost a response sends the request again
 * with the same key, and gets the response of the first one. They are kept in memory, because the response to a new
 * token holds it: after a restart, a second request meets what the first one made, and is a 409.
 */
export class FirstReplies {
  readonly #kept = lru<string, Kept>(mostKept)

  /** @throws Failure `conflict` when the key came with another request before. */
  reply({ req, body, caller }: RepeatableRequest, make: () => Promise<Reply>): Promise<Reply> {
    const key = req.headers['idempotency-key']
    if (typeof key !== 'string') return make()
    if (key.length > longestKey)
      throw new Failure('bad-request', `Idempotency-Key: expected at most ${longestKey} characters`)
    const name = `${caller ? callerText(caller) : ''}\n${key}`
    const digest = createHash('sha256')
      .update(JSON.stringify([req.method, req.url, body ?? null]))
      .digest('hex')
    const first = this.#kept.get(name)
    if (first?.digest === digest) return first.reply
    if (first)
      throw new Failure('conflict', 'this Idempotency-Key came with another request before; use a new one')
    const reply = make()
    this.#kept.set(name, { digest, reply })
    // A request that failed may be tried again.
    reply.catch(() => this.#kept.delete(name))
    return reply
  }
}
