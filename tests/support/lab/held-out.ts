import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import { startServer } from '../../../server/cli/demo/server.ts'
import type { BootState } from '../../../server/core/boots/boot.ts'
import type { ReasonId } from '../../../server/core/boots/reason-ids.ts'
import { type Child, run, startChild } from '../../../server/emulator/child.ts'
import { type DhcpAdvice, startDnsmasq } from '../../../server/emulator/dnsmasq.ts'
import { type Host, type Lan, makeLan } from '../../../server/emulator/lan.ts'
import {
  firmwareImages,
  type MachineOptions,
  machineCommand,
  startMachine,
} from '../../../server/emulator/machine.ts'
import type { Event } from '../../../server/events/bus.ts'
import type { Recording } from '../boots.ts'
import { type Bench, benchPaths, guestImages } from './lab.ts'
import { makeTree } from './trees.ts'

/** A fault, or a boot in which nothing is wrong, that was thought of without a look at the rules. */
export interface HeldOut {
  readonly name: string
  /** What happens. */
  readonly about: string
  /** The programs that ask, with their versions. */
  readonly client: string
  /** Where the scenario is from: a public report, or the words of docs/boots.md. */
  readonly origin: string
  /** How each boot ends, oldest first: its state, and its reason where it has one. */
  readonly expected: readonly (readonly [BootState, ReasonId?])[]
  /** Settings of the guest web01, and of the configuration. */
  readonly guest?: Readonly<Record<string, unknown>>
  readonly config?: Readonly<Record<string, unknown>>
  /** The answer file template. */
  readonly template?: string
  /** What the DHCP server of the network says; `none` where there is none. */
  readonly dhcp?: DhcpAdvice | 'none'
  readonly isProxy?: boolean
  /** More files, by their path in the folder of the server: a text, or the bytes of a file of this machine. */
  readonly files?: Readonly<Record<string, string | { readonly copyOf: string } | { readonly size: number }>>
  readonly act: (world: World) => Promise<void>
}

export const heldOutMac = '52:54:00:0d:0e:01'
export const heldOutTree = 'fedora/40/Everything/x86_64/os'

/** Answers of an installer that loads its second stage and packages before, and only reports. */
const plainTemplate = `text
%post
printf 'POST %s HTTP/1.0\\r\\nContent-Length: 0\\r\\n\\r\\n' {{ report_url }} | busybox nc -w 5 {{ server.host }} {{ server.port }}
%end
`

/** Shell functions of the client programs; `$S` is the address of the server, `$U` its URL. */
const shellHead = `set -u
cd "$(mktemp -d)"
tree=$U/trees/${heldOutTree}
tftp_get() { busybox tftp -g -b 1408 -r "$1" -l got "$S" 2>/dev/null; }
# What PXELINUX does, with the requests of busybox: its library, its configuration, kernel and initrd.
pxelinux() {
  tftp_get pxelinux.0; tftp_get ldlinux.c32
  tftp_get pxelinux.cfg/01-\${MAC//:/-}; cp got conf
  for image in $(sed -nE 's/^ *(kernel|linux|initrd) +//Ip' conf); do tftp_get "$image"; done
}
# curl as dracut calls it (dracut-ng url-lib.sh).
dracut() { curl --globoff --location --retry 3 --retry-connrefused --fail --silent --output got "$@"; }
`

export class World {
  readonly lan: Lan
  readonly url: string
  readonly folder: string
  readonly #bench: Bench
  readonly #events: string
  #hosts = 0

  constructor(bench: Bench, lan: Lan, url: string, events: string) {
    this.#bench = bench
    this.lan = lan
    this.url = url
    this.folder = bench.folder
    this.#events = events
  }

