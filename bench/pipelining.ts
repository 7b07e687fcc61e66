/**
 * An honest client beside clients that pipeline and never read: `npm run bench -- pipelining [rounds]`.
 *
 * Twenty connections of 127.0.0.3 each send 64 KiB of requests in one go and read nothing. A client of 127.0.0.2
 * then asks for a small file, again and again, for three seconds. Shown are its longest wait, the memory that the
 * service added and the processor time that it used. Each case has a service of its own.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { numberArgument } from './support/arguments.ts'
import { forkServer } from './support/children.ts'
import { median } from './support/numbers.ts'
import { memoryMiB, processorSeconds } from './support/processes.ts'

const rounds = numberArgument(0, { full: 5, quick: 1 })
const attackers = 20
const burstBytes = 64 * 1024
const filesOfFolder = 300

const cases = [
  { title: 'a small file', path: '/tree/.treeinfo' },
  { title: `a folder of ${filesOfFolder} files, as a page`, path: '/tree/Packages/' },
  { title: `the same as JSON`, path: '/tree/Packages/', accept: 'application/json' },
]

async function main(): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'treeboot-bench-'))
  await mkdir(join(root, 'tree/Packages'), { recursive: true })
  await writeFile(join(root, 'tree/.treeinfo'), '[general]\nfamily = Fedora\n')
  for (let i = 0; i < filesOfFolder; i++)
    await writeFile(join(root, `tree/Packages/package-${i}-1.0-1.fc40.x86_64.rpm`), randomBytes(100))
  console.log(`${cpus().length} cores, Node ${process.version}, ${rounds} rounds, medians\n`)
  try {
    for (const { title, path, accept = '*/*' } of cases) {
      const results: Result[] = []
      for (let i = 0; i < rounds; i++) results.push(await attack(root, path, accept))
      const of = (value: (result: Result) => number): string => median(results.map(value)).toFixed(2)
      console.log(
        `${title.padEnd(36)} longest wait ${of(({ waitS }) => waitS)} s, memory +${of(({ addedMiB }) => addedMiB)} MiB, ${of(({ cpuS }) => cpuS)} s of CPU`,
      )
    }
  } finally {
    await rm(root, { recursive: true })
  }
}

interface Result {
  readonly waitS: number
  readonly addedMiB: number
  readonly cpuS: number
}

async function attack(root: string, path: string, accept: string): Promise<Result> {
  const server = await forkServer(join(import.meta.dirname, 'peers/http.ts'), ['service', root])
  const one = `GET ${path} HTTP/1.1\r\nHost: a\r\nAccept: ${accept}\r\n\r\n`
  const burst = one.repeat(Math.floor(burstBytes / one.length))
  const sockets: Socket[] = []
  try {
    for (let i = 0; i < 20; i++) await askHonestly(server.port) // warms up
    const before = { rss: memoryMiB(server.pid), cpu: processorSeconds(server.pid) }
    for (let i = 0; i < attackers; i++) sockets.push(await connectFrom('127.0.0.3', server.port))
    for (const socket of sockets) socket.pause().write(burst)
    let [waitS, peakMiB] = [0, 0]
    for (const endMs = performance.now() + 3_000; performance.now() < endMs; await sleep(20)) {
      waitS = Math.max(waitS, await askHonestly(server.port))
      peakMiB = Math.max(peakMiB, memoryMiB(server.pid))
    }
    return { waitS, addedMiB: peakMiB - before.rss, cpuS: processorSeconds(server.pid) - before.cpu }
  } finally {
    for (const socket of sockets) socket.destroy()
    await server.stop()
  }
}

/** Asks for a small file on a connection of its own. Resolves to the seconds until the response began. */
async function askHonestly(port: number): Promise<number> {
  const beganMs = performance.now()
  const socket = await connectFrom('127.0.0.2', port)
  socket.write('GET /tree/.treeinfo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await new Promise((resolve, reject) => socket.once('data', resolve).once('error', reject))
  socket.destroy()
  return (performance.now() - beganMs) / 1000
}

function connectFrom(localAddress: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress }, () => resolve(socket))
    socket.once('error', reject)
  })
}

await main()
