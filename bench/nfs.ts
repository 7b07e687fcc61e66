/**
 * The NFS service beside nfs-ganesha, in one run: `npm run bench -- nfs [rounds] [MiB]`, as root.
 *
 * One file is read from the page cache by libnfs's nfs-cat, by one client and by four at once. Ganesha needs
 * an rpcbind, so everything runs in network, mount and process namespaces of its own, which end with the bench.
 * The rounds are interleaved and only ratios of the same run mean anything.
 */
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { findClient } from '../tests/support/clients.ts'
import { numberArgument, wordArgument } from './support/arguments.ts'
import { forkServer, stopChild, untilListening } from './support/children.ts'
import { median, range, ratios } from './support/numbers.ts'

const run = promisify(execFile)
const rounds = numberArgument(0, { full: 5, quick: 1 })
const mebibytes = numberArgument(1, { full: 1024, quick: 256 })
const fileBytes = mebibytes * 2 ** 20
const inside = wordArgument(2)

interface Peer {
  readonly name: string
  readonly url: string
  readonly stop: () => Promise<void>
}

async function main(): Promise<void> {
  if (inside === undefined) return enterNamespaces()
  await run('ip', ['link', 'set', 'lo', 'up'])
  const nfsCat = findClient('nfs-cat')
  if (!nfsCat) throw new Error('nfs-cat is missing: apt-get install libnfs-utils')
  const folder = await mkdtemp(join(tmpdir(), 'treeboot-bench-'))
  const root = join(folder, 'root')
  mkdirSync(root)
  await makeFile(join(root, 'big'))
  const peers: Peer[] = []
  try {
    const ganesha = findClient('ganesha.nfsd')
    const rpcbind = findClient('rpcbind')
    if (ganesha && rpcbind) peers.push(...(await startGanesha(ganesha, rpcbind, folder, root)))
    else console.log('nfs-ganesha is missing (apt-get install nfs-ganesha nfs-ganesha-vfs): no ratios to it')
    peers.push(await startListener(folder, root))
    for (const clients of [1, 4]) await compare(nfsCat, clients, peers)
  } finally {
    for (const peer of peers) await peer.stop()
    await rm(folder, { recursive: true })
  }
}

/** As the first process of its namespace: when it ends, the kernel ends the servers. */
function enterNamespaces(): void {
  const own = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc']
  const again = [
    ...process.execArgv,
    ...process.argv.slice(1, 2),
    String(rounds),
    String(mebibytes),
    'inside',
  ]
  const child = spawn('unshare', [...own, process.execPath, ...again], { stdio: 'inherit' })
  child.once('exit', (code) => {
    process.exitCode = code ?? 1
  })
}

async function makeFile(file: string): Promise<void> {
  const piece = randomBytes(2 ** 24)
  const handle = await open(file, 'w')
  for (let at = 0; at < fileBytes; at += piece.length) await handle.write(piece)
  await handle.close()
}

/** The ratio is the median of the ratios of each round; the first round only warms up. */
async function compare(nfsCat: string, clients: number, peers: readonly Peer[]): Promise<void> {
  const speeds = new Map<Peer, number[]>(peers.map((peer) => [peer, []]))
  for (let round = 0; round <= rounds; round++)
    for (const peer of peers) {
      const started = performance.now()
      await Promise.all(Array.from({ length: clients }, () => readAll(nfsCat, peer.url)))
      const speed = (clients * fileBytes) / 1000 / (performance.now() - started)
      if (round > 0) speeds.get(peer)?.push(speed)
    }
  const base = [...speeds.values()][0] ?? []
  console.log(`${mebibytes} MiB by nfs-cat, ${clients} at once, ${rounds} rounds`)
  for (const [peer, values] of speeds) {
    const shares = ratios(values, base)
    const speed = median(values).toFixed(0).padStart(6)
    const share = median(shares).toFixed(2).padStart(6)
    console.log(`  ${peer.name.padEnd(14)}${speed} MB/s ${share} x  (${range(shares)})`)
  }
}

/** Through a shell, so that the bytes go to /dev/null and not through us. */
async function readAll(nfsCat: string, url: string): Promise<void> {
  await run('sh', ['-c', '"$0" "$1" >/dev/null', nfsCat, url])
}

async function startListener(folder: string, root: string): Promise<Peer> {
  const { port, stop } = await forkServer(join(import.meta.dirname, 'peers/nfs.ts'), [
    root,
    join(folder, 'data'),
  ])
  // libnfs: the export `/`, then the file `/big`.
  const url = `nfs://127.0.0.1//big?nfsport=${port}&mountport=${port}`
  return { name: 'treeboot', url, stop }
}

async function startGanesha(ganesha: string, rpcbind: string, folder: string, root: string): Promise<Peer[]> {
  await run('mount', ['-t', 'tmpfs', 'tmpfs', '/run'])
  mkdirSync('/run/rpcbind')
  const binder = spawn(rpcbind, ['-f', '-w'], { stdio: 'inherit' })
  await untilListening(111)
  const [nfsPort, mountPort] = [12049, 12050]
  const plugins = join(dirname(ganesha), '../lib/x86_64-linux-gnu/ganesha')
  const config = `
NFS_CORE_PARAM {
  NFS_Port = ${nfsPort}; MNT_Port = ${mountPort}; Protocols = 3; Enable_NLM = false; Enable_RQUOTA = false;
  Plugins_Dir = "${plugins}";
}
NFSV4 { Graceless = true; RecoveryRoot = "/run/ganesha"; UseGetpwnam = true; DomainName = localdomain; }
EXPORT {
  Export_Id = 1; Path = ${root}; Pseudo = /root; Access_Type = RO; Squash = None; SecType = sys, none;
  Protocols = 3; Transports = TCP; FSAL { Name = VFS; }
}
LOG { Default_Log_Level = EVENT; }
`
  mkdirSync('/run/ganesha')
  await writeFile(join(folder, 'ganesha.conf'), config)
  const log = join(folder, 'ganesha.log')
  const args = ['-F', '-L', log, '-f', join(folder, 'ganesha.conf'), '-p', '/run/ganesha.pid']
  const server = spawn(ganesha, args, { stdio: 'inherit' })
  await untilListening(nfsPort)
  const url = `nfs://127.0.0.1${root}/big?nfsport=${nfsPort}&mountport=${mountPort}`
  const stop = async (): Promise<void> => {
    await stopChild(server)
    await stopChild(binder)
  }
  return [{ name: 'nfs-ganesha', url, stop }]
}

await main()
