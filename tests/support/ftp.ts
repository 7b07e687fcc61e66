import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Event } from '../../server/events/bus.ts'
import { FtpListener, type FtpListenerOptions } from '../../server/protocols/ftp/server.ts'

export interface OpenFtpListener {
  readonly service: FtpListener
  readonly port: number
  readonly events: Event[]
}

/** A running service on 127.0.0.1 that stops with the test, and the events that it emitted. */
export async function openFtp(
  options: Omit<FtpListenerOptions, 'bind' | 'port' | 'events'> & { readonly bind?: string },
): Promise<OpenFtpListener> {
  const events: Event[] = []
  const service = new FtpListener({
    bind: '127.0.0.1',
    port: 0,
    events: (event) => events.push(event),
    ...options,
    limits: { stopMs: 50, ...options.limits }, // the end of a test does not wait for transfers
  })
  await service.start()
  onTestFinished(() => service.stop())
  return { service, port: service.address?.port ?? 0, events }
}

export interface FtpReply {
  readonly code: number
  /** All lines as they came, without the CRLF of the last one. */
  readonly text: string
}

/** A client that sends exactly what a test tells it to, so that a test can break the rules. */
export class RawFtp {
  readonly socket: Socket
  readonly #host: string
  #text = ''
  #waiting: (() => void)[] = []
  closed = false

  private constructor(socket: Socket, host: string) {
    this.socket = socket
    this.#host = host
    const wakeAll = (): void => {
      for (const wake of this.#waiting.splice(0)) wake()
    }
    socket.on('data', (chunk) => {
      this.#text += chunk.toString('utf8')
      wakeAll()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      wakeAll()
    })
    onTestFinished(() => void socket.destroy())
  }

  /** A connected client; its next reply is the greeting. */
  static async open(port: number, options: { host?: string; from?: string } = {}): Promise<RawFtp> {
    const { host = '127.0.0.1', from } = options
    const socket = connect({ host, port, ...(from ? { localAddress: from } : {}) })
    const client = new RawFtp(socket, host)
    await once(socket, 'connect')
    return client
  }

  /** Greeting and login. */
  static async login(port: number, user = 'anonymous', password = 'x@'): Promise<RawFtp> {
    const client = await RawFtp.open(port)
    await client.reply()
    await client.ask(`USER ${user}`)
    await client.ask(`PASS ${password}`)
    return client
  }

  send(raw: string | Uint8Array): void {
    this.socket.write(raw)
  }

  /** The next whole reply; code 0 when the connection was closed before one came. */
  async reply(): Promise<FtpReply> {
    for (;;) {
      const [, whole, code] = /^((?:(\d{3})-.*?\r\n\2 |\d{3} )[^\r]*)\r\n/s.exec(this.#text) ?? []
      if (whole !== undefined) {
        this.#text = this.#text.slice(whole.length + 2)
        return { code: Number(code ?? whole.slice(0, 3)), text: whole }
      }
      if (this.closed) return { code: 0, text: this.#text }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  async ask(line: string): Promise<FtpReply> {
    this.send(`${line}\r\n`)
    return this.reply()
  }

  /** A data connection, by EPSV. `from` is the address that it comes from. */
  async data(from?: string): Promise<Socket> {
    const { text } = await this.ask('EPSV')
    const port = Number(/\(\|\|\|(\d+)\|\)/.exec(text)?.[1])
    const socket = connect({ host: this.#host, port, ...(from ? { localAddress: from } : {}) })
    socket.on('error', () => {})
    await once(socket, 'connect')
    return socket
  }

  /** Sends a command that downloads something: all its bytes, the first reply and the last one. */
  async fetch(line: string): Promise<{ bytes: Buffer; first: FtpReply; last: FtpReply }> {
    const socket = await this.data()
    const received = collect(socket)
    const first = await this.ask(line)
    if (first.code !== 150) socket.destroy()
    const last = first.code === 150 ? await this.reply() : first
    return { bytes: await received, first, last }
  }

  /** Sends a command that uploads these bytes; resolves to the last reply. */
  async put(line: string, bytes: Uint8Array): Promise<FtpReply> {
    const socket = await this.data()
    socket.resume()
    const first = await this.ask(line)
    if (first.code !== 150) {
      socket.destroy()
      return first
    }
    socket.end(bytes)
    return this.reply()
  }
}

/** Everything that a socket receives until it is closed. */
export async function collect(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(chunks)
}
