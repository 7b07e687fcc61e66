import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import { startServer } from '../../../server/cli/demo/server.ts'
import type { Child } from '../../../server/emulator/child.ts'
import { type DhcpAdvice, startDnsmasq } from '../../../server/emulator/dnsmasq.ts'
import { type Lan, makeLan } from '../../../server/emulator/lan.ts'
import { type MachineOptions, startMachine } from '../../../server/emulator/machine.ts'
import type { Event } from '../../../server/events/bus.ts'
import type { Recording } from '../boots.ts'
import { type Bench, benchPaths, guestImages } from './lab.ts'
import { labTrees, makeTree } from './trees.ts'

export const recordedMac = '52:54:00:aa:bb:01'

/** Loads its second stage and three packages, and reports, as an installer does. */
const template = `text
%post
repo=$(sed 's/.*inst.repo=\\([^ ]*\\).*/\\1/' /proc/cmdline)
wget -q -O /dev/null $repo/images/install.img || exit 1
for n in 1 2 3; do wget -q -O /dev/null $repo/Packages/p$n.rpm; done
report() {
  printf 'POST %s HTTP/1.0\\r\\nContent-Length: 0\\r\\n\\r\\n' $1 | busybox nc -w 5 {{ server.host }} {{ server.port }}
}
report {{ report_urls.progress | quote }}
report {{ report_url | quote }}
%end
`

export interface RecordedBoot {
  readonly firmware: MachineOptions['firmware']
  /** Files for `tftpboot/`: the name of each there, and its path on this machine. */
  readonly loaders?: Readonly<Record<string, string>>
  /** Whether treeboot is a proxy. Without it the DHCP server has `advice`. */
  readonly proxy?: boolean
  readonly advice?: (url: string) => DhcpAdvice
  /** More settings of the guest, and of the configuration. */
  readonly guest?: Readonly<Record<string, unknown>>
  readonly config?: Readonly<Record<string, unknown>>
  /** Files that the tree lacks. */
  readonly without?: readonly string[]
  /** QEMU loads kernel and initrd itself, with the arguments of `treeboot render`. */
  readonly isDirect?: boolean
}

/** A machine that boots from a server which records its events. */
export interface RecordedMachine {
  readonly machine: Child
  /** Switches the same machine on once more. */
  again(): Child
  readonly recorded: () => Recording['events']
  /** Waits until an event fits. */
  until(fits: (event: Event) => boolean, ms?: number): Promise<void>
  /** The configuration of the server, for commands beside it. */
  readonly configFile: string
}

export async function recordBoot(bench: Bench, boot: RecordedBoot): Promise<RecordedMachine> {
  const { folder, undo } = bench
  const images = await guestImages()
  const tree = makeTree(join(folder, 'trees'), 'fedora', images)
  const put = (path: string, text: string | Buffer) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  for (const n of [1, 2, 3]) put(`trees/${tree.id}/Packages/p${n}.rpm`, Buffer.alloc(300_000, n))
  put('templates/small.ks', template)
  for (const [to, from] of Object.entries(boot.loaders ?? {}))
    copyFileSync(from, join(folder, 'tftpboot', to))
  const lan = makeLan(undo)
  const server = await startRecording(bench, lan, boot)
  const advice = boot.advice?.(server.url) ?? {}
  await startDnsmasq(undo, lan.addHost('192.0.2.2'), folder, advice)
  const memory = boot.firmware === 'bios' ? 512 : 768
  const start = (): Child => {
    const direct = boot.isDirect
      ? {
          ...images,
          cmdline: `console=ttyS0 inst.repo=${server.url}/trees/${tree.id} inst.ks=${server.url}/ks/web01`,
        }
      : undefined
    const network = { tap: lan.addTap() }
    const options = { firmware: boot.firmware, mac: recordedMac, memory, network, folder }
    return startMachine(undo, direct ? { ...options, direct } : options, lan)
  }
  const recorded = () => readEvents(server.eventsFile)
  return {
    machine: start(),
    again: start,
    recorded,
    configFile: server.configFile,
    async until(fits, ms = 120_000) {
      const deadlineMs = Date.now() + ms
      while (!recorded().some(({ event }) => fits(event))) {
        if (Date.now() > deadlineMs) throw new Error(`no such event after ${ms} ms`)
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
    },
  }
}

async function startRecording(bench: Bench, lan: Lan, boot: RecordedBoot) {
  const { folder, undo } = bench
  const configFile = join(folder, 'config.yaml')
  const eventsFile = join(folder, 'events.jsonl')
  const settings = {
    tree: labTrees.fedora.id,
    template: 'small.ks',
    args: ['console=ttyS0', 'quiet'],
    ...boot.guest,
  }
  const config = {
    server: { bind: lan.address },
    ftp: { enabled: false },
    nfs: { enabled: false },
    paths: benchPaths(bench),
    guests: { web01: { mac: recordedMac, ...settings } },
    ...(boot.proxy && { dhcp: { mode: 'proxy' } }),
    ...boot.config,
  }
  writeFileSync(configFile, stringify(config))
  const program = join(import.meta.dirname, 'recording-server.ts')
  const inside: Lan['inside'] = ([node = '', main = '', ...args]) =>
    lan.inside(['env', `EVENTS=${eventsFile}`, node, '--import', 'tsx', main, ...args])
  const server = await startServer(undo, program, configFile, inside)
  await server.child.output.waitFor(/tree \S+ is ready/, 30_000)
  return { configFile, eventsFile, url: `http://${lan.address}:${server.services.http?.port}` }
}

function readEvents(file: string): Recording['events'] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  const all = lines.map((line) => JSON.parse(line) as { atMs: number; event: Event })
  const wanted = all.filter(({ event }) => ['served', 'dhcp', 'sending', 'report'].includes(event.type))
  const [first] = wanted
  return wanted.map(({ atMs, event }) => ({ at: atMs - (first?.atMs ?? atMs), event }))
}
