import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { freemem, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import type { Firmware } from '../core/boot/firmware.ts'
import { memoryOf } from '../core/boot/memory.ts'
import type { VmFirmware } from '../core/boot/test-firmware.ts'
import type { BootTestResult } from '../core/boottest/result.ts'
import { defined } from '../core/defined.ts'
import { failureMessage } from '../core/failure.ts'
import { type Child, run } from '../emulator/child.ts'
import { isKernelOnly, type MachineFirmware } from '../emulator/machine.ts'
import { UndoStack } from '../emulator/undo.ts'
import { bootMachine, keepLog, type MachineTest, NotHere } from './boot-machine.ts'
import { firmwareToTest, type TestMachine, testMachine, untestedOf, whyNotHere } from './machines.ts'
import { waitForTurn, workFolder } from './queue.ts'
import { type ReferenceBoot, referenceBoot, timeoutOf } from './reference-boot.ts'
import type { BootTestMessage, BootTestRequest } from './request.ts'
import { type ServedVersion, serveVersion } from './serve-version.ts'
import { makeTestNetwork, type TestNetwork } from './test-network.ts'

/** How the process of a boot test talks with the one that started it. */
export interface BootTestTalk {
  readonly say: (message: BootTestMessage) => void
  /** Resolves when a machine may be switched on. */
  readonly mayBoot: () => Promise<void>
}

/**
 * Tests a version: boots one machine after the other, each with another firmware, and says what each showed. It runs in a
 * process and in a network namespace of its own.
 */
export async function runTest(request: BootTestRequest, talk: BootTestTalk): Promise<void> {
  const { folder } = request
  await mkdir(join(folder, 'logs'), { recursive: true })
  const release = await waitForTurn(folder, (place, waiting) =>
    talk.say({ event: 'waiting', place, waiting }),
  )
  const undo = new UndoStack()
  const work = workFolder(folder)
  try {
    await mkdir(work)
    await test(request, { talk, undo, work })
  } finally {
    undo.unwind()
    await rm(work, { recursive: true, force: true })
    await release()
  }
  talk.say({ event: 'end' })
}

interface Surroundings {
  readonly talk: BootTestTalk
  readonly undo: UndoStack
  readonly work: string
}

async function test(request: BootTestRequest, around: Surroundings): Promise<void> {
  const { say } = around.talk
  let served: ServedVersion | undefined
  try {
    served = await serveVersion(request)
  } catch (error) {
    const why = failureMessage(error)
    for (const firmware of request.firmware)
      say({ event: 'result', result: { firmware, outcome: 'failed', why } })
    return
  }
  if (!served) return
  try {
    bringLoopbackUp()
    const lan = await makeTestNetwork(request, around)
    for (const firmware of firmwareToTest(request.firmware, served.tree.arch))
      say({ event: 'result', result: await testOne(request, { firmware, served, lan, ...around }) })
  } finally {
    await served.close()
  }
}

interface OneTest extends Surroundings {
  readonly firmware: VmFirmware
  readonly served: ServedVersion
  /** The network with DHCP and TFTP, or why there is none. */
  readonly lan: TestNetwork | string
}

function noLanOf({ lan }: OneTest): string | undefined {
  return typeof lan === 'string' ? lan : undefined
}

async function testOne(request: BootTestRequest, one: OneTest): Promise<BootTestResult> {
  const { firmware, served } = one
  const impossible = (why: string): BootTestResult => ({ firmware, outcome: 'impossible', why })
  const { arch } = served.tree
  const machine = testMachine(firmware, arch, noLanOf(one))
  if (typeof machine === 'string') return impossible(machine)
  const why = whyNotHere(machine, arch) ?? whyTooLittle(memoryOf(served.plan), freemem() / 2 ** 20)
  if (why !== undefined) return impossible(why)
  try {
    return await boot(request, one, machine)
  } catch (error) {
    if (error instanceof NotHere) return impossible(error.message)
    throw error
  }
}

/** QEMU itself, and what the host needs meanwhile. */
const besideMiB = 512

/** Why a machine of this size is not started. A host that runs out of memory ends any process, also the server's. */
export function whyTooLittle(memoryMiB: number, freeMiB: number): string | undefined {
  if (memoryMiB + besideMiB <= freeMiB) return undefined
  return (
    `the machine needs ${memoryMiB} MiB, and ${Math.floor(freeMiB)} MiB of memory are free here: ` +
    `make ${memoryMiB + besideMiB} MiB free`
  )
}

async function boot(request: BootTestRequest, one: OneTest, machine: TestMachine): Promise<BootTestResult> {
  const { firmware, talk, undo, work } = one
  await talk.mayBoot()
  const reference = await referenceBoot(request.folder, undo)
  const accel = accelFor(machine, reference)
  const timeoutMs = request.timeoutMs === 'auto' ? timeoutOf({ ...reference, accel }) : request.timeoutMs
  talk.say({ event: 'booting', firmware, timeoutMs })
  const { reach } = request
  const { verdict, ms, output } = await onItsNetwork(request, one, machine, (network) =>
    bootMachine({ ...network, firmware, machine, timeoutMs, reach, accel, work: join(work, firmware) }, undo),
  )
  const common = { firmware, ms: Math.round(ms) }
  if (verdict.state === 'passed') {
    const untested = untestedOf(machine, noLanOf(one))
    return { ...common, outcome: 'passed', reached: verdict.reached, ...defined({ untested }) }
  }
  const log = join(request.folder, 'logs', `${encodeURIComponent(request.id)}-${firmware}.log`)
  await keepLog(log, output)
  await removeOldLogs(join(request.folder, 'logs'))
  return { ...common, outcome: 'failed', log, why: verdict.state === 'failed' ? verdict.why : '' }
}

type Network = Pick<MachineTest, 'served' | 'lan'>

/** Serves the version on the network that the machine is in, for as long as it runs. */
async function onItsNetwork<Result>(
  request: BootTestRequest,
  { served, lan, firmware }: OneTest,
  machine: TestMachine,
  work: (network: Network) => Promise<Result>,
): Promise<Result> {
  if (machine.by !== 'lan' || typeof lan === 'string') return work({ served })
  const onLan = await serveVersion(request, { lan, loader: machine.loader })
  if (!onLan) throw new NotHere('the version has gone')
  let dhcp: Child | undefined
  try {
    const asks = firmware === 'uefi-http' ? 'uefi-http-x64' : firmwareAsking[machine.firmware]
    const loader = asks && (await onLan.loaderFor(asks))
    if (asks !== undefined && loader === undefined)
      throw new NotHere(`no loader for ${firmware} is here: install ${machine.chain?.packages ?? 'ipxe'}`)
    dhcp = await lan.startDhcp(machine.loader && loader?.slice(1))
    return await work({ served: onLan, lan })
  } finally {
    await dhcp?.stop()
    await onLan.close()
  }
}

/** What a machine says of itself by DHCP. The iPXE in the card of a BIOS machine needs no loader. */
const firmwareAsking: Readonly<Partial<Record<MachineFirmware, Firmware>>> = {
  uefi: 'uefi-x64',
  secure: 'uefi-x64',
  arm64: 'uefi-arm64',
}

/** KVM runs machines of the host's own architecture alone. */
function accelFor({ firmware }: TestMachine, { accel }: ReferenceBoot): ReferenceBoot['accel'] {
  if (isKernelOnly(firmware)) return 'tcg'
  return (firmware === 'arm64') === (process.arch === 'arm64') ? accel : 'tcg'
}

/** In a new network namespace even the loopback interface is down. systemd brings it up, and gives us no right to. */
function bringLoopbackUp(): void {
  if (networkInterfaces().lo) return
  try {
    run('ip', 'link', 'set', 'lo', 'up')
  } catch (error) {
    throw new NotHere(failureMessage(error))
  }
}

const keptLogs = 50

async function removeOldLogs(folder: string): Promise<void> {
  const files = await Promise.all(
    (await readdir(folder)).map(async (name) => {
      const file = join(folder, name)
      return { file, ms: (await stat(file).catch(() => undefined))?.mtimeMs ?? 0 }
    }),
  )
  for (const { file } of files.sort((a, b) => b.ms - a.ms).slice(keptLogs)) await rm(file, { force: true })
}
