/**
 * Which commands can ask a server (`--server`), and why the others cannot. Help and docs/cli.md are made from it.
 */

/** These ask the server for the same, and print the same. */
const served: ReadonlySet<string> = new Set([
  'trees',
  'trees show',
  'trees history',
  'trees rollback',
  'trees rm',
  'trees import',
  'trees mirror',
  'trees verify',
  'import',
  'mirror',
  'verify',
  'guests',
  'guests show',
  'guests add',
  'guests set',
  'guests rm',
  'guests move',
  'guests rename',
  'guests install',
  'guests local',
  'guests hold',
  'guests forget',
  'guests import',
  'guests export',
  'install',
  'local',
  'hold',
  'profiles',
  'profiles add',
  'profiles set',
  'profiles rm',
  'profiles move',
  'profiles rename',
  'mirrors',
  'mirrors add',
  'mirrors set',
  'mirrors rm',
  'mirrors move',
  'boots',
  'boots show',
  'watch',
  'inbox',
  'adopt',
  'try',
  'render',
  'loaders',
  'dhcp-config',
  'templates',
  'templates list',
  'templates show',
  'templates save',
  'templates rm',
  'templates rename',
  'problems',
  'explain',
  'lookup',
  'accounts',
  'accounts list',
  'accounts add',
  'accounts set',
  'accounts rm',
  'accounts sessions',
  'tokens',
  'tokens list',
  'tokens add',
  'tokens rm',
  'audit',
])

const there = 'run it on the machine of the server, in the folder of its config.yaml'

/** These act on what a server has, and can only be run beside it. Why, and what to do. */
const beside: Readonly<Record<string, string>> = {
  'trees gc': `${there}; treeboot trees rm ID --version N removes one version of a server`,
  check: 'treeboot problems asks a server what is wrong',
  'accounts setup-link': there,
}

/** These need no server, or are one: what they do on this machine. */
const here: Readonly<Record<string, string>> = {
  serve: 'it is the server',
  demo: 'it starts a server of its own',
  inspect: 'it looks at a file or folder of this machine',
  'config-schema': 'it prints what this program knows',
  'boot-test': 'it boots machines on this machine',
}

/** These name a server in another way, or need none. */
const local: ReadonlySet<string> = new Set([...Object.keys(here), 'login', 'logout', 'help'])

/** These are about what a running server does, and always ask one. */
const serverOnly: ReadonlySet<string> = new Set([
  'jobs',
  'jobs show',
  'jobs watch',
  'jobs cancel',
  'jobs pause',
  'jobs start',
])

/** All commands that are named here. */
export const namedCommands: readonly string[] = [...served, ...serverOnly, ...Object.keys(beside), ...local]

/** The commands that work on this machine alone, with the reason or the remedy. */
export const thisMachine: ReadonlyMap<string, string> = new Map(
  Object.entries({ ...beside, ...here }).sort(([a], [b]) => Number(a > b) - Number(a < b)),
)

/** For help: what `--server` is good for. */
export function serverSentence(): string {
  return `With --server URL a command asks the server of another machine: all but ${[...thisMachine.keys()].join(', ')}, which work on this machine.`
}

export type Serving =
  | { readonly kind: 'served' | 'server-only' | 'local' }
  | { readonly kind: 'beside'; readonly remedy: string }

/** @param command Its words, such as `guests show`. */
export function servingOf(command: string): Serving | undefined {
  if (served.has(command)) return { kind: 'served' }
  if (serverOnly.has(command)) return { kind: 'server-only' }
  if (local.has(command)) return { kind: 'local' }
  const remedy = beside[command]
  return remedy === undefined ? undefined : { kind: 'beside', remedy }
}
