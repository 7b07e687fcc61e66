import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { freemem } from 'node:os'
import { join } from 'node:path'
import { memoryOf } from '../core/boot/memory.ts'
import type { VmFirmware } from '../core/boot/test-firmware.ts'
import type { BootTestResult } from '../core/boottest/result.ts'
import { failureMessage } from '../core/failure.ts'
import { run } from '../emulator/child.ts'
import { UndoStack } from '../emulator/undo.ts'
import { bootMachine, keepLog, NotHere } from './boot-machine.ts'
import { firmwareToTest, type TestMachine, testMachine, whyNotHere } from './machines.ts'
import { waitForTurn, workFolder } from './queue.ts'
import { type ReferenceBoot, referenceBoot, timeoutOf } from './reference-boot.ts'
import type { BootTestMessage, BootTestRequest } from './request.ts'
import { type ServedVersion, serveVersion } from './serve-version.ts'

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
    for (const firmware of firmwareToTest(request.firmware, served.tree.arch))
      say({ event: 'result', result: await testOne(request, { firmware, served, ...around }) })
  } finally {
    await served.close()
  }
}

interface OneTest extends Surroundings {
  readonly firmware: VmFirmware
  readonly served: ServedVersion
}

async function testOne(request: BootTestRequest, one: OneTest): Promise<BootTestResult> {
  const { firmware, served } = one
  const impossible = (why: string): BootTestResult => ({ firmware, outcome: 'impossible', why })
  const { arch } = served.tree
  const machine = testMachine(firmware, arch)
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
  const { firmware, served, talk, undo, work } = one
  await talk.mayBoot()
  bringLoopbackUp()
  const reference = await referenceBoot(request.folder, undo)
  const timeoutMs = request.timeoutMs === 'auto' ? timeoutOf(reference) : request.timeoutMs
  talk.say({ event: 'booting', firmware, timeoutMs })
  const { verdict, ms, output } = await bootMachine(
    {
      served,
      firmware,
      machine,
      timeoutMs,
      reach: request.reach,
      accel: accelFor(machine, reference),
      work: join(work, firmware),
    },
    undo,
  )
  const common = { firmware, ms: Math.round(ms) }
  if (verdict.state === 'passed') return { ...common, outcome: 'passed', reached: verdict.reached }
  const log = join(request.folder, 'logs', `${encodeURIComponent(request.id)}-${firmware}.log`)
  await keepLog(log, output)
  await removeOldLogs(join(request.folder, 'logs'))
  return { ...common, outcome: 'failed', log, why: verdict.state === 'failed' ? verdict.why : '' }
}

/** KVM runs machines of the host's own architecture alone. */
function accelFor({ firmware }: TestMachine, { accel }: ReferenceBoot): ReferenceBoot['accel'] {
  return (firmware === 'arm64') === (process.arch === 'arm64') ? accel : 'tcg'
}

/** In a new network namespace even the loopback interface is down. */
function bringLoopbackUp(): void {
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
