import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '../../core/failure.ts'
import type { LookupResultJson } from '../../core/lookup/result.ts'
import { type Child, findProgram } from '../../emulator/child.ts'
import { startDnsmasq } from '../../emulator/dnsmasq.ts'
import { makeLan } from '../../emulator/lan.ts'
import { startMachine } from '../../emulator/machine.ts'
import type { UndoStack } from '../../emulator/undo.ts'
import type { EventBus } from '../../events/bus.ts'
import type { BootMonitor } from './boot-monitor.ts'
import type { DemoFolder } from './demo-folder.ts'
import { startServer } from './server.ts'

/**
 * How the demo can boot a machine on this host. `pxe`: over PXE in a network namespace. `direct`: QEMU loads
 * the kernel. `none`: it cannot.
 */
export type BootWay =
  | { readonly kind: 'pxe' }
  | { readonly kind: 'direct'; readonly why: string }
  | { readonly kind: 'none'; readonly why: string }

/** An emulated boot takes one minute on an idle machine and three minutes on a busy one. */
const bootTimeoutMs = 420_000

/** The options of both ways to boot. */
export interface BootOptions {
  readonly undo: UndoStack
  readonly demo: DemoFolder
  /** Makes the monitor. Called when the machine starts, because the monitor's time begins then. */
  readonly makeMonitor: () => BootMonitor
}

export function chooseWay(): BootWay {
  if (findProgram('qemu-system-x86_64') === undefined)
    return { kind: 'none', why: 'qemu-system-x86_64 is not installed (Debian package qemu-system-x86)' }
  if (process.getuid?.() !== 0)
    return { kind: 'direct', why: 'PXE needs a network namespace, and that needs root' }
  const missing = ['ip', 'dnsmasq'].find((name) => findProgram(name) === undefined)
  if (missing !== undefined) {
    const name = missing === 'ip' ? 'iproute2' : 'dnsmasq-base'
    return { kind: 'direct', why: `PXE needs ${missing} (Debian package ${name})` }
  }
  return { kind: 'pxe' }
}

/**
 * Boots a machine with QEMU's own BIOS in a network namespace. dnsmasq plays the existing DHCP server, which
 * sends an address and the name of the loader; a second treeboot in that network serves everything else.
 * Resolves when the installer has fetched its answer file.
 *
 * @param main The program that starts the second treeboot with Node.
 */
export async function bootOverPxe(
  { undo, demo, makeMonitor }: BootOptions,
  main: string,
): Promise<BootMonitor> {
  const lan = makeLan(undo)
  const server = await startServer(undo, main, join(demo.folder, 'lan.yaml'), lan.inside)
  await startDnsmasq(undo, lan.addHost('192.0.2.2'), demo.folder, {
    bootFile: 'pxelinux.0',
    nextServer: lan.address,
    gateway: lan.address,
  })
  const monitor = makeMonitor()
  const machine = startMachine(
    undo,
    { firmware: 'bios', mac: demo.mac, memory: 1024, network: { tap: lan.addTap() } },
    lan,
  )
  machine.output.onLine((line) => monitor.printLine(line))
  const answered = answerFetched(
    demo,
    (onServed) => {
      server.child.output.onLine((line) => {
        const served = servedIn(line)
        if (served) onServed(served)
      })
    },
    monitor,
  )
  await raceBoot(answered, machine)
  return monitor
}

/**
 * The server's URL as a guest on QEMU's user network must write it: there 10.0.2.2 is the host's loopback
 * address.
 */
export function urlSeenByGuest(url: string): string {
  return `http://10.0.2.2:${new URL(url).port}`
}

/**
 * Boots a machine whose kernel and initrd QEMU loads: those that the lookup names. Its network is QEMU's user
 * network.
 */
export async function bootDirectly(
  { undo, demo, makeMonitor }: BootOptions,
  url: string,
  events: EventBus,
): Promise<BootMonitor> {
  const found = (await (await fetch(`${url}/api/v1/lookup?guest=${demo.guest}`)).json()) as LookupResultJson
  const monitor = makeMonitor()
  const answered = answerFetched(
    demo,
    (onServed) => {
      undo.push(
        'event subscription',
        events.subscribe((event) => {
          if (event.type === 'served' && event.outcome === 'complete') onServed(event)
        }),
      )
    },
    monitor,
  )
  const [kernel, initrd] = await Promise.all([
    download(found.kernel.url, join(demo.folder, 'kernel')),
    download(found.initrd.url, join(demo.folder, 'initrd')),
  ])
  const machine = startMachine(undo, {
    firmware: 'bios',
    mac: demo.mac,
    memory: 1024,
    network: 'user',
    direct: { kernel, initrd, cmdline: found.cmdline.replaceAll(url, urlSeenByGuest(url)) },
  })
  machine.output.onLine((line) => monitor.printLine(line))
  await raceBoot(answered, machine)
  return monitor
}

async function download(url: string, file: string): Promise<string> {
  const response = await fetch(url)
  if (!response.ok) throw new Failure('unavailable', `${url} answered ${response.status}`)
  writeFileSync(file, Buffer.from(await response.arrayBuffer()))
  return file
}

type OnServed = (served: { protocol: string; path: string; bytes: number }) => void

/**
 * Resolves when the guest's answer file was sent completely. Until then it prints each file that was sent.
 */
function answerFetched(
  demo: DemoFolder,
  listen: (onServed: OnServed) => void,
  monitor: BootMonitor,
): Promise<void> {
  return new Promise((resolve) => {
    listen((served) => {
      monitor.printServed(served)
      if (served.path === `/ks/${demo.guest}`) resolve()
    })
  })
}

/** Waits for the answer file, the end of the machine, or a line that shows that the boot failed. */
async function raceBoot(answered: Promise<void>, { output, ended }: Child): Promise<void> {
  const failed = (why: string) =>
    new Failure(
      'unavailable',
      `the machine did not fetch its answer file: ${why}. Its last output was:\n${output.tail(15)}`,
    )
  const stuck = output.waitFor(/No bootable device|PXE-E\d+|Kernel panic/, bootTimeoutMs).then(
    ([line]) => Promise.reject(failed(line)),
    async () => {
      // Either the time is over, or the output has ended; then QEMU's own end is only a moment away.
      const code = await Promise.race([ended, sleep(200)])
      throw failed(
        code === undefined ? `it did not do so within ${bootTimeoutMs / 1000} s` : `QEMU ended with ${code}`,
      )
    },
  )
  // When it loses the race, it settles later: its rejection is expected.
  stuck.catch(() => {})
  await Promise.race([answered, stuck])
}

/** The file that a line of the JSON log reports as sent completely; undefined for all other lines. */
function servedIn(line: string): { protocol: string; path: string; bytes: number } | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const event = JSON.parse(line) as Record<string, unknown>
    const { type, outcome, protocol, path, bytes } = event
    if (type !== 'served' || outcome !== 'complete') return undefined
    if (typeof protocol !== 'string' || typeof path !== 'string' || typeof bytes !== 'number')
      return undefined
    return { protocol, path, bytes }
  } catch {
    return undefined
  }
}
