import { type Child, type Command, startChild } from '../../emulator/child.ts'
import type { UndoStack } from '../../emulator/undo.ts'

/** A treeboot in a separate process, which may be in another network namespace. */
export interface ServerChild {
  readonly child: Child
  /** Where each open service listens, by its name: `http`, `tftp`, ... */
  readonly services: Readonly<Record<string, { readonly host: string; readonly port: number }>>
}

/**
 * Starts `treeboot serve --json` and waits for the line that says where the services are. `main` is the
 * program to give to Node; `inside` may move it into a network namespace.
 */
export async function startServer(
  undo: UndoStack,
  main: string,
  config: string,
  inside: (command: Command) => Command = (command) => command,
): Promise<ServerChild> {
  const serve = ['serve', '--config', config, '--json', '--new-store', 'install']
  const child = startChild(undo, inside([process.execPath, main, ...serve]))
  const [line] = await child.output.waitFor(/^\{"event":"started".*\}$/m, 30_000)
  const started: unknown = JSON.parse(line)
  return { child, services: servicesOf(started) }
}

function servicesOf(started: unknown): ServerChild['services'] {
  if (typeof started !== 'object' || started === null || !('services' in started)) return {}
  const { services } = started
  if (typeof services !== 'object' || services === null) return {}
  return Object.fromEntries(Object.entries(services).filter(([, service]) => isAddress(service)))
}

function isAddress(service: unknown): service is { host: string; port: number } {
  return (
    typeof service === 'object' &&
    service !== null &&
    'host' in service &&
    typeof service.host === 'string' &&
    'port' in service &&
    typeof service.port === 'number'
  )
}
