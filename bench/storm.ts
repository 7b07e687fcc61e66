/**
 * A thousand machines that are switched on at once: `npm run bench -- storm [machines] [rounds]`. Needs root.
 *
 * Each machine asks by DHCP, loads 250 KiB by TFTP, its script, a kernel of 1 MiB and an initrd of 4 MiB by HTTP, its
 * answer file, and twenty packages of 100 KiB by HTTP or FTP. It reports, and boots again: then it must get its disk. Each
 * round has a server alone, and one beside an attacker (`clients/storm-attacker.ts`). `STORM_SERVER` names the main.js of
 * another build to compare with, which gets a turn in each round. Shown are the most times that one packet was sent again,
 * what was lost, how long the machines took, and the memory of the server. The machines share the cores with it.
 */
import { randomBytes } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Child, run, startChild } from '../server/emulator/child.ts'
import { makeLan } from '../server/emulator/lan.ts'
import { UndoStack } from '../server/emulator/undo.ts'
import type { StormResult, StormSettings } from './clients/storm-machines.ts'
import { isQuick, numberArgument } from './support/arguments.ts'
import { median } from './support/numbers.ts'
import { memoryMiB, processorSeconds } from './support/processes.ts'

const machines = numberArgument(0, { full: 1000, quick: 50 })
const rounds = numberArgument(1, { full: 3, quick: 1 })
const warmMachines = 20
/** The addresses of the machines and of the attacker: RFC 2544 keeps them for benchmarks. */
const machineNetwork = '198.18.0.0/15'
const restMs = isQuick ? 5000 : 60_000
const built = join(import.meta.dirname, '../dist/server/main.js')
const servers = [
  ['this', built],
  ...(process.env.STORM_SERVER ? [['other', process.env.STORM_SERVER] as const] : []),
] as const

async function main(): Promise<void> {
  console.log(
    `${cpus().length} cores, Node ${process.version}, ${machines} machines, ${rounds} rounds, medians\n`,
  )
  const measured = new Map<string, Storm[]>()
  for (let round = 0; round < rounds; round++)
    for (const [name, server] of servers)
      for (const attacked of [false, true]) {
        const title = `${name}${attacked ? ', attacked' : ''}`
        const result = await storm(server, attacked)
        measured.set(title, [...(measured.get(title) ?? []), result])
        console.log(`${title.padEnd(16)} ${line([result])}`)
      }
  console.log('')
  for (const [title, results] of measured) console.log(`${title.padEnd(16)} ${line(results)}`)
}

interface Storm {
  readonly installed: number
  readonly lostReports: number
  readonly installsAgain: number
  readonly resentDhcp: number
  readonly resentTftp: number
  readonly restarts: number
  readonly p50S: number
  readonly p99S: number
  readonly addedMiB: number
  /** After a rest. */
  readonly keptMiB: number
  readonly cpuS: number
}

function line(storms: readonly Storm[]): string {
  const of = (key: keyof Storm): string => {
    const value = median(storms.map((each) => each[key]))
    return Number.isInteger(value) ? String(value) : value.toFixed(1)
  }
  return [
    `${of('installed')} installed (${of('lostReports')} reports lost, ${of('installsAgain')} again)`,
    `p50 ${of('p50S')} s, p99 ${of('p99S')} s`,
    `resent DHCP ${of('resentDhcp')}, TFTP ${of('resentTftp')}; ${of('restarts')} restarts`,
    `memory +${of('addedMiB')} MiB, then +${of('keptMiB')}`,
    `${of('cpuS')} s of CPU`,
  ].join('; ')
}

/** One storm over a server of its own. */
async function storm(server: string, attacked: boolean): Promise<Storm> {
  const undo = new UndoStack()
  const folder = mkdtempSync(join(tmpdir(), 'treeboot-storm-'))
  undo.push(folder, () => rmSync(folder, { recursive: true, force: true }))
  try {
    const lan = makeLan(undo)
    const host = lan.addHost('192.0.2.2')
    run('ip', '-n', lan.namespace, 'route', 'add', machineNetwork, 'via', host.address)
    // Every address of the network is one of that host.
    run('ip', '-n', host.namespace, 'route', 'add', 'local', machineNetwork, 'dev', 'lo')
    run('ip', '-n', host.namespace, 'route', 'add', '255.255.255.255', 'dev', 'eth0')
    makeHome(folder, server)
    const treeboot = await startTreeboot(undo, folder, lan.inside, server)
    await untilReady(lan.inside)
    const inHost = (file: string, ...args: string[]): Child => {
      const command = [
        'nice',
        '-n',
        '5',
        process.execPath,
        ...process.execArgv,
        join(import.meta.dirname, file),
      ]
      return startChild(
        undo,
        host.inside(['sh', '-c', 'ulimit -n $(ulimit -Hn); exec "$@"', 'sh', ...command, ...args]),
      )
    }
    const boots = async (settings: Pick<StormSettings, 'first' | 'machines'>): Promise<StormResult> => {
      const all: StormSettings = { server: lan.address, rampMs: 0, ...settings }
      const clients = inHost('clients/storm-machines.ts', JSON.stringify(all))
      if ((await clients.ended) !== 0) throw new Error(clients.output.tail())
      return JSON.parse(clients.output.text.trim().split('\n').at(-1) ?? '[]', (key, value: unknown) =>
        // JSON has no NaN, and writes null.
        key === 'doneS' && value === null ? Number.NaN : value,
      ) as StormResult
    }
    // A server at rest has served before: its code is compiled, its threads run, and it has given memory back.
    await boots({ first: machines, machines: warmMachines })
    await pause(restMs)
    const before = { memory: memoryMiB(treeboot.pid), cpu: processorSeconds(treeboot.pid) }
    const attacker = attacked
      ? inHost('clients/storm-attacker.ts', lan.address, '/trees/fedora/Packages/', '/ks/hanging')
      : undefined
    let peak = before.memory
    const watching = setInterval(() => {
      peak = Math.max(peak, memoryMiB(treeboot.pid))
    }, 200)
    const results = await boots({ first: 0, machines })
    clearInterval(watching)
    const cpuS = processorSeconds(treeboot.pid) - before.cpu
    await attacker?.stop()
    await pause(restMs)
    return {
      ...summary(results),
      addedMiB: peak - before.memory,
      keptMiB: memoryMiB(treeboot.pid) - before.memory,
      cpuS,
    }
  } finally {
    undo.unwind()
  }
}

