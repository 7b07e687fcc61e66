import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { assembleSnapshot } from '../catalog/assemble.ts'
import type { TreeLocation } from '../catalog/scan/discover.ts'
import { readTree } from '../catalog/scan/read-tree.ts'
import { treeOf } from '../catalog/scan/tracked-tree.ts'
import type { Snapshot } from '../catalog/snapshot.ts'
import { parseConfig } from '../config/load.ts'
import type { InstallPlan } from '../core/boot/plan.ts'
import { planGuest } from '../core/boot/plan-boot.ts'
import { answerLine } from '../core/boottest/goals.ts'
import { installerOf } from '../core/distro/distro.ts'
import { type SerialSigns, serialSignsOf } from '../core/distro/serial-signs.ts'
import { Failure } from '../core/failure.ts'
import { internalRequester } from '../core/net/requester.ts'
import { bootablePlatforms } from '../core/tree/boot-files.ts'
import type { Tree } from '../core/tree/tree.ts'
import { EventBus } from '../events/bus.ts'
import { withoutOthers } from '../files/hidden.ts'
import { type CleanPath, cleanPath } from '../files/path.ts'
import type { Entry, FileSource } from '../files/source.ts'
import { bootInputs } from '../machines/decide.ts'
import { noMachines } from '../machines/no-machines.ts'
import { createAnswers, createNamespace } from '../namespace/namespace.ts'
import { HttpListener } from '../protocols/http/server.ts'
import { TemplateRenderer } from '../templates/renderer.ts'
import type { BootTestRequest } from './request.ts'

/** The guest that exists in boot tests alone. */
export const testGuest = 'boot-test'
/** Locally administered (IEEE 802), so that no real card has it. */
export const testMac = '52:54:00:b0:07:e5'
const template = 'boot-test'

/**
 * Where the folders of a configuration would be that this one has not. Nothing is there, and it lies in no folder that
 * versions are published from.
 */
const nowhere = '/var/empty/treeboot-boot-test'

/** As QEMU's user network has it: this machine's loopback address, seen by the guest. */
const hostSeenByGuest = '10.0.2.2'

/** One version of a tree, served to a machine of ours and to nobody else. */
export interface ServedVersion {
  readonly tree: Tree
  readonly plan: InstallPlan
  readonly signs: SerialSigns
  readonly source: FileSource
  readonly events: EventBus
  /** As the machine reaches it. */
  readonly url: string
  close(): Promise<void>
}

/**
 * Serves a version on a free port of the loopback address. Nothing of the configuration, the guests and the other trees of
 * this machine is in it. A guest of its own gets the installer at every boot; its answer file ends before any disk.
 *
 * @returns Undefined for a version in which no tree boots, such as a repository.
 * @throws Failure when no machine would be sent into its installer, with the reason.
 */
