import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatCmdline } from '../core/boot/kernel-args.ts'
import { memoryOf } from '../core/boot/memory.ts'
import type { VmFirmware } from '../core/boot/test-firmware.ts'
import { roleOf } from '../core/boots/roles.ts'
import { type Goal, goalsOf } from '../core/boottest/goals.ts'
import { afterLine, afterRequest, newSight, type Verdict, verdictOf } from '../core/boottest/judge.ts'
import type { Reach } from '../core/boottest/result.ts'
import { loadsStage2 } from '../core/distro/installers.ts'
import { hostLoaderFolder, treeChainPath } from '../core/loader/files.ts'
import type { Child } from '../emulator/child.ts'
import type { Lan } from '../emulator/lan.ts'
import { type MachineOptions, startMachine } from '../emulator/machine.ts'
import type { UndoStack } from '../emulator/undo.ts'
import { cleanPath } from '../files/path.ts'
import type { TestMachine } from './machines.ts'
import { copyOut, type ServedVersion, testGuest, testMac } from './serve-version.ts'

export interface MachineTest {
  readonly served: ServedVersion
  readonly firmware: VmFirmware
  readonly machine: TestMachine
  /** For a machine on a network. */
  readonly lan?: Pick<Lan, 'addTap'> | undefined
  readonly reach: Reach
  readonly accel: 'kvm' | 'tcg'
  readonly timeoutMs: number
  /** A folder for the files of this machine. */
  readonly work: string
}

/** How a machine ended. `output` is its serial line, and what QEMU itself said. */
export interface MachineEnd {
  readonly verdict: Verdict
  readonly ms: number
  readonly output: string
}

/** Why a machine could not be started here. It says nothing about the version. */
export class NotHere extends Error {}

/** As the firmware of a machine that gets nothing from us: it may hang without a word. */
const silenceMs = (timeoutMs: number): number => Math.max(120_000, timeoutMs / 4)
/** In characters. A machine that writes more shows nothing that a person would read. */
const mostOutput = 16 * 2 ** 20

/**
 * Boots one machine without any disk, and watches it until it has reached its goals or will not.
 *
 * @throws NotHere when QEMU does not start it, or there is no loader for it.
 */
export async function bootMachine(test: MachineTest, undo: UndoStack): Promise<MachineEnd> {
  const { served, machine: kind, timeoutMs } = test
  const options = await machineOptions(test)
  let sight = newSight(goalsOfMachine(test))
  const beganMs = performance.now()
  let heardMs = beganMs
  const heard = (next: typeof sight): void => {
    sight = next
    heardMs = performance.now()
  }
  // While a large file is on its way the machine is not silent, though nothing is written.
  const sending = new Set<string>()
  const unsubscribe = served.events.subscribe((event) => {
    if (event.type === 'sending') sending.add(event.path)
    if (event.type !== 'served') return
    const { path, outcome, question = false } = event
    sending.delete(path)
    heard(afterRequest(sight, { path, outcome, isQuestion: question }))
  })
  const child = startMachine(undo, options)
  child.output.onLine((line) => heard(afterLine(sight, line)))
  let code: number | undefined
  const ended = child.ended.then((exit) => {
    code = exit
  })
  try {
    for (;;) {
      if (sending.size > 0) heardMs = performance.now()
      const over = whyOver(child, { code, beganMs, heardMs, timeoutMs })
      const verdict = verdictOf(sight, over)
      if (verdict.state === 'running') {
        await Promise.race([ended, pause(lookEveryMs)])
        continue
      }
      if (code !== undefined && code !== 0 && sight.lastFile === undefined && sight.lines.size === 0)
        throw new NotHere(notStarted(child, code, kind))
      return { verdict, ms: performance.now() - beganMs, output: child.output.text }
    }
  } finally {
    unsubscribe()
    await child.stop()
  }
}

const lookEveryMs = 200

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

interface Times {
  readonly code: number | undefined
  readonly beganMs: number
  readonly heardMs: number
  readonly timeoutMs: number
}

/** Why nothing more is to be expected, in words; undefined while the machine may go on. */
function whyOver({ output }: Child, { code, beganMs, heardMs, timeoutMs }: Times): string | undefined {
  const nowMs = performance.now()
  if (code !== undefined) return 'the machine switched itself off'
  if (output.text.length > mostOutput)
    return `it wrote more than ${mostOutput / 2 ** 20} MiB on the serial line`
  if (nowMs - beganMs > timeoutMs) return `its time of ${seconds(timeoutMs)} was over`
  const silence = silenceMs(timeoutMs)
  return nowMs - heardMs > silence ? `it was silent for ${seconds(silence)}` : undefined
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}

