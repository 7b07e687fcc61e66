import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { familyOf, isWildcard, type LocalAddress, listenAddresses } from '../../listen-addresses.ts'
import { cannotListen, type ListenAddress } from '../../listener.ts'

/** One listening socket and the address that it stands for. */
export interface Ear {
  readonly local: LocalAddress
  readonly socket: Socket
}

export type Heard = (bytes: Buffer, from: RemoteInfo, ear: Ear) => void

/** How often new and vanished addresses are looked for: an address that DHCP gives us later works within this time. */
const recheckMs = 5000
/** A free port for the first address may be taken on the next one. */
const portTries = 8
const otherServers = 'tftpd-hpa, dnsmasq or atftpd'

/** The listening sockets of a service: one, or one for each address of the machine. */
export class Ears {
  readonly #bind: string
  readonly #port: number
  readonly #heard: Heard
  readonly #trouble: (message: string) => void
  readonly #ears = new Map<string, Ear>()
  readonly #refused = new Set<string>()
  #recheck: NodeJS.Timeout | undefined
  #address: ListenAddress | undefined

  constructor(bind: string, port: number, heard: Heard, trouble: (message: string) => void) {
    this.#bind = bind
    this.#port = port
    this.#heard = heard
    this.#trouble = trouble
  }

  get address(): ListenAddress | undefined {
    return this.#address
  }

  /** @throws Failure when no socket could be had. */
  async open(): Promise<void> {
    const wanted = wantedAddresses(this.#bind)
    const port = await this.#openAll(wanted)
    this.#address = { host: this.#bind, port }
    if (!isWildcard(this.#bind) || this.#ears.has(this.#bind)) return
    this.#recheck = setInterval(() => void this.#follow(port), recheckMs)
    this.#recheck.unref()
  }

  close(): void {
    clearInterval(this.#recheck)
    for (const ear of this.#ears.values()) ear.socket.close()
    this.#ears.clear()
    this.#address = undefined
  }

  /** Binds what can be bound. One address that refuses (IPv6 still tentative, a second server there) spoils no other. */
  async #openAll(wanted: readonly LocalAddress[]): Promise<number> {
    let error: unknown
    for (let attempt = 0; attempt < portTries; attempt++) {
      let port = this.#port
      for (const local of wanted) {
        try {
          port = await this.#listen(local, port)
        } catch (caught) {
          error = caught
          if (this.#port === 0 && inUse(caught) && port !== 0) break
          if (wanted.length > 1 && !privileged(caught)) this.#complain(local, port, caught)
        }
      }
      const clash = this.#port === 0 && inUse(error) && this.#ears.size < wanted.length
      if (this.#ears.size > 0 && !clash) return port
      if (!clash) break
      for (const ear of this.#ears.values()) ear.socket.close()
      this.#ears.clear()
      error = undefined
    }
    if (isWildcard(this.#bind) && !inUse(error) && !privileged(error))
      return this.#listen({ address: this.#bind, family: familyOf(this.#bind) }, this.#port)
    throw cannotListen(error, { service: 'tftp', bind: this.#bind, port: this.#port, rival: otherServers })
  }

  async #follow(port: number): Promise<void> {
    const wanted = new Map(wantedAddresses(this.#bind).map((local) => [local.address, local]))
    for (const [address, ear] of this.#ears) {
      if (wanted.has(address)) continue
      this.#ears.delete(address)
      ear.socket.close()
    }
    for (const [address, local] of wanted) {
      if (this.#ears.has(address)) continue
      try {
        await this.#listen(local, port)
        this.#refused.delete(address)
      } catch (error) {
        this.#complain(local, port, error)
      }
    }
  }

  /** Once for each address, however often it is tried. */
  #complain(local: LocalAddress, port: number, error: unknown): void {
    if (this.#refused.has(local.address)) return
    this.#refused.add(local.address)
    this.#trouble(
      `${cannotListen(error, { service: 'tftp', bind: local.address, port }).message}; the other addresses are served`,
    )
  }

  #listen(local: LocalAddress, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const ipv6Only = local.family === 6 && local.address !== '::'
      const socket = createSocket({ type: local.family === 6 ? 'udp6' : 'udp4', ipv6Only })
      socket.once('error', (error) => {
        socket.close()
        reject(error)
      })
      socket.bind({ address: local.address, port }, () => {
        socket.removeAllListeners('error')
        const ear = { local, socket }
        socket.on('error', (error) => this.#trouble(`${local.address}: ${error.message}`))
        socket.on('message', (bytes, from) => this.#heard(bytes, from, ear))
        this.#ears.set(local.address, ear)
        resolve(socket.address().port)
      })
    })
  }
}

function wantedAddresses(bind: string): LocalAddress[] {
  try {
    return listenAddresses(bind, networkInterfaces())
  } catch {
    // Some sandboxes forbid the question; one wildcard socket is then the best there is.
    return []
  }
}

function inUse(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE'
}

function privileged(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'EACCES'
}
