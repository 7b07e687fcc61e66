/**
 * The rooms of `server/` and who may import whom: the one table that ARCHITECTURE.md shows (`npm run golden`
 * writes it there) and that `tests/architecture.test.ts` checks the code against.
 *
 * `node` and `package` stand for Node's own modules and npm's; a path stands for that one file. A room always
 * may import itself, and every room may import `core`.
 */
export interface Room {
  readonly name: string
  readonly what: string
  readonly mayImport: readonly string[]
}

const system = ['node', 'package']
/** What nearly every other room stands on. */
const ground = ['host', 'files', 'events']
/** What the catalog reads with. */
const readers = ['verify', 'versions', 'config']
const all = [
  ...ground,
  'render',
  'templates',
  ...readers,
  'definitions',
  'store',
  'accounts',
  'catalog',
  'intake',
  'jobs',
  'machines',
  'timeline',
  'feed',
  'webhooks',
  'namespace',
  'emulator',
  ...system,
]

export const rooms: readonly Room[] = [
  {
    name: 'core',
    what: 'PURE. Trees, guests, boot plans, loaders, lookup: facts in, values out. No I/O, clock, randomness, or state that outlives a call',
    mayImport: ['package:ipaddr.js'],
  },
  {
    name: 'render',
    what: 'PURE. Plan to text, one file per format; `quote.ts` has one quoting function per target language',
    mayImport: [],
  },
  {
    name: 'host',
    what: 'This machine, without any word of the domain: durable writes, locks, workers, pools, unpacking',
    mayImport: system,
  },
  {
    name: 'emulator',
    what: 'Machines that QEMU emulates, the networks that they are in, and programs that end with us. Without any word of the domain',
    mayImport: ['host', ...system],
  },
  {
    name: 'files',
    what: 'The virtual file system: `source.ts` (the interface), `path.ts` (the one path cleaner), disk, ISO, UDF, memory, generated, union',
    mayImport: ['host', ...system],
  },
  {
    name: 'events',
    what: 'One stream of typed events; the log and the metrics are made from it',
    mayImport: ['files', ...system],
  },
  {
    name: 'templates',
    what: 'Answer-file templates, rendered in a worker thread under a time and memory ceiling',
    mayImport: ['host', 'render', ...system],
  },
  {
    name: 'verify',
    what: 'Whether a tree is what its documents say: signatures, expected files, digests',
    mayImport: [...ground, ...system],
  },
  {
    name: 'versions',
    what: 'Published versions of trees on the disk, and which one is current',
    mayImport: [...ground, ...system],
  },
  {
    name: 'config',
    what: '`config.yaml` and the definition files beside it (`guests.d`, `profiles.d`, `mirrors.d`) to plain data that remembers positions; watching them. Which files are templates',
    mayImport: ['verify', ...ground, ...system],
  },
  {
    name: 'definitions',
    what: 'Guests, profiles, mirrors and templates as files that a person and a program write: changes that keep all other bytes',
    mayImport: ['config', 'host', 'templates/includes.ts', ...system],
  },
  {
    name: 'store',
    what: 'What must survive a restart: the contract and its implementations',
    mayImport: ['host', 'files', ...system],
  },
  {
    name: 'accounts',
    what: 'Who may come in: accounts, sessions, tokens, and the audit of what was done with them',
    mayImport: ['host', 'store', ...system],
  },
  {
    name: 'catalog',
    what: 'Reads configuration, trees and templates into a frozen Snapshot, and watches them',
    mayImport: [...readers, ...ground, ...system],
  },
  {
    name: 'intake',
    what: 'How trees come in: import, mirrors, uploads, and publishing what was verified',
    mayImport: ['catalog', ...readers, ...ground, ...system],
  },
  {
    name: 'jobs',
    what: 'Imports, mirrors, verifications and publications that people start and watch: waiting, running, ended',
    mayImport: ['intake', 'catalog', ...readers, ...ground, ...system],
  },
  {
    name: 'machines',
    what: 'What each machine was offered, fetched and became: all such state, behind one interface',
    mayImport: ['host/lru.ts', 'files', 'events', 'store', 'catalog/snapshot.ts', ...system],
  },
  {
    name: 'timeline',
    what: 'One timeline for each boot of a machine, made of events and kept in the store',
    mayImport: ['host/lru.ts', 'events', 'store', ...system],
  },
  {
    name: 'feed',
    what: 'What happens as one numbered stream: boots, guests, trees, publishing, configuration, problems',
    mayImport: ['events', 'timeline', ...system],
  },
  {
    name: 'webhooks',
    what: 'Tells others what happens: events of the feed, signed and sent until they are taken',
    mayImport: ['host/lru.ts', 'config/schema.ts', 'feed', 'store', ...system],
  },
  {
    name: 'namespace',
    what: 'The ordered mount table: which paths exist, and who makes them',
    mayImport: [
      'render',
      'host/lru.ts',
      'host/package-family.ts',
      'files',
      'templates',
      'machines',
      'catalog/snapshot.ts',
      ...system,
    ],
  },
  {
    name: 'protocols',
    what: 'Thin services, each a `Listener`; a service never imports another service',
    mayImport: [...ground, ...system],
  },
  {
    name: 'dryboot',
    what: 'Tries what a boot of a guest would be: walks the way of its machine, and changes nothing',
    mayImport: [
      'files',
      'templates',
      'machines',
      'namespace',
      'protocols',
      'catalog/snapshot.ts',
      'catalog/scan/kernel-heads.ts',
      ...system,
    ],
  },
  {
    name: 'boottest',
    what: 'Boots a real machine from one version, in a process of its own, and says whether the installer came up',
    mayImport: [
      ...ground,
      'emulator',
      'templates',
      'versions',
      'config',
      'catalog',
      'machines',
      'namespace',
      'protocols',
      ...system,
    ],
  },
  {
    name: 'api',
    what: 'REST API and the pages without scripts',
    mayImport: [...all, 'dryboot', 'boottest'],
  },
  { name: 'cli', what: 'One file per command', mayImport: [...all, 'dryboot', 'boottest', 'api', 'app.ts'] },
  {
    name: 'listeners.ts',
    what: 'Makes the listener of each service, with its settings',
    mayImport: [...all, 'dryboot', 'boottest', 'api', 'protocols'],
  },
  {
    name: 'app.ts',
    what: 'Builds every object and joins them; reads like a table of contents',
    mayImport: [...all, 'dryboot', 'boottest', 'api', 'protocols', 'listeners.ts'],
  },
  { name: 'main.ts', what: 'Arguments to command', mayImport: ['cli'] },
]

/** The table as ARCHITECTURE.md shows it. */
export function roomsTable(): string {
  const rows = rooms.map(({ name, what, mayImport }) => {
    const others = mayImport.filter((each) => each !== 'node' && each !== 'package')
    const shown = mayImport.includes('node') ? [...others, 'node, packages'] : others
    return `| \`${name}\` | ${what} | ${['core', ...shown].join(', ')} |`
  })
  return ['| room | what it is | may import |', '| --- | --- | --- |', ...rows].join('\n')
}