  /** Switches a machine on. `more`: further arguments of QEMU. */
  machine(
    firmware: MachineOptions['firmware'],
    options: Partial<MachineOptions> & {
      readonly mtu?: number
      /** Of the line to the machine, as `tc` writes it. */
      readonly rate?: string
      readonly more?: readonly string[]
    } = {},
  ): Child {
    const { mtu, rate, more = [], ...rest } = options
    const tap = this.lan.addTap()
    if (mtu !== undefined) {
      const ip = (...args: string[]) => run('ip', '-n', this.lan.namespace, 'link', 'set', ...args)
      ip(tap, 'mtu', String(mtu))
      // A bridge takes the smallest MTU of its ports, unless it was given one. Then it drops what is larger.
      ip(this.lan.bridge, 'mtu', '1500')
    }
    if (rate !== undefined) {
      const queue = ['dev', tap, 'root', 'tbf', 'rate', rate, 'burst', '16k', 'latency', '400ms']
      run(...this.lan.inside(['tc', 'qdisc', 'add', ...queue]))
    }
    const memory = firmware === 'bios' ? 512 : 768
    const all = { firmware, mac: heldOutMac, memory, network: { tap }, folder: this.folder, ...rest }
    if (more.length === 0) return startMachine(this.#bench.undo, all, this.lan)
    const variables = join(this.folder, `variables-${this.#hosts}.fd`)
    if (firmware === 'secure') copyFileSync(firmwareImages.secure[1], variables)
    const [file = '', ...args] = machineCommand(all, variables)
    const kept = args.filter((arg) => !more.includes('-action') || arg !== '-no-reboot')
    return startChild(this.#bench.undo, this.lan.inside([file, ...kept, ...more]))
  }

  /** Drops packets from us or to us. */
  drop(chain: 'INPUT' | 'OUTPUT', ...which: readonly string[]): void {
    run(...this.lan.inside(['iptables', '-A', chain, ...which, '-j', 'DROP']))
  }

  /** Loses two packets in a hundred, in both directions. */
  lose(): void {
    const some = ['-m', 'statistic', '--mode', 'random', '--probability', '0.02']
    this.drop('INPUT', ...some)
    this.drop('OUTPUT', ...some)
  }

  /** A computer with client programs. */
  host(mac = heldOutMac): Host {
    const host = this.lan.addHost(`192.0.2.${50 + this.#hosts++}`)
    run('ip', '-n', host.namespace, 'link', 'set', 'eth0', 'address', mac)
    return host
  }

  /** Runs a script of client programs on a computer, to its end. */
  async script(text: string, { host = this.host(), mac = heldOutMac } = {}): Promise<string> {
    const env = [`S=${this.lan.address}`, `U=${this.url}`, `MAC=${mac}`]
    const command = host.inside(['env', ...env, 'bash', '-c', `${shellHead}${text}`])
    const child = startChild(this.#bench.undo, command)
    await child.ended
    await pause(500)
    return child.output.tail()
  }

  recorded(): Recording['events'] {
    if (!existsSync(this.#events)) return []
    const kinds = ['served', 'dhcp', 'sending', 'report', 'syslog']
    const lines = readFileSync(this.#events, 'utf8').split('\n').slice(0, -1)
    const all = lines.map((line) => JSON.parse(line) as { atMs: number; event: Event })
    const wanted = all.filter(({ event }) => kinds.includes(event.type))
    const [first] = wanted
    return wanted.map(({ atMs, event }) => ({ at: atMs - (first?.atMs ?? atMs), event }))
  }

  /** Waits until so many events fit. */
  async until(fits: (event: Event) => boolean, { count = 1, ms = 150_000 } = {}): Promise<void> {
    const deadlineMs = Date.now() + ms
    while (this.recorded().filter(({ event }) => fits(event)).length < count) {
      if (Date.now() > deadlineMs) throw new Error(`no such event after ${ms} ms`)
      await pause(200)
    }
  }

  served(part: string, options: { count?: number; ms?: number } = {}): Promise<void> {
    return this.until(
      (event) => event.type === 'served' && event.path.includes(part) && !event.question,
      options,
    )
  }
}

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Makes the network and the server of a scenario, and lets it happen. */
export async function happen(bench: Bench, scenario: HeldOut): Promise<World> {
  const { folder, undo } = bench
  const tree = makeTree(join(folder, 'trees'), 'fedora', await guestImages())
  putFiles(folder, { 'templates/small.ks': scenario.template ?? plainTemplate })
  for (const n of [1, 2, 3]) putFiles(folder, { [`trees/${tree.id}/Packages/p${n}.rpm`]: { size: 300_000 } })
  putFiles(folder, scenario.files ?? {})
  const lan = makeLan(undo)
  const settings = {
    tree: tree.id,
    template: 'small.ks',
    args: ['console=ttyS0', 'quiet'],
    ...scenario.guest,
  }
  const config = {
    server: { bind: lan.address },
    http: { port: 8080 },
    ftp: { enabled: false },
    nfs: { enabled: false },
    paths: benchPaths(bench),
    guests: { web01: { mac: heldOutMac, ...settings } },
    ...(scenario.isProxy && { dhcp: { mode: 'proxy' } }),
    ...scenario.config,
  }
  const configFile = join(folder, 'config.yaml')
  const events = join(folder, 'events.jsonl')
  writeFileSync(configFile, stringify(config))
  const program = join(import.meta.dirname, 'recording-server.ts')
  const inside: Lan['inside'] = ([node = '', main = '', ...args]) =>
    lan.inside(['env', `EVENTS=${events}`, node, '--import', 'tsx', main, ...args])
  const server = await startServer(undo, program, configFile, inside)
  await server.child.output.waitFor(/tree \S+ is ready/, 30_000)
  if (scenario.dhcp !== 'none') await startDnsmasq(undo, lan.addHost('192.0.2.2'), folder, scenario.dhcp)
  const world = new World(bench, lan, `http://${lan.address}:8080`, events)
  await scenario.act(world)
  return world
}

function putFiles(folder: string, files: NonNullable<HeldOut['files']>): void {
  for (const [path, what] of Object.entries(files)) {
    const file = join(folder, path)
    mkdirSync(dirname(file), { recursive: true })
    if (typeof what === 'string') writeFileSync(file, what)
    else if ('copyOf' in what) writeFileSync(file, readFileSync(what.copyOf))
    else run('truncate', '-s', String(what.size), file)
  }
}
