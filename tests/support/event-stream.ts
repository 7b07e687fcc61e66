import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { eventually } from './eventually.ts'

export interface StreamedEvent {
  /** `reset`, or a type of the feed; '' for a block that is no event. */
  readonly event: string
  readonly id: string
  // biome-ignore lint/suspicious/noExplicitAny: what a test reads out of it is what it asserts
  readonly data: any
}

/** A client of an event stream, which reads as a browser does. */
export class StreamClient {
  readonly req: ClientRequest
  res: IncomingMessage | undefined
  status: number | undefined
  isEnded = false
  /** All that came, comments included. */
  text = ''

  constructor(url: string, headers: Record<string, string> = {}) {
    this.req = request(url, { headers, agent: false })
    this.req.on('error', () => {
      this.isEnded = true
    })
    this.req.on('response', (res) => {
      this.res = res
      this.status = res.statusCode
      res.setEncoding('utf8')
      res.on('data', (text: string) => {
        this.text += text
      })
      const end = (): void => {
        this.isEnded = true
      }
      res.on('error', end).on('end', end).on('close', end)
    })
    this.req.end()
  }

  /** The events that came whole. */
  get events(): readonly StreamedEvent[] {
    return this.#blocks.filter(({ event }) => event !== '')
  }

  /** The id that a browser would send when it comes back. */
  get lastId(): string {
    return this.#blocks.findLast(({ id }) => id !== '')?.id ?? ''
  }

  get #blocks(): readonly StreamedEvent[] {
    return this.text
      .split('\n\n')
      .slice(0, -1)
      .map((block) => {
        const field = (name: string): string =>
          block
            .split('\n')
            .find((line) => line.startsWith(`${name}: `))
            ?.slice(name.length + 2) ?? ''
        const data = field('data')
        return { event: field('event'), id: field('id'), data: data === '' ? undefined : JSON.parse(data) }
      })
  }

  async opened(): Promise<this> {
    await eventually(() => {
      if (this.status === undefined && !this.isEnded) throw new Error('no head yet')
      if (this.status === 200 && this.lastId === '') throw new Error('no id yet')
    })
    return this
  }

  close(): void {
    this.req.destroy()
  }
}
