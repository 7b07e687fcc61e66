import { accessSync, constants } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { startMachine } from '../emulator/machine.ts'
import type { UndoStack } from '../emulator/undo.ts'
import { EventBus } from '../events/bus.ts'
import { textEntry } from '../files/memory.ts'
import { rootPath } from '../files/path.ts'
import type { FileSource } from '../files/source.ts'
import { writeAtomically } from '../host/atomic-write.ts'
import { HttpListener } from '../protocols/http/server.ts'

/** How fast this host emulates: the time from switching a BIOS machine on until its iPXE has fetched a script. */
export interface ReferenceBoot {
  readonly accel: 'kvm' | 'tcg'
  readonly ms: number
}

const script = '/reference.ipxe'
const longestMs = 240_000
/** Where the reference boot does not work, such as on a host without QEMU for PCs. */
const unknown: ReferenceBoot = { accel: 'tcg', ms: 90_000 }

/** The reference boot of this host, measured at its first use. `folder`: where it is kept, by the name of the host. */
export async function referenceBoot(folder: string, undo: UndoStack): Promise<ReferenceBoot> {
  const file = join(folder, `reference-${encodeURIComponent(hostname())}.json`)
  const kept = await readReference(file)
  // KVM may have been allowed or forbidden since.
  if (kept && (kept.accel === 'kvm') === mayUseKvm()) return kept
  if (kept?.accel === 'tcg' && kept.kvmFails) return kept
  const byKvm = mayUseKvm() ? await measure('kvm', undo) : undefined
  const ms = byKvm ?? (await measure('tcg', undo))
  if (ms === undefined) return unknown
  const found = { accel: byKvm === undefined ? 'tcg' : 'kvm', ms: Math.round(ms) } as const
  await writeAtomically(
    file,
    `${JSON.stringify({ ...found, kvmFails: mayUseKvm() && byKvm === undefined })}\n`,
  )
  return found
}

async function readReference(file: string): Promise<(ReferenceBoot & { kvmFails: boolean }) | undefined> {
  try {
    const { accel, ms, kvmFails } = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
    if ((accel !== 'kvm' && accel !== 'tcg') || typeof ms !== 'number' || ms <= 0) return undefined
    return { accel, ms, kvmFails: kvmFails === true }
  } catch {
    return undefined
  }
}

function mayUseKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** Undefined when the machine does not get that far: a KVM that is there and does not work ends QEMU at once. */
async function measure(accel: 'kvm' | 'tcg', undo: UndoStack): Promise<number | undefined> {
  const entry = textEntry('reference.ipxe', '#!ipxe\n', 0)
  const source: FileSource = {
    stat: async (path) => (path === script ? entry : undefined),
    list: async (path) => (path === rootPath ? [entry] : undefined),
  }
  const events = new EventBus()
  const listener = new HttpListener({ bind: '127.0.0.1', port: 0, source, events: events.emit })
  await listener.start()
  const beganMs = performance.now()
  const fetched = new Promise<number>((resolve) => {
    events.subscribe((event) => {
      if (event.type === 'served' && event.path === script) resolve(performance.now() - beganMs)
    })
  })
  const bootFile = `http://10.0.2.2:${listener.address?.port ?? 0}${script}`
  const machine = startMachine(undo, {
    firmware: 'bios',
    mac: '52:54:00:b0:07:e6',
    memory: 128,
    accel,
    network: { bootFile },
  })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), longestMs)
  })
  try {
    return await Promise.race([fetched, machine.ended.then(() => undefined), late])
  } finally {
    clearTimeout(timer)
    await machine.stop()
    await listener.stop('now')
  }
}

const leastMs: Readonly<Record<ReferenceBoot['accel'], number>> = { kvm: 180_000, tcg: 600_000 }

/** How long a machine may take to its last goal. */
export function timeoutOf({ accel, ms }: ReferenceBoot): number {
  return Math.max(20 * ms, leastMs[accel])
}
