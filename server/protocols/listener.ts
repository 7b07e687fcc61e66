import type { Server } from 'node:net'
import { defined } from '../core/defined.ts'
import { Failure, failureMessage } from '../core/failure.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import type { EventSink } from '../events/bus.ts'
import type { RunningTransfer } from './stop-grace.ts'

/** A service that can be opened and closed. `app.ts` starts them all and prints one line for each. */
export interface Listener {
  /** Short name for the start-up table, the log and the metrics: `http`, `tftp`, ... */
  readonly name: string
  /** Binds the sockets. Rejects with a Failure that names address, port and remedy. */
  start(): Promise<void>
  /**
   * Begins nothing new: closes the sockets on which it listens, and connections that wait for a request. A machine
   * that asks again meets the next process. What runs goes on. Safe to call twice.
   */
  refuseNew(): void
  /** The transfers that run. */
  transfers(): Iterable<RunningTransfer>
  /**
   * Takes no new work, gives replies that are being sent a moment to end, then closes. `now`: without that moment, or
   * with no more of it when a call before has begun it. Safe to call twice.
   */
  stop(how?: 'now'): Promise<void>
  /** The address and port that the service listens on; undefined while it is closed. */
  readonly address: ListenAddress | undefined
  /** What a client needs to know besides the address, for the start-up table; may be ''. */
  readonly hint?: string
  /** NFS: why a client that asks the port mapper (port 111) does not find the service there. */
  readonly whyUnmapped?: string | undefined
  /** What is wrong beside the service, as far as it can tell. */
  readonly problems?: readonly SnapshotProblem[]
}

/** What a service is bound to. When port 0 was asked for, `port` is the port that the system chose. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/**
 * The receive buffer that UDP services ask for. A room of machines that is switched on sends hundreds of datagrams
 * while one is handled; the default holds fewer than 300. The kernel gives what net.core.rmem_max allows.
 */
export const udpReceiveBytes = 4 * 1024 * 1024

export interface TcpListenOptions {
  /** The service's section in config.yaml, such as `ftp`. */
  readonly service: string
  readonly bind: string
  readonly port: number
  /** The most connections that wait to be accepted; without it Node's default, 511. */
  readonly backlog?: number
  readonly events: EventSink
}

/**
 * Binds a TCP server and resolves to its address. Rejects like `Listener.start`. Later errors become events.
 */
export function listenTcp(
  server: Server,
  { service, bind, port, backlog, events }: TcpListenOptions,
): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    const refuse = (error: Error): void => reject(cannotListen(error, { service, bind, port }))
    server.once('error', refuse)
    server.listen({ host: bind, port, ...defined({ backlog }) }, () => {
      server.off('error', refuse)
      server.on('error', (error) =>
        events({ type: 'trouble', where: service, message: failureMessage(error) }),
      )
      const bound = server.address()
      resolve(
        bound && typeof bound === 'object' ? { host: bound.address, port: bound.port } : { host: bind, port },
      )
    })
  })
}

export interface ListenAttempt {
  /** The service's section in config.yaml, such as `ftp`. */
  readonly service: string
  readonly bind: string
  readonly port: number
  /** The programs that most often use that port, or the command that stops one. */
  readonly rival?: string
}

/** The failure of a service that cannot listen, with its remedy. The system's own error is the cause. */
export function cannotListen(error: unknown, { service, bind, port, rival }: ListenAttempt): Failure {
  const what = `${service.toUpperCase()} cannot listen on ${bind} port ${port}`
  const cause = { cause: error }
  switch ((error as NodeJS.ErrnoException | undefined)?.code) {
    case 'EADDRINUSE': {
      const command = `ss -lntup 'sport = :${port}' shows which`
      const stop = rival === undefined ? `Stop it (${command})` : `Stop it (${rival}; ${command})`
      const message = `${what}: another program uses that port. ${stop}, or set ${service}.port in config.yaml to a free port`
      return new Failure('conflict', message, cause)
    }
    case 'EACCES':
    case 'EPERM': {
      const remedy = `Set ${service}.port in config.yaml to 1024 or above, or give treeboot that capability`
      return new Failure('forbidden', `${what}: ports below 1024 need CAP_NET_BIND_SERVICE. ${remedy}`, cause)
    }
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND': {
      const remedy = `Set ${service}.bind in config.yaml to an address that "ip addr" shows, or to "::"`
      return new Failure(
        'bad-request',
        `${what}: no interface of this machine has that address. ${remedy}`,
        cause,
      )
    }
    default:
      return new Failure('internal', `${what}: ${failureMessage(error)}`, cause)
  }
}
