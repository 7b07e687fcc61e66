/**
 * A tree of 60,000 packages: `npm run bench -- many-files [packages] [KiB each]`.
 *
 * Imports it, verifies it, starts a server on it, lists it over HTTP and mirrors it from there, each in a process
 * of its own, whose time and peak resident memory are told. Beside import stands `cp -r` and `sync` of the same
 * folder, beside verify `openssl dgst` of the same files, beside the listing `ls -l`. All packages are in one
 * folder, as EL has them.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeTree, writeBelow } from '../tests/support/made-tree.ts'
import { makeRepository } from '../tests/support/rpm-repository.ts'
import { numberArgument, wordArgument } from './support/arguments.ts'

const packages = numberArgument(0, { full: 60_000, quick: 6000 })
const packageBytes = numberArgument(1, { full: 8, quick: 8 }) * 1024
/** Another port in each process, so that two runs may overlap. */
const port = 19_080 + (process.pid % 1000)
const main = join(import.meta.dirname, '../dist/server/main.js')

function makeSource(folder: string): void {
  makeTree(folder)
  // With the number in front, a package is a little shorter than `packageBytes`.
  const filling = 'x'.repeat(packageBytes - 100)
  const files = Array.from(
    { length: packages },
    (_, n) => [`Packages/package-with-a-name-${n}-1.2.3-4.el9.noarch.rpm`, `${n} ${filling}`] as const,
  )
  makeRepository(folder, Object.fromEntries(files))
}

interface Ran {
  readonly seconds: number
  /** Peak resident memory. */
  readonly mib: number
}

/** Runs to its end; its memory is looked at all the while, for the kernel forgets it with the process. */
async function run(command: string, args: readonly string[], cwd: string): Promise<Ran> {
  const started = performance.now()
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
  let mib = 0
  const timer = setInterval(() => {
    mib = Math.max(mib, peakMib(child))
  }, 10)
  const [code] = await once(child, 'close')
  clearInterval(timer)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`)
  return { seconds: (performance.now() - started) / 1000, mib }
}

function peakMib({ pid }: ChildProcess): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024 || 0
  } catch {
    return 0
  }
}

async function timed<T>(what: () => Promise<T>): Promise<readonly [number, T]> {
  const started = performance.now()
  const result = await what()
  return [(performance.now() - started) / 1000, result]
}

function tell(what: string, seconds: number, rest: string): void {
  console.log(`  ${what.padEnd(34)} ${seconds.toFixed(2).padStart(7)} s   ${rest}`)
}

const beside = (own: number, other: number) => `${(own / other).toFixed(2)} times as long`

async function serveAndList(folder: string): Promise<void> {
  const started = performance.now()
  const child = spawn(process.execPath, [main, 'serve', '--new-store', 'install'], {
    cwd: folder,
    stdio: 'ignore',
  })
  const url = `http://127.0.0.1:${port}`
  const isReady = () =>
    fetch(`${url}/api/v1/lookup?tree=many`).then(
      ({ ok }) => ok,
      () => false,
    )
  while (!(await isReady())) {
    if (child.exitCode !== null) throw new Error('the server ended')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  tell(
    'serve: until the tree is offered',
    (performance.now() - started) / 1000,
    `peak ${peakMib(child).toFixed(0)} MiB`,
  )
  for (const [kind, accept] of [
    ['page', 'text/html'],
    ['JSON', 'application/json'],
  ] as const) {
    const get = () =>
      fetch(`${url}/trees/many/Packages/`, { headers: { accept } }).then((answer) => answer.arrayBuffer())
    await get() // the first listing warms up
    const [seconds, bytes] = await timed(get)
    const ls = await run('ls', ['-l', `${join(folder, 'trees/many')}/Packages`], folder)
    tell(
      `listing of all packages, ${kind}`,
      seconds,
      `${(bytes.byteLength / 2 ** 20).toFixed(1)} MiB; ${beside(seconds, ls.seconds)} as ls -l; peak ${peakMib(child).toFixed(0)} MiB`,
    )
  }
  const mirrored = await run(
    process.execPath,
    [main, 'mirror', `${url}/trees/many/`, '--id', 'again'],
    join(folder, 'other'),
  )
  tell(
    'mirror over HTTP',
    mirrored.seconds,
    `peak ${mirrored.mib.toFixed(0)} MiB; of the server ${peakMib(child).toFixed(0)} MiB`,
  )
  const unchanged = await run(
    process.execPath,
    [main, 'mirror', `${url}/trees/many/`, '--id', 'again'],
    join(folder, 'other'),
  )
  tell('mirror again, nothing new', unchanged.seconds, `peak ${unchanged.mib.toFixed(0)} MiB`)
  child.kill()
  await once(child, 'exit')
}

async function bench(folder: string): Promise<void> {
  // In a process of its own, whose memory is given back before the measurements.
  execFileSync(process.execPath, [
    ...process.execArgv,
    import.meta.filename,
    String(packages),
    String(packageBytes / 1024),
    join(folder, 'source'),
  ])
  const off = ['ftp', 'tftp', 'nfs'].map((service) => `${service}: { enabled: false }\n`).join('')
  writeBelow(folder, 'config.yaml', `server: { bind: 127.0.0.1 }\nhttp: { port: ${port} }\n${off}`)
  writeBelow(folder, 'other/config.yaml', off)
  for (const trees of ['trees', 'other/trees']) mkdirSync(join(folder, trees))
  console.log(`${packages} packages of ${packageBytes / 1024} KiB`)

  const copy = await run('sh', ['-c', 'cp -r source copied && sync -f copied'], folder)
  const own = await run(process.execPath, [main, 'import', 'source', '--id', 'many'], folder)
  tell(
    'import of a folder',
    own.seconds,
    `${beside(own.seconds, copy.seconds)} as cp and sync (it verifies, too); peak ${own.mib.toFixed(0)} MiB`,
  )
  rmSync(join(folder, 'copied'), { recursive: true })
  writeFileSync(
    join(folder, 'list'),
    Array.from(
      { length: packages },
      (_, n) => `source/Packages/package-with-a-name-${n}-1.2.3-4.el9.noarch.rpm`,
    ).join('\0'),
  )
  const openssl = await run('xargs', ['-0', '-a', 'list', 'openssl', 'dgst', '-sha256'], folder)
  const verified = await run(process.execPath, [main, 'verify', 'many'], folder)
  tell(
    'verify',
    verified.seconds,
    `${beside(verified.seconds, openssl.seconds)} as openssl dgst; peak ${verified.mib.toFixed(0)} MiB`,
  )
  const trees = await run(process.execPath, [main, 'trees'], folder)
  tell('trees: index and print', trees.seconds, `peak ${trees.mib.toFixed(0)} MiB`)
  await serveAndList(folder)
}

const folderToFill = wordArgument(2)
if (folderToFill !== undefined) makeSource(folderToFill)
else {
  const folder = mkdtempSync(join(tmpdir(), 'treeboot-bench-'))
  await bench(folder).finally(() => rmSync(folder, { recursive: true }))
}
