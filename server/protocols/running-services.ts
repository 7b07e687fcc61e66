import { type OpenServices, openServices } from '../core/boot/urls.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { type ServiceName, serviceNames, serviceTable } from '../core/services.ts'
import { bindHere } from './ipv6-support.ts'
import type { Listener } from './listener.ts'
import { type OpenedListener, openListener } from './open-listener.ts'
import { type StopGrace, waitForTransfers } from './stop-grace.ts'

/** One line of the start-up table. */
export interface ServiceLine {
  readonly name: string
  readonly open: boolean
  readonly host?: string
  readonly port?: number
  /** Why the service is closed or on an unusual port, and what its clients need to know; '' when nothing. */
  readonly note: string
}

/** What the configuration says about each service. */
export type ServiceSettings = Readonly<
  Record<ServiceName, { readonly enabled: boolean; readonly bind: string; readonly port: number | 'auto' }>
>

/** Makes the listener of each service for an address and a port. */
export type ListenerMakers = Readonly<Record<ServiceName, (bind: string, port: number) => Listener>>

/** Opens and closes the services, and makes the start-up table from them. */
export class RunningServices {
  readonly #opened = new Map<ServiceName, OpenedListener>()

  /**
   * Opens every enabled service, in the order of `serviceNames`. When it rejects, `stop` closes the services
   * that it opened.
   *
   * @param hasIpv6 For tests. Default: whether this system can listen on IPv6 addresses.
   */
  async open(
    settings: ServiceSettings,
    make: ListenerMakers,
    hasIpv6?: () => Promise<boolean>,
  ): Promise<void> {
    let noted = false
    for (const name of serviceNames) {
      const { enabled, bind: configured, port: wanted } = settings[name]
      if (!enabled) continue
      const bind = await bindHere(configured, hasIpv6)
      const { standardPort: standard, mayMove } = serviceTable[name]
      // A port that is named is bound, or the start fails: it never becomes another one.
      const port = wanted === 'auto' && !mayMove ? standard : wanted
      const opened = await openListener({ port, standard }, (tried) => make[name](bind, tried))
      // The reason is the same for all services, so one line of the table says it.
      const why: string = bind === configured || noted ? '' : noIpv6
      noted ||= bind !== configured
      this.#opened.set(name, { ...opened, note: [opened.note, why].filter(Boolean).join('; ') })
    }
  }

  get problems(): readonly SnapshotProblem[] {
    return [...this.#opened.values()].flatMap(({ listener }) => listener.problems ?? [])
  }

  /** The ports on which the open services listen. */
  addresses(): OpenServices {
    const ports = [...this.#opened].flatMap(([name, { listener }]) =>
      listener.address ? [[name, listener.address.port, listener.whyUnmapped] as const] : [],
    )
    return openServices(ports)
  }

  /** The start-up table: one line for each service, open or closed, in the order of `serviceNames`. */
  lines(): readonly ServiceLine[] {
    return serviceNames.map((name) => {
      const service = this.#opened.get(name)
      const address = service?.listener.address
      if (!service || !address) return { name, open: false, note: serviceTable[name].closedNote }
      const tftp = name === 'dhcp' ? tftpTrouble(this.addresses()) : ''
      const note = [service.note, service.listener.hint, tftp].filter(Boolean).join('; ')
      return { name, open: true, ...address, note }
    })
  }

  /**
   * Lets running transfers end, then stops all services (`Listener.stop`). `onTrouble` gets the error of each service
   * that failed to stop.
   */
  async stop(grace: StopGrace, onTrouble: (error: unknown) => void): Promise<void> {
    const listeners = [...this.#opened.values()].map(({ listener }) => listener)
    for (const listener of listeners) listener.refuseNew()
    const running = () => listeners.flatMap((listener) => [...listener.transfers()])
    // Nothing is open when the start failed, and then there may be no configuration either.
    if (listeners.length === 0) return
    const ended = await waitForTransfers(running, grace)
    // What is left are requests without an end, which nobody waits for who wants no waiting.
    const { cut } = grace
    const how = ended && grace.graceMs() > 0 && !cut?.aborted ? undefined : 'now'
    const stopped = listeners.map((listener) => listener.stop(how).catch(onTrouble))
    const hasten = (): void => {
      // The promise is the same as above, where its error is told.
      for (const listener of listeners) listener.stop('now').catch(() => undefined)
    }
    cut?.addEventListener('abort', hasten)
    await Promise.all(stopped)
    cut?.removeEventListener('abort', hasten)
  }
}

const noIpv6 = 'this system has no IPv6, so every service listens on IPv4 alone'

/**
 * A warning when firmware cannot load anything: it asks for TFTP at port 69, which no DHCP option can change.
 */
function tftpTrouble({ tftp }: OpenServices): string {
  if (tftp === undefined) return 'WITHOUT the tftp service firmware can load nothing'
  return tftp.port === serviceTable.tftp.standardPort
    ? ''
    : `firmware asks for TFTP at port 69 only, and tftp listens on ${tftp.port}: NO LOADER can be offered`
}