function summary(results: StormResult): Omit<Storm, 'addedMiB' | 'keptMiB' | 'cpuS'> {
  const done = results.map(({ doneS }) => doneS).filter((seconds) => !Number.isNaN(seconds))
  const at = (part: number): number =>
    done.sort((a, b) => a - b)[Math.floor(part * (done.length - 1))] ?? Number.NaN
  for (const trouble of new Set(
    results
      .map((each) => each.trouble)
      .filter((each) => each !== '')
      .slice(0, 3),
  ))
    console.log(`  a machine: ${trouble}`)
  return {
    installed: done.length,
    lostReports: results.filter(({ trouble, doneS }) => Number.isNaN(doneS) && trouble.includes('report'))
      .length,
    installsAgain: results.filter(({ second }) => second !== 'disk').length,
    resentDhcp: Math.max(...results.map(({ resentDhcp }) => resentDhcp)),
    resentTftp: Math.max(...results.map(({ resentTftp }) => resentTftp)),
    restarts: results.reduce((sum, { restarts }) => sum + restarts, 0),
    p50S: at(0.5),
    p99S: at(0.99),
  }
}

/** A tree, the shipped templates of that server and one that never ends, and a guest for each machine. */
function makeHome(folder: string, server: string): void {
  const put = (path: string, data: string | Buffer): void => {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), data)
  }
  const kib = (size: number): Buffer => randomBytes(size * 1024)
  const tree = 'trees/fedora'
  put(`${tree}/images/pxeboot/vmlinuz`, kib(1024))
  put(`${tree}/images/pxeboot/initrd.img`, kib(4096))
  for (let i = 0; i < 300; i++) put(`${tree}/Packages/package-${i}.rpm`, kib(100))
  put(
    `${tree}/.treeinfo`,
    '[general]\nfamily = Fedora\nversion = 40\narch = x86_64\nplatforms = x86_64\nrepository = .\n[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n',
  )
  put('tftpboot/snponly.efi', kib(250))
  cpSync(join(server, '../../../kickstart-templates'), join(folder, 'templates'), { recursive: true })
  put('templates/hanging.ks', `{{ '${'a'.repeat(40)}!' | regex_search('^(a+)+$') }}`)
  const macOf = (number: number): string =>
    [
      '52',
      '54',
      '00',
      'be',
      ...[number >> 8, number & 255].map((each) => each.toString(16).padStart(2, '0')),
    ].join(':')
  const guests = Array.from(
    { length: machines + warmMachines },
    (_, i) => `  g${i}: { mac: "${macOf(i)}", profile: base }\n`,
  )
  put(
    'config.yaml',
    `server: { bind: 192.0.2.1 }
http: { port: 80 }
nfs: { enabled: false }
dhcp: { mode: proxy, interfaces: [br0] }
paths: { trees: trees, tftpboot: tftpboot, templates: templates, data: data }
profiles:
  base: { tree: fedora, template: fedora.ks }
guests:
  hanging: { mac: "52:54:00:ff:ff:ff", tree: fedora, template: hanging.ks }
${guests.join('')}`,
  )
}

async function startTreeboot(
  undo: UndoStack,
  folder: string,
  inside: (command: readonly [string, ...string[]]) => readonly [string, ...string[]],
  server: string,
): Promise<Child> {
  process.env.TREEBOOT_NEW_STORE = 'install'
  const child = startChild(undo, inside([process.execPath, server, 'serve', '--json']), folder)
  await child.output.waitFor(/^\{"event":"started".*\}$/m, 30_000)
  return child
}

async function untilReady(
  inside: (command: readonly [string, ...string[]]) => readonly [string, ...string[]],
) {
  for (let tries = 0; ; tries++) {
    try {
      run(...inside(['curl', '--silent', '--fail', 'http://192.0.2.1/api/v1/lookup?tree=fedora']))
      return
    } catch (error) {
      if (tries > 100) throw error
    }
    await pause(200)
  }
}

await main()
