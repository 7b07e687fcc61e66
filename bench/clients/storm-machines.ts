/**
 * The machines of `bench/storm.ts`, in a process and a network namespace of their own. They boot as real firmware does,
 * with its time-outs, install, report, and boot again. Prints one line of JSON: `StormResult`.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { Agent, request } from 'node:http'
import { connect, type Socket as TcpSocket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { encodeMessageType } from '../../server/protocols/dhcp/options/message.ts'
import { bytesOf, optionCode, textOf } from '../../server/protocols/dhcp/options/option.ts'
import { encodeClientArchs } from '../../server/protocols/dhcp/options/pxe-client.ts'
import { type DhcpPacket, decodePacket, encodePacket } from '../../server/protocols/dhcp/packet.ts'
import {
  decodePacket as decodeTftp,
  encodePacket as encodeTftp,
} from '../../server/protocols/tftp/wire/packet.ts'

export interface StormSettings {
  readonly server: string
  readonly machines: number
  /** The number of the first machine, from which its MAC and address are made. */
  readonly first: number
  /** Milliseconds over which the machines are switched on. */
  readonly rampMs: number
}

export interface MachineResult {
  /** Seconds until its report was taken; NaN when it never was. */
  readonly doneS: number
  /** The most times that one packet was sent again. */
  readonly resentDhcp: number
  readonly resentTftp: number
  /** Boots that iPXE or the installer gave up, and began again. */
  readonly restarts: number
  readonly reports: number
  /** What the second network boot got. */
  readonly second: 'disk' | 'install' | 'nothing'
  readonly trouble: string
}

export type StormResult = readonly MachineResult[]

/** What firmware waits before it sends a DHCP packet again (RFC 2131 section 4.1), and how often. */
const dhcpWaitsMs = [4000, 8000, 16_000, 32_000]
const tftpWaitMs = 4000
const tftpTries = 6
/** iPXE gives up after so long without a byte, and its script begins anew. */
const httpSilenceMs = 60_000
const restartMs = 10_000
const boots = 5
const packages = 20
/** Every fourth machine fetches its packages by FTP. */
const ftpShare = 4

const { server, machines, first, rampMs } = JSON.parse(process.argv[2] ?? '{}') as StormSettings

/** One socket receives all broadcasts to clients, and hands each to the machine with that transaction. */
const waiting = new Map<number, (packet: DhcpPacket) => void>()
const clientPort = createSocket({ type: 'udp4', reuseAddr: true, recvBufferSize: 8 << 20 })
function onDhcp(bytes: Buffer): void {
  const packet = decodePacket(bytes)
  if (!('malformed' in packet)) waiting.get(packet.xid)?.(packet)
}

async function main(): Promise<void> {
  clientPort.on('message', onDhcp)
  await new Promise<void>((resolve) => clientPort.bind(68, () => resolve()))
  clientPort.setBroadcast(true)
  const results: StormResult = await Promise.all(
    Array.from({ length: machines }, (_, at) => life(first + at, (rampMs * at) / machines)),
  )
  process.stdout.write(`${JSON.stringify(results)}\n`, () => process.exit(0))
}

async function life(number: number, delayMs: number): Promise<MachineResult> {
  await pause(delayMs)
  const machine = new Machine(number)
  const beganMs = performance.now()
  let doneS = Number.NaN
  let trouble = ''
  for (let boot = 0; boot < boots && Number.isNaN(doneS); boot++) {
    if (boot > 0) await pause(restartMs)
    try {
      await machine.installs()
      doneS = (performance.now() - beganMs) / 1000
    } catch (error) {
      trouble = String(error)
      machine.restarts++
    }
  }
  await pause(2000)
  const second = await machine.bootsAgain().catch(() => 'nothing' as const)
  const { resentDhcp, resentTftp, restarts, reports } = machine
  machine.close()
  return { doneS, resentDhcp, resentTftp, restarts, reports, second, trouble }
}

class Machine {
  readonly #number: number
  readonly #mac: Buffer
  readonly #address: string
  readonly #agent: Agent
  #socket: Socket | undefined
  #xid: number
  resentDhcp = 0
  resentTftp = 0
  restarts = 0
  reports = 0

  constructor(number: number) {
    const [high, low] = [(number >> 8) & 255, number & 255]
    this.#number = number
    this.#mac = Buffer.from([0x52, 0x54, 0, 0xbe, high, low])
    this.#address = `198.18.${high}.${low}`
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1, localAddress: this.#address })
    this.#xid = (number + 1) * 1000
  }

