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
import type { Firmware } from '../core/boot/firmware.ts'
import type { InstallPlan } from '../core/boot/plan.ts'
import { planGuest } from '../core/boot/plan-boot.ts'
import type { OpenServices } from '../core/boot/urls.ts'
import { answerLine } from '../core/boottest/goals.ts'
import { installerOf } from '../core/distro/distro.ts'
import { type SerialSigns, serialSignsOf } from '../core/distro/serial-signs.ts'
import { Failure } from '../core/failure.ts'
import { loaderCandidates } from '../core/loader/choice.ts'
import { internalRequester } from '../core/net/requester.ts'
import { bootablePlatforms } from '../core/tree/boot-files.ts'
import type { Tree } from '../core/tree/tree.ts'
import type { Lan } from '../emulator/lan.ts'
import { EventBus } from '../events/bus.ts'
import { withoutOthers } from '../files/hidden.ts'
import { type CleanPath, cleanPath } from '../files/path.ts'
import type { Entry, FileSource } from '../files/source.ts'
import { bootInputs } from '../machines/decide.ts'
import { LoaderMemory } from '../machines/loader-memory.ts'
import { networkBoot } from '../machines/network-boot.ts'
import { noMachines } from '../machines/no-machines.ts'
import { loaderFinder } from '../namespace/host-loaders.ts'
import { createAnswers, createNamespace } from '../namespace/namespace.ts'
import { DhcpListener } from '../protocols/dhcp/server.ts'
import { HttpListener } from '../protocols/http/server.ts'
import type { Listener } from '../protocols/listener.ts'
import { TftpListener } from '../protocols/tftp/server.ts'
import { TemplateRenderer } from '../templates/renderer.ts'
import { serialConsole } from './machines.ts'
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
  /** The path of the file that a machine on a network begins with; undefined when there is none. */
  loaderFor(firmware: Firmware): Promise<CleanPath | undefined>
  close(): Promise<void>
}

/** Where a version is served. Default: on the loopback address, which QEMU's user network shows to its machine. */
export interface ServedAt {
  /**
   * The interface and the address of a network, on which TFTP is served, too, and DHCP unless GRUB is wanted: with that,
   * another server has to name the boot file.
   */
  readonly lan?: Pick<Lan, 'bridge' | 'address'>
  readonly loader?: 'grub' | undefined
}

/**
 * Serves a version on a free port. Nothing of the configuration, the guests and the other trees of
 * this machine is in it. A guest of its own gets the installer at every boot; its answer file ends before any disk.
 *
 * @returns Undefined for a version in which no tree boots, such as a repository.
 * @throws Failure when no machine would be sent into its installer, with the reason.
 */
export async function serveVersion(
  request: BootTestRequest,
  at: ServedAt = {},
): Promise<ServedVersion | undefined> {
  const { lan } = at
  const trees = await readTrees(request)
  const tree = trees.find((each) => bootablePlatforms(each).length > 0)
  if (!tree) return undefined
  const signs = serialSignsOf(installerOf(tree.distro, tree.version, anyKernel(tree)))
  const events = new EventBus()
  const renderer = new TemplateRenderer()
  let source: FileSource | undefined
  const notReady = () => new Failure('unavailable', 'the boot test is not ready yet')
  const listener = new HttpListener({
    bind: lan?.address ?? '127.0.0.1',
    port: 0,
    events: events.emit,
    source: () => {
      if (!source) throw notReady()
      return source
    },
  })
  const listeners: Listener[] = [listener]
  const close = async (): Promise<void> => {
    for (const each of listeners) await each.stop('now')
    await renderer.close()
  }
  try {
    await listener.start()
    const port = listener.address?.port ?? 0
    const url = `http://${lan?.address ?? hostSeenByGuest}:${port}`
    const services: OpenServices = { http: { port }, ...(lan && { tftp: { port: 69 } }) }
    const snapshot = snapshotOf({ request, trees, tree, signs, url, loader: at.loader })
    source = namespaceOf({ snapshot, services, renderer, path: request.path })
    if (lan) listeners.push(...(await startLan({ snapshot, services, source, events }, lan, at.loader)))
    const served = { tree, signs, source, events, url, plan: planOf(snapshot, services), close }
    return { ...served, loaderFor: (firmware) => loaderFor(firmware, at.loader, served) }
  } catch (error) {
    await close()
    throw error
  }
}

interface LanServices extends Pick<ServedVersion, 'source' | 'events'> {
  readonly snapshot: Snapshot
  readonly services: OpenServices
}

/** TFTP, and DHCP beside the server that gives the machine its address. */
async function startLan(
  { snapshot, services, source, events }: LanServices,
  { bridge, address }: NonNullable<ServedAt['lan']>,
  loader: ServedAt['loader'],
): Promise<readonly Listener[]> {
  const tftp = new TftpListener({ bind: address, port: 69, source, events: events.emit })
  await tftp.start()
  if (loader !== undefined) return [tftp]
  const decide = networkBoot({
    snapshot: () => snapshot,
    services: () => services,
    machines: {
      learnNames: () => {},
      askedByDhcp: () => {},
      stateOf: () => undefined,
      loaders: new LoaderMemory(),
    },
    loaderExists: loaderFinder(source, () => snapshot.config.paths.tftpboot),
  })
  const where = { bind: '0.0.0.0', port: 67, interfaces: [bridge] }
  const dhcp = new DhcpListener({ ...where, decide, events: events.emit, probe: 'never' })
  await dhcp.start()
  return [tftp, dhcp]
}

/** Which loader is offered first does not matter: each leads to the same plan. */
async function loaderFor(
  firmware: Firmware,
  loader: ServedAt['loader'],
  { source, tree }: Pick<ServedVersion, 'source' | 'tree'>,
): Promise<CleanPath | undefined> {
  const all = loaderCandidates({ firmware, preference: loader ?? 'auto', treeId: tree.id })
  for (const { kind, urlPath } of all) {
    const path = cleanPath(urlPath)
    const isWanted = loader === undefined || kind === loader
    if (isWanted && (await source.stat(path, internalRequester))?.kind === 'file') return path
  }
  return undefined
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
  readonly loader: ServedAt['loader']
}

function snapshotOf({ request, trees, tree, signs, url, loader }: TestSetting): Snapshot {
  const answerFile = signs.answerFile?.(answerLine)
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
        args: [`console=${serialConsole(tree.arch)}`, 'loglevel=7'],
        ...(loader !== undefined && { loader }),
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

interface NamespaceParts {
  readonly snapshot: Snapshot
  readonly services: OpenServices
  readonly renderer: TemplateRenderer
  readonly path: string
}

function namespaceOf({ snapshot, services, renderer, path }: NamespaceParts): FileSource {
  const parts = { services: () => services, machines: noMachines }
  const { answers } = createAnswers({ ...parts, renderer })
  const all = createNamespace({ ...parts, snapshot: () => snapshot, answers })
  // Beside the version may lie uploads of other people.
  const names = [basename(path), basename(path).replace(/\.iso$/i, '')]
  return withoutOthers(all, cleanPath('/trees'), names)
}

function planOf(snapshot: Snapshot, services: OpenServices): InstallPlan {
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
