import { Failure } from '../core/failure.ts'
import type { Listener } from './listener.ts'

export interface OpenedListener {
  readonly listener: Listener
  /** Why `auto` could not use the standard port, and the port used instead; otherwise ''. */
  readonly note: string
}

/** The configured port of a service, and the standard port that `auto` tries first. */
export interface ServicePort {
  readonly port: number | 'auto'
  readonly standard: number
}

/** `auto` adds this to a standard port that it cannot bind. Every process may bind a port above 1023. */
const unprivilegedOffset = 10_000

/**
 * Opens a service on its configured port. `auto` tries the standard port first. When we may not bind it or
 * another program has it, `auto` tries that port plus 10000. A port that the configuration names is bound, or
 * the start fails.
 */
export async function openListener(
  { port, standard }: ServicePort,
  make: (port: number) => Listener,
): Promise<OpenedListener> {
  if (port !== 'auto') {
    const listener = make(port)
    await listener.start()
    return { listener, note: '' }
  }
  const first = make(standard)
  try {
    await first.start()
    return { listener: first, note: '' }
  } catch (error) {
    const why = whyUnavailable(error, standard)
    if (why === undefined) throw error
    const listener = make(standard + unprivilegedOffset)
    await listener.start()
    return { listener, note: `${why}; ${standard + unprivilegedOffset} instead` }
  }
}

/** Why a port cannot be bound, if another port may be free; undefined for an error of another kind. */
function whyUnavailable(error: unknown, port: number): string | undefined {
  switch (systemCode(error)) {
    case 'EACCES':
    case 'EPERM':
      return `port ${port} needs root or CAP_NET_BIND_SERVICE`
    case 'EADDRINUSE':
      return `port ${port} is taken by another program`
    default:
      return undefined
  }
}

function systemCode(error: unknown): string | undefined {
  const inner = error instanceof Failure ? error.cause : error
  return (inner as NodeJS.ErrnoException | undefined)?.code
}