export async function serveVersion(request: BootTestRequest): Promise<ServedVersion | undefined> {
  const trees = await readTrees(request)
  const tree = trees.find((each) => bootablePlatforms(each).length > 0)
  if (!tree) return undefined
  const signs = serialSignsOf(installerOf(tree.distro, tree.version, anyKernel(tree)))
  const events = new EventBus()
  const renderer = new TemplateRenderer()
  let source: FileSource | undefined
  const listener = new HttpListener({
    bind: '127.0.0.1',
    port: 0,
    events: events.emit,
    source: () => {
      if (!source) throw new Failure('unavailable', 'the boot test is not ready yet')
      return source
    },
  })
  const close = async (): Promise<void> => {
    await listener.stop('now')
    await renderer.close()
  }
  try {
    await listener.start()
    const url = `http://${hostSeenByGuest}:${listener.address?.port ?? 0}`
    const snapshot = snapshotOf({ request, trees, tree, signs, url })
    source = namespaceOf(snapshot, renderer, request.path)
    return { tree, signs, source, events, url, plan: planOf(snapshot), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** The trees as they will be offered, by ids below the folder that the version lies in. */
async function readTrees({ path, kind, trees }: BootTestRequest): Promise<readonly Tree[]> {
  const name = basename(path)
  const locations: TreeLocation[] =
    kind === 'iso'
      ? [{ id: name.replace(/\.iso$/i, ''), diskPath: path, image: name }]
      : trees.map((at) => ({ id: at === '.' ? name : `${name}/${at}`, diskPath: join(path, at) }))
  const found: Tree[] = []
  for (const location of locations) {
    const reading = await readTree(location, dirname(path))
    // It was verified before.
    if (reading) found.push(treeOf(location, reading, { state: 'ready', reasons: [] }))
  }
  return found
}

function anyKernel({ platforms, arch }: Tree): string | undefined {
  return (
    platforms[arch]?.kernel ?? Object.values(platforms).find(({ kernel }) => kernel !== undefined)?.kernel
  )
}

interface TestSetting {
  readonly request: BootTestRequest
  readonly trees: readonly Tree[]
  readonly tree: Tree
  readonly signs: SerialSigns
  readonly url: string
}

function snapshotOf({ request, trees, tree, signs, url }: TestSetting): Snapshot {
  const answerFile = signs.answerFile?.(answerLine)
  const serial = tree.arch === 'aarch64' ? 'ttyAMA0' : 'ttyS0'
  const folder = (name: string): string => join(nowhere, name)
  const config = {
    server: { url },
    paths: {
      trees: dirname(request.path),
      tftpboot: folder('tftpboot'),
      templates: folder('templates'),
      data: folder('data'),
    },
    guests: {
      [testGuest]: {
        mac: testMac,
        tree: { id: tree.id },
        // Without the log level, a kernel whose default is lower shows nothing of itself.
        args: [`console=${serial}`, 'loglevel=7'],
        ...(answerFile !== undefined && { template }),
      },
    },
  }
  return assembleSnapshot({
    generation: 1,
    loaded: parseConfig(JSON.stringify(config), 'boot-test', nowhere),
    trees,
    templates: new Map(answerFile === undefined ? [] : [[template, answerFile]]),
    problems: [],
  })
}

/** HTTP is the only service; a loader that reads files of QEMU's own TFTP server names no server in their paths. */
const services = { http: { port: 80 } }

function namespaceOf(snapshot: Snapshot, renderer: TemplateRenderer, path: string): FileSource {
  const parts = { services: () => services, machines: noMachines }
  const { answers } = createAnswers({ ...parts, renderer })
  const all = createNamespace({ ...parts, snapshot: () => snapshot, answers })
  // Beside the version may lie uploads of other people.
  const names = [basename(path), basename(path).replace(/\.iso$/i, '')]
  return withoutOthers(all, cleanPath('/trees'), names)
}

function planOf(snapshot: Snapshot): InstallPlan {
  const guest = snapshot.guests.byName(testGuest)
  if (!guest) throw new Failure('internal', 'a boot test has no guest')
  const plan = planGuest(guest, {}, bootInputs({ snapshot, services, who: internalRequester }))
  if (plan.kind === 'refuse')
    throw new Failure('invalid-data', `no machine is sent into its installer: ${plan.why}`)
  return plan
}

/** Copies a file of the namespace to the disk, for what QEMU reads by itself. False when it is not there. */
export async function copyOut(source: FileSource, path: CleanPath, to: string): Promise<boolean> {
  const entry = await source.stat(path, internalRequester)
  if (entry?.kind !== 'file') return false
  await mkdir(dirname(to), { recursive: true })
  await pipeline(Readable.from(piecesOf(entry)), createWriteStream(to))
  return true
}

const pieceBytes = 1 << 20

async function* piecesOf(entry: Entry): AsyncGenerator<Uint8Array> {
  const file = await entry.open()
  try {
    for (let at = 0; at < file.size; ) {
      const piece = Buffer.alloc(Math.min(pieceBytes, file.size - at))
      const got = await file.read(piece, 0, piece.length, at)
      if (got === 0) return
      at += got
      yield piece.subarray(0, got)
    }
  } finally {
    await file.close()
  }
}