function notStarted({ output }: Child, code: number, { by }: TestMachine): string {
  const said = output.tail(3).replace(/\s+/g, ' ').slice(0, 300)
  const hint = by === 'ipxe' && /rom/i.test(said) ? ': install ipxe-qemu' : ''
  return `QEMU ended with code ${code} before the machine did anything (${said})${hint}`
}

function goalsOfMachine({ served, machine, reach }: MachineTest): readonly Goal[] {
  const { plan, tree, signs } = served
  const images = tree.platforms[plan.platform] ?? { others: {} }
  const stage2 =
    loadsStage2({ tree, images, source: 'http', urls: plan.urls }) ||
    plan.args.some(({ value }) => value !== undefined && roleOf(value) === 'stage2')
  return goalsOf({
    reach,
    signs,
    hasStage2: stage2,
    hasAnswerFile: plan.answerFile !== undefined,
    ...((machine.by === 'ipxe' || machine.by === 'lan') && {
      kernel: plan.kernel.urlPath,
      initrd: plan.initrd.urlPath,
    }),
  })
}

async function machineOptions(test: MachineTest): Promise<MachineOptions> {
  const { served, machine, lan, accel, work } = test
  const { plan, url } = served
  await mkdir(work, { recursive: true })
  const common = {
    firmware: machine.firmware,
    mac: testMac,
    memory: memoryOf(plan),
    accel,
    folder: work,
  }
  if (lan && machine.by === 'lan') return { ...common, network: { tap: lan.addTap() } }
  if (machine.by === 'ipxe') return { ...common, network: await ipxeScript(url, work) }
  if (machine.by === 'tftp') return { ...common, network: await signedChain(test) }
  const [kernel, initrd] = [join(work, 'kernel'), join(work, 'initrd')]
  await needCopy(served, plan.kernel.urlPath, kernel)
  await needCopy(served, plan.initrd.urlPath, initrd)
  return { ...common, network: 'user', direct: { kernel, initrd, cmdline: formatCmdline(plan.args) } }
}

const script = 'treeboot.ipxe'

/**
 * A script that sends iPXE to ours. DHCP could name that by its URL, and does so for real machines, but QEMU's says the same to
 * every client: debian-installer 12 takes a URL in `filename` for its preseed file, before the one of its kernel command line
 * (installation guide, B.2.5).
 */
async function ipxeScript(url: string, work: string): Promise<MachineOptions['network']> {
  const tftp = join(work, 'tftp')
  await mkdir(tftp)
  await writeFile(join(tftp, script), `#!ipxe\nchain ${url}/boot.ipxe\n`)
  return { bootFile: script, tftp }
}

/**
 * The files that QEMU's TFTP server sends: the signed chain of the tree, else that of this host, and what GRUB asks for. GRUBs
 * look for their configuration in different folders (core/loader/asked-names.ts); it names kernel and initrd by their paths
 * here, below the same root.
 */
async function signedChain({ served, machine, work }: MachineTest): Promise<MachineOptions['network']> {
  const { plan, source, tree } = served
  const { shim, grub, packages } = machine.chain ?? { shim: '', grub: '', packages: '' }
  const tftp = join(work, 'tftp')
  for (const file of [shim, grub]) {
    const places = [treeChainPath(tree.id, file), `${hostLoaderFolder}/${file}`]
    let isThere = false
    for (const place of places) isThere ||= await copyOut(source, cleanPath(place), join(tftp, file))
    if (!isThere) throw new NotHere(`neither the tree nor this host has ${file}: install ${packages}`)
  }
  for (const { urlPath } of [plan.kernel, plan.initrd]) await needCopy(served, urlPath, join(tftp, urlPath))
  for (const folder of ['', 'grub', 'debian-installer/arm64/grub', 'EFI/BOOT'])
    await needCopy(served, `/boot/${testGuest}/grub.cfg`, join(tftp, folder, 'grub.cfg'))
  return { bootFile: shim, tftp }
}

async function needCopy({ source }: ServedVersion, path: string, to: string): Promise<void> {
  if (!(await copyOut(source, cleanPath(path), to))) throw new Error(`${path} is not there`)
}

/** Writes the serial line of a machine that failed. */
export async function keepLog(file: string, output: string): Promise<void> {
  await writeFile(file, output.slice(-mostLog))
}

const mostLog = 2 ** 20
