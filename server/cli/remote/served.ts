/**
 * Which commands can ask a server (`--server`). What can be asked is less than what the API has: the other commands read or
 * write the files of the server, and say so.
 */

/** These ask the server for the same, and print the same. */
const served: ReadonlySet<string> = new Set([
  'trees',
  'trees show',
  'trees history',
  'trees rollback',
  'trees rm',
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
  import: `${there}, or upload the tree: curl -T FILE URL/api/v1/uploads/NAME`,
  mirror: `${there}, or define one that the server fetches: treeboot mirrors add ID url=URL`,
  verify: there,
  'trees import': `${there}, or upload the tree: curl -T FILE URL/api/v1/uploads/NAME`,
  'trees mirror': `${there}, or define one that the server fetches: treeboot mirrors add ID url=URL`,
  'trees verify': there,
  'trees gc': there,
  render: `${there}; its boot plan is at URL/api/v1/guests/NAME/plan`,
  check: 'treeboot problems asks a server what is wrong',
  'accounts setup-link': there,
}

/** These need no server, or are one. */
const local: ReadonlySet<string> = new Set([
  'serve',
  'demo',
  'inspect',
  'config-schema',
  'boot-test',
  'login',
  'logout',
  'help',
])

/** All commands that are named here. */
export const namedCommands: readonly string[] = [...served, ...Object.keys(beside), ...local]

export type Serving =
  | { readonly kind: 'served' | 'local' }
  | { readonly kind: 'beside'; readonly remedy: string }

/** @param command Its words, such as `guests show`. */
export function servingOf(command: string): Serving | undefined {
  if (served.has(command)) return { kind: 'served' }
  if (local.has(command)) return { kind: 'local' }
  const remedy = beside[command]
  return remedy === undefined ? undefined : { kind: 'beside', remedy }
}
