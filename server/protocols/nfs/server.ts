import { failureMessage } from '../../core/failure.ts'
import type { EventSink } from '../../events/bus.ts'
import { BufferPool } from '../../files/buffers.ts'
import type { FileSource } from '../../files/source.ts'
import { cannotListen, type ListenAddress, type Listener } from '../listener.ts'
import { RateLimit } from '../rate-limit.ts'
import type { RunningTransfer } from '../stop-grace.ts'
import { type DispatchNotes, dispatch, type Program } from './dispatch.ts'
import { Handles } from './handles.ts'
import { mountProgram, mountProgramOf } from './mount.ts'
import { NfsNamespace } from './namespace.ts'
import { nfs3Program, nfsProgram } from './nfs3.ts'
import { OpenFiles } from './open-files.ts'
import { mountHint, openPortMapper, type PortMapper, whyUnmapped } from './port-mapper.ts'
import { type Mapping, portmapMappings, portmapPort, portmapProgramOf } from './portmap.ts'
import { recentReads } from './read.ts'
import { ReadLog } from './read-log.ts'
import { type ConnectionLimits, TcpListenSocket, type TransportHooks } from './tcp.ts'
import { UdpListenSockets } from './udp.ts'

export interface NfsListenerOptions {
  /** An address, or `0.0.0.0` (every IPv4 address of the machine) or `::` (every address). */
  readonly bind: string
  /** The port of NFS and MOUNT, for TCP and UDP. 0: any free port. */
  readonly port: number
  /**
   * The port mapper. `auto`: our own on port 111 if that is free, else the rpcbind that has the port. `off`:
   * none. A number: our own on this port; 0: any free port.
   */
  readonly portmap: 'auto' | 'off' | number
  /** The namespace, or a function that returns the current one and is called for each lookup. */
  readonly source: FileSource | (() => FileSource)
  readonly events: EventSink
  /** Where the key and the table of the file handles are kept. */
  readonly dataFolder: string
  readonly limits?: ConnectionLimits
}

const stopGraceMs = 2_000
const kernelServer = "perhaps the kernel's own NFS server: systemctl stop nfs-server"
/** How many free ports we try: a port that is free for TCP may be taken for UDP. */
const portTries = 8
/** Events about junk in one second: a flood must not fill the log. */
const noisePerSecond = 10

/** What the service has while it is open. */
interface OpenService {
  readonly tcp: TcpListenSocket
  readonly udp: UdpListenSockets
  readonly mapper: PortMapper
  readonly handles: Handles
  readonly files: OpenFiles
  readonly log: ReadLog
  readonly address: ListenAddress
}

/** The NFS service: version 3, read-only, with MOUNT and a small port mapper (RFC 1813, 5531, 1833, 4506). */
export class NfsListener implements Listener {
  readonly name = 'nfs'
  readonly #options: NfsListenerOptions
  #open: OpenService | undefined
  #stopped: Promise<void> | undefined
  /** Ends the moment that replies have to end. */
  readonly #cut = new AbortController()
  readonly #noiseLimit = new RateLimit(noisePerSecond, 1000)

  constructor(options: NfsListenerOptions) {
    this.#options = options
  }

  get address(): ListenAddress | undefined {
    return this.#open?.address
  }