  close(): void {
    this.#agent.destroy()
    this.#socket?.close()
  }

  async installs(): Promise<void> {
    await this.#discover(false)
    await this.#asksBootServer()
    await this.#tftp('snponly.efi')
    const script = await this.#script()
    const kernel = /^kernel .*?(http\S+)/m.exec(script)?.[1]
    const initrd = /^initrd .*?(http\S+)/m.exec(script)?.[1]
    const answers = /inst\.ks=(\S+)/.exec(script)?.[1]
    const tree = /inst\.repo=(\S+)/.exec(script)?.[1]
    if (!kernel || !initrd || !answers || !tree) throw new Error(`no installer: ${script.slice(0, 200)}`)
    await this.#get(kernel)
    await this.#get(initrd)
    await this.#get(`${tree}/.treeinfo`)
    const text = await this.#get(answers, true)
    await (this.#number % ftpShare === 0 ? this.#ftp(new URL(tree).pathname) : this.#fetchesPackages(tree))
    const report = /https?:\/\/[^\s'"]*\/installed[^\s'"]*/.exec(text)?.[0]
    if (!report) throw new Error('no report in the answer file')
    await this.#report(report, text.includes('treeboot_report'))
  }

  async bootsAgain(): Promise<'disk' | 'install'> {
    await this.#discover(false)
    return /^kernel /m.test(await this.#script()) ? 'install' : 'disk'
  }

  /** iPXE asks by DHCP itself, then for the script that it is told, and for its own. */
  async #script(): Promise<string> {
    const script = await this.#discover(true)
    await this.#get(script, true)
    const uuid = '00000000-0000-4000-8000-000000000000'
    return this.#get(new URL(`/boot/by/${this.#mac.toString('hex')}/${uuid}/ipxe`, script).href, true)
  }

  /** Resolves to the boot file of the offer. */
  async #discover(isIpxe: boolean): Promise<string> {
    const packet = this.#dhcpPacket('discover', isIpxe)
    const offer = await this.#exchange(packet, () =>
      clientPort.send(encodePacket(packet), 67, '255.255.255.255'),
    )
    const named = offer.options.get(optionCode.bootFile)
    return named ? textOf(named) : offer.file
  }

  async #asksBootServer(): Promise<void> {
    const packet = this.#dhcpPacket('request', false)
    const socket = createSocket({ type: 'udp4' })
    socket.on('message', onDhcp)
    await new Promise<void>((resolve) => socket.bind(4011, this.#address, () => resolve()))
    try {
      await this.#exchange(packet, () => socket.send(encodePacket(packet), 4011, server))
    } finally {
      socket.close()
    }
  }

  async #exchange(packet: DhcpPacket, send: () => void): Promise<DhcpPacket> {
    const answered = new Promise<DhcpPacket>((resolve) => waiting.set(packet.xid, resolve))
    try {
      for (const [times, waitMs] of dhcpWaitsMs.entries()) {
        this.resentDhcp = Math.max(this.resentDhcp, times)
        send()
        const answer = await Promise.race([answered, pause(waitMs)])
        if (answer) return answer
      }
      throw new Error('no answer by DHCP')
    } finally {
      waiting.delete(packet.xid)
    }
  }

