import { Failure } from '../core/failure.ts'
import type { Listener } from './listener.ts'

export interface OpenedListener {
  readonly listener: Listener
  /** Why it is not on the standard port; '' when there is nothing to explain. */
  readonly note: string
}

export interface ServicePort {
  readonly port: number | 'auto'
  readonly standard: number
}

/** Where `auto` goes when the standard port is not to be had: 10000 above it, in reach of any process. */
const unprivilegedOffset = 10_000

/**
 * Opens a service where the configuration wants it. `auto` tries the standard port first, and the same plus 10000 when
 * we may not bind it or somebody else has it; a port that was named is bound or fails.
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
    const why = whyNot(error, standard)
    if (why === undefined) throw error
    const listener = make(standard + unprivilegedOffset)
    await listener.start()
    return { listener, note: `${why}; ${standard + unprivilegedOffset} instead` }
  }
}

function whyNot(error: unknown, port: number): string | undefined {
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