  /** For the start-up table: how to mount. '' while the service is closed. */
  get hint(): string {
    return this.#open
      ? mountHint(this.#open.address.host, this.#open.address.port, this.#open.mapper.state)
      : ''
  }

  get whyUnmapped(): string | undefined {
    return this.#open && whyUnmapped(this.#open.mapper.state)
  }

  /** The port of our own port mapper; undefined without one. */
  get portmapPort(): number | undefined {
    const state = this.#open?.mapper.state
    return state?.type === 'ours' ? state.port : undefined
  }

  async start(): Promise<void> {
    const { bind, events, dataFolder, source, portmap } = this.#options
    const handles = await Handles.open(dataFolder)
    try {
      const namespace = new NfsNamespace(handles, typeof source === 'function' ? source : () => source)
      const files = new OpenFiles()
      const log = new ReadLog(events)
      const pool = new BufferPool()
      const programs = [
        nfs3Program({ namespace, files, pool, log, recent: recentReads() }, events),
        mountProgramOf(namespace, events),
      ]
      const { tcp, udp, port } = await this.#listen(this.#hooks(programs))
      const mappings = mappingsOf(port)
      const portmapHooks = this.#hooks([
        portmapProgramOf(() => [...portmapMappings(this.portmapPort), ...mappings]),
      ])
      const mapper = await openPortMapper(portmap, bind, mappings, portmapHooks).catch(
        async (error: unknown) => {
          udp.close()
          await tcp.close()
          throw cannotListen(error, {
            service: 'nfs',
            bind,
            port: typeof portmap === 'number' ? portmap : portmapPort,
          })
        },
      )
      this.#open = { tcp, udp, mapper, handles, files, log, address: { host: bind, port } }
    } catch (error) {
      await handles.close()
      throw error
    }
  }

  /** Mounts go on, over UDP as well: there is nothing by which a datagram of a new client could be told. */
  refuseNew(): void {
    this.#open?.tcp.refuseNew()
  }

  *transfers(): Iterable<RunningTransfer> {
    for (const reading of this.#open?.log.readings() ?? []) yield { key: reading, moved: reading.bytes }
  }

  stop(how?: 'now'): Promise<void> {
    this.#stopped ??= this.#close()
    if (how === 'now') this.#cut.abort()
    return this.#stopped
  }

  async #close(): Promise<void> {
    const open = this.#open
    if (!open) return
    this.#open = undefined
    open.udp.close()
    const late = setTimeout(() => this.#cut.abort(), stopGraceMs)
    await Promise.all([open.mapper.stop(this.#cut.signal), open.tcp.close(this.#cut.signal)])
    clearTimeout(late)
    open.files.close()
    open.log.flush()
    await open.handles.close()
  }

  /** TCP and UDP on one port, so that clients need one number. */
  async #listen(
    hooks: TransportHooks,
  ): Promise<{ tcp: TcpListenSocket; udp: UdpListenSockets; port: number }> {
    const { bind, port: wanted, limits } = this.#options
    for (let attempt = 1; ; attempt++) {
      const tcp = new TcpListenSocket(hooks, limits)
      const udp = new UdpListenSockets(hooks)
      let port = 0 // until TCP is open
      try {
        port = await tcp.open(bind, wanted)
        await udp.open(bind, port)
        return { tcp, udp, port }
      } catch (error) {
        udp.close()
        if (port !== 0) await tcp.close()
        if (wanted !== 0 || attempt === portTries)
          throw cannotListen(error, { service: 'nfs', bind, port: wanted, rival: kernelServer })
      }
    }
  }

  /** What sockets call that serve these programs: it carries out the calls, and makes events of their faults. */
  #hooks(programs: readonly Program[]): TransportHooks {
    const { events } = this.#options
    const trouble = (message: string): void => events({ type: 'trouble', where: 'nfs', message })
    const noise = (client: string, message: string): void => {
      if (this.#noiseLimit.admit(performance.now()))
        events({ type: 'noise', protocol: 'nfs', client, message })
    }
    const notes: DispatchNotes = {
      noise: ({ who }, reason) => noise(who.address, reason),
      trouble: (call, error) =>
        trouble(`program ${call.program} procedure ${call.procedure}: ${failureMessage(error)}`),
    }
    return { trouble, noise, handle: (message, caller) => dispatch(programs, message, caller, notes) }
  }
}

/** What clients ask a port mapper for: NFS and MOUNT, version 3, over both transports. */
function mappingsOf(port: number): Mapping[] {
  return [nfsProgram, mountProgram].flatMap((program) =>
    (['tcp', 'udp'] as const).map((transport) => ({ program, version: 3, transport, port })),
  )
}