  #dhcpPacket(type: 'discover' | 'request', isIpxe: boolean): DhcpPacket {
    const options = new Map<number, Uint8Array>([
      [optionCode.messageType, encodeMessageType(type)],
      [optionCode.vendorClass, bytesOf('PXEClient:Arch:00007:UNDI:003010')],
      [optionCode.clientArch, encodeClientArchs([7])],
    ])
    if (isIpxe) options.set(optionCode.userClass, bytesOf('iPXE'))
    const none = '0.0.0.0'
    return {
      ...{ op: 'request', htype: 1, hops: 0, xid: this.#xid++, secs: 4, flags: 0x8000 },
      ...{ ciaddr: type === 'request' ? this.#address : none, yiaddr: none, siaddr: none, giaddr: none },
      ...{ chaddr: this.#mac, sname: '', file: '', options },
    }
  }

  /** A loader, as EDK2 fetches it: blocks of 1,408 bytes, a packet again after four seconds. */
  async #tftp(file: string): Promise<void> {
    const socket = createSocket({ type: 'udp4' })
    await new Promise<void>((resolve) => socket.bind(0, this.#address, () => resolve()))
    this.#socket = socket
    let peer = 69
    let last = encodeTftp({
      type: 'rrq',
      filename: file,
      mode: 'octet',
      options: new Map([['blksize', '1408']]),
    })
    let block = 0
    try {
      await new Promise<void>((resolve, reject) => {
        let tries = 0
        const send = (): void => {
          socket.send(last, peer, server)
          timer.refresh()
        }
        const timer = setTimeout(() => {
          if (++tries > tftpTries) return reject(new Error(`TFTP: no answer to block ${block}`))
          this.resentTftp = Math.max(this.resentTftp, tries)
          send()
        }, tftpWaitMs)
        const ack = (number: number): void => {
          tries = 0
          last = encodeTftp({ type: 'ack', block: number })
          send()
        }
        socket.on('message', (bytes: Buffer, from: RemoteInfo) => {
          const packet = decodeTftp(bytes)
          peer = from.port
          if (packet.type === 'oack') ack(0)
          else if (packet.type === 'error') reject(new Error(`TFTP: ${packet.message}`))
          else if (packet.type === 'data' && packet.block === ((block + 1) & 0xffff)) {
            block++
            ack(packet.block)
            if (packet.data.length < 1408) {
              clearTimeout(timer)
              resolve()
            }
          }
        })
        send()
      })
    } finally {
      socket.close()
      this.#socket = undefined
    }
  }

  async #fetchesPackages(tree: string): Promise<void> {
    for (let i = 0; i < packages; i++) await this.#get(`${tree}/Packages/package-${i}.rpm`)
  }

  #get(url: string, wantsText = false): Promise<string> {
    return this.#http('GET', url, wantsText).then(({ status, text }) => {
      if (status !== 200) throw new Error(`${status} for ${url}`)
      return text
    })
  }

  #http(method: string, url: string, wantsText = false): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const asked = request(url, { method, agent: this.#agent, timeout: httpSilenceMs }, (res) => {
        const chunks: Buffer[] = []
        res.on('data', (chunk: Buffer) => wantsText && chunks.push(chunk))
        res.on('end', () => resolve({ status: res.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
        res.on('error', reject)
      })
      asked.on('timeout', () => asked.destroy(new Error(`silence of ${url}`)))
      asked.on('error', reject)
      asked.end()
    })
  }

  /** As the shipped template does it: `curl --retry 3`, which gives up at a reset, or the snippet that does not. */
  async #report(url: string, isPatient: boolean): Promise<void> {
    const untilMs = performance.now() + 300_000
    for (let waitMs = 2000; ; waitMs = Math.min(2 * waitMs, 30_000)) {
      this.reports++
      const { status } = await this.#http('POST', url).catch(() => ({ status: 0 }))
      if (status >= 200 && status < 300) return
      if (!isPatient && status < 500) throw new Error(`the report is lost: ${status}`)
      if (performance.now() > untilMs) throw new Error(`the report is lost: ${status}`)
      await pause(waitMs)
    }
  }

  async #ftp(tree: string): Promise<void> {
    const control = await this.#connect(21)
    let said = ''
    control.on('data', (bytes) => {
      said += bytes.toString()
    })
    const reply = async (code: string): Promise<string> => {
      for (const endMs = performance.now() + httpSilenceMs; performance.now() < endMs; await pause(5)) {
        const line = new RegExp(`^${code}.*\r\n`, 'm').exec(said)
        if (line) {
          said = said.slice(line.index + line[0].length)
          return line[0]
        }
        if (control.destroyed) break
      }
      throw new Error(`FTP: no ${code}: ${said}`)
    }
    const say = (text: string, code: string): Promise<string> => {
      control.write(`${text}\r\n`)
      return reply(code)
    }
    try {
      await reply('220')
      await say('USER anonymous', '331')
      await say('PASS a', '230')
      await say('TYPE I', '200')
      for (let i = 0; i < packages; i++) {
        const port = Number(/\|\|\|(\d+)\|/.exec(await say('EPSV', '229'))?.[1])
        const data = await this.#connect(port)
        const ended = new Promise<void>((resolve, reject) => data.once('end', resolve).once('error', reject))
        data.resume()
        await say(`RETR ${tree}/Packages/package-${i}.rpm`, '150')
        await Promise.all([ended, reply('226')])
        data.destroy()
      }
    } finally {
      control.destroy()
    }
  }

  #connect(port: number): Promise<TcpSocket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: server, port, localAddress: this.#address }, () => resolve(socket))
      socket.once('error', reject)
    })
  }
}

await main()
