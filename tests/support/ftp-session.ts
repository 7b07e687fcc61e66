import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A few commands of FTP, for tests that need more than a client would say by itself. */
export class FtpSession {
  readonly #socket: Socket
  #text = ''

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text
    })
  }

  static async open(port: number): Promise<FtpSession> {
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    const session = new FtpSession(socket)
    await session.#reply()
    return session
  }

  /** The last line of the reply. */
  async say(command: string): Promise<string> {
    this.#socket.write(`${command}\r\n`)
    return this.#reply()
  }

  /** STOR over EPSV; the reply after the data. */
  async store(path: string, body: string): Promise<string> {
    const [, port] = /\|\|\|(\d+)\|/.exec(await this.say('EPSV')) ?? []
    const data = connect(Number(port), '127.0.0.1')
    await once(data, 'connect')
    const answer = await this.say(`STOR ${path}`)
    if (!answer.startsWith('1')) return answer
    data.end(body)
    return this.#reply()
  }

  async #reply(): Promise<string> {
    for (;;) {
      const end = /^(?:.*\r\n)*?(\d{3} .*)\r\n/.exec(this.#text)
      if (end?.[1] !== undefined) {
        this.#text = this.#text.slice(end[0].length)
        return end[1]
      }
      await once(this.#socket, 'data')
    }
  }
}
