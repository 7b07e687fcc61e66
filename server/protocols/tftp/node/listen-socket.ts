import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { familyOf, isWildcard, type LocalAddress, listenAddresses } from '../../listen-addresses.ts'
import { cannotListen, type ListenAddress, udpReceiveBytes } from '../../listener.ts'

/** One socket on which requests arrive, and the address it is bound to. */
export interface ListenSocket {
  readonly local: LocalAddress
  readonly socket: Socket
}

export interface ListenSocketsOptions {
  readonly bind: string
  readonly port: number
  onDatagram(bytes: Buffer, from: RemoteInfo, listenSocket: ListenSocket): void
  onTrouble(message: string): void
}

/**
 * How often the machine's addresses are listed again: an address that the machine gets later is served within
 * this time.
 */
const recheckMs = 5000
/** How often we try port 0: the port that is free on the first address may be taken on the second. */
const portTries = 8
/** The programs that usually have port 69. */
const rival = 'perhaps tftpd-hpa, dnsmasq or atftpd'

/**
 * The listening sockets of the service: one, or with a wildcard address one for each address of the machine.
 */
export class ListenSockets {
  readonly #options: ListenSocketsOptions
  readonly #sockets = new Map<string, ListenSocket>()
  /** Addresses that could not be bound, and were reported. */
  readonly #reported = new Set<string>()
  /** IPv6 addresses that could not be bound once. */
  readonly #tentative = new Set<string>()
  #recheck: NodeJS.Timeout | undefined
  #address: ListenAddress | undefined

  constructor(options: ListenSocketsOptions) {
    this.#options = options
  }

  get address(): ListenAddress | undefined {
    return this.#address
  }

  /** @throws Failure when no socket can be bound. */
  async open(): Promise<void> {
    const { bind } = this.#options
    const port = await this.#openAll(wantedAddresses(bind))
    this.#address = { host: bind, port }
    // One address stays as it is, and a single wildcard socket has new addresses by itself.
    if (!isWildcard(bind) || this.#sockets.has(bind)) return
    this.#recheck = setInterval(() => void this.#followAddresses(port), recheckMs)
    this.#recheck.unref()
  }

  close(): void {
    clearInterval(this.#recheck)
    this.#closeAll()
    this.#address = undefined
  }

  #closeAll(): void {
    for (const { socket } of this.#sockets.values()) socket.close()
    this.#sockets.clear()
  }

  /**
   * Binds all addresses to one port. With port 0, tries again when the port that the system chose is taken on
   * one of them.
   */
  async #openAll(wanted: readonly LocalAddress[]): Promise<number> {
    for (let attempt = 0; attempt < portTries; attempt++) {
      const { port, error } = await this.#openEach(wanted)
      const clash = this.#options.port === 0 && inUse(error) && this.#sockets.size < wanted.length
      if (!clash) return this.#sockets.size > 0 ? port : this.#openWildcard(error)
      this.#closeAll()
    }
    return this.#openWildcard(undefined)
  }

  /**
   * Binds each address that can be bound. An address may fail: an IPv6 address is still tentative, or another
   * server has the port there.
   */
  async #openEach(wanted: readonly LocalAddress[]): Promise<{ port: number; error: unknown }> {
    const anyPort = this.#options.port === 0
    let port = this.#options.port
    let error: unknown
    for (const local of wanted) {
      try {
        port = await this.#listen(local, port)
      } catch (caught) {
        error = caught
        // The system chose this port on an earlier address. `#openAll` tries with another.
        if (anyPort && inUse(caught) && port !== 0) break
        // Of a single address, and of a port that none may open, `open` throws the failure.
        if (wanted.length > 1 && !lacksPrivilege(caught)) this.#report(local, port, caught)
      }
    }
    return { port, error }
  }

  /**
   * Opens one socket for all addresses, because they could not be listed or none of them could be bound.
   *
   * @param error Why none could be bound, if one was tried.
   * @throws Failure when the error concerns one socket for all as well, or `bind` is a single address.
   */
  async #openWildcard(error: unknown): Promise<number> {
    const { bind, port } = this.#options
    if (!isWildcard(bind) || inUse(error) || lacksPrivilege(error))
      throw cannotListen(error, { service: 'tftp', bind, port, rival })
    return this.#listen({ address: bind, family: familyOf(bind) }, port)
  }

  /** Closes the sockets of addresses that the machine no longer has, and opens sockets for its new ones. */
  async #followAddresses(port: number): Promise<void> {
    const wanted = new Map(wantedAddresses(this.#options.bind).map((local) => [local.address, local]))
    for (const [address, { socket }] of this.#sockets) {
      if (wanted.has(address)) continue
      this.#sockets.delete(address)
      socket.close()
    }
    for (const [address, local] of wanted) {
      if (this.#sockets.has(address)) continue
      try {
        await this.#listen(local, port)
        this.#reported.delete(address)
        this.#tentative.delete(address)
      } catch (error) {
        this.#report(local, port, error)
      }
    }
  }

  /**
   * Reports an address that cannot be bound; once for each address, however often it is tried. A new IPv6 address
   * cannot be bound while the kernel asks whether another host has it (RFC 4862 section 5.4), which takes a second
   * or two. So such an address is reported when its second try has failed.
   */
  #report(local: LocalAddress, port: number, error: unknown): void {
    if (this.#reported.has(local.address)) return
    if (local.family === 6 && codeOf(error) === 'EADDRNOTAVAIL' && !this.#tentative.has(local.address)) {
      this.#tentative.add(local.address)
      return
    }
    this.#reported.add(local.address)
    const { message } = cannotListen(error, { service: 'tftp', bind: local.address, port })
    this.#options.onTrouble(`${message}; the other addresses are served`)
  }

  #listen(local: LocalAddress, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      // A single socket on `::` serves IPv4 clients as well.
      const ipv6Only = local.family === 6 && local.address !== '::'
      const type = local.family === 6 ? 'udp6' : 'udp4'
      const socket = createSocket({ type, ipv6Only, recvBufferSize: udpReceiveBytes })
      socket.once('error', (error) => {
        socket.close()
        reject(error)
      })
      socket.bind({ address: local.address, port }, () => {
        socket.removeAllListeners('error')
        const listenSocket = { local, socket }
        socket.on('error', (error) => this.#options.onTrouble(`${local.address}: ${error.message}`))
        socket.on('message', (bytes, from) => this.#options.onDatagram(bytes, from, listenSocket))
        this.#sockets.set(local.address, listenSocket)
        resolve(socket.address().port)
      })
    })
  }
}

function wantedAddresses(bind: string): LocalAddress[] {
  try {
    return listenAddresses(bind, networkInterfaces())
  } catch {
    // Some sandboxes forbid listing the interfaces. The service then opens one wildcard socket.
    return []
  }
}

function inUse(error: unknown): boolean {
  return codeOf(error) === 'EADDRINUSE'
}

function lacksPrivilege(error: unknown): boolean {
  return codeOf(error) === 'EACCES'
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code
}
