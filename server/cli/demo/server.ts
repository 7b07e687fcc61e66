import { type Child, type Command, startChild } from './child.ts'
import type { UndoStack } from './undo.ts'

/** A treeboot of its own process: in another network, where this process has no sockets. */
export interface ServerChild {
  readonly child: Child
  /** Where each open door listens, by its name: `http`, `tftp`, ... */
  readonly doors: Readonly<Record<string, { readonly host: string; readonly port: number }>>
}

/**
 * Starts `treeboot serve --json` and waits for the line that says where the doors are. `main` is the
 * program to give to Node; `inside` may move it into a network namespace.
 */
export async function startServer(
  undo: UndoStack,
  main: string,
  config: string,
  inside: (command: Command) => Command = (command) => command,
): Promise<ServerChild> {
  const child = startChild(undo, inside([process.execPath, main, 'serve', '--config', config, '--json']))
  const [line] = await child.output.waitFor(/^\{"event":"started".*\}$/m, 30_000)
  const started: unknown = JSON.parse(line)
  return { child, doors: doorsOf(started) }
}

function doorsOf(started: unknown): ServerChild['doors'] {
  if (typeof started !== 'object' || started === null || !('doors' in started)) return {}
  const { doors } = started
  if (typeof doors !== 'object' || doors === null) return {}
  return Object.fromEntries(Object.entries(doors).filter(([, door]) => isAddress(door)))
}

function isAddress(door: unknown): door is { host: string; port: number } {
  return (
    typeof door === 'object' &&
    door !== null &&
    'host' in door &&
    typeof door.host === 'string' &&
    'port' in door &&
    typeof door.port === 'number'
  )
}
