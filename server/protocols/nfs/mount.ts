import { failureKind, failureMessage } from '../../core/failure.ts'
import type { EventSink } from '../../events/bus.ts'
import { type CleanPath, cleanPath } from '../../files/path.ts'
import { lru } from '../../host/lru.ts'
import { type Caller, nullProcedure, type Procedure, type Program } from './dispatch.ts'
import type { NfsNamespace } from './namespace.ts'
import { authNone, authUnix } from './rpc.ts'
import type { XdrReader, XdrWriter } from './xdr.ts'

export const mountProgram = 100005

/**
 * The paths that EXPORT names. Every folder below them can be mounted as well: installers mount
 * `/trees/<id>`.
 */
const exportedPaths = ['/', '/trees'] as const

/** MNTPATHLEN of RFC 1813 section 5.1.2. */
const maxPathBytes = 1024
/** The most mounts that DUMP lists. People read that list, and nothing depends on it. */
const maxMounts = 1024

/** `mountstat3` of RFC 1813 section 5.1.5. */
const mountStatus = { ok: 0, noEntry: 2, io: 5, access: 13, notDirectory: 20, invalid: 22 } as const

interface MountContext {
  readonly namespace: NfsNamespace
  readonly mounts: MountList
  readonly events: EventSink
}

/** MOUNT version 3, RFC 1813 section 5. */
export function mountProgramOf(namespace: NfsNamespace, events: EventSink): Program {
  const mounts = new MountList()
  const context: MountContext = { namespace, mounts, events }
  const procedures = new Map<number, Procedure>([
    [0, nullProcedure],
    [1, (args, out, caller) => mount(context, args, out, caller)], // MNT
    [2, (args, out) => dump(mounts, args, out)], // DUMP
    [3, (args, _, { who }) => mounts.remove(who.address, readPath(args))], // UMNT
    [4, (args, _, { who }) => mounts.removeAll(who.address, args)], // UMNTALL
    [5, (args, out, caller) => listExports(namespace, args, out, caller)], // EXPORT
  ])
  return { number: mountProgram, versions: new Map([[3, procedures]]) }
}

function readPath(args: XdrReader): string {
  const bytes = args.opaque(maxPathBytes)
  args.end()
  return bytes.toString('utf8')
}

/** MNT, procedure 1. */
async function mount(
  { namespace, mounts, events }: MountContext,
  args: XdrReader,
  out: XdrWriter,
  { who }: Caller,
): Promise<undefined> {
  const argument = readPath(args)
  const path = cleanOrUndefined(argument)
  const startedMs = performance.now()
  const { status, handle, detail } = await tryMount(namespace, path, who)
  out.u32(status)
  if (handle && path !== undefined) {
    mounts.add(who.address, path)
    out.opaque(handle)
    out.u32(2).u32(authUnix).u32(authNone) // two flavors; Linux takes the first that it knows
  }
  events({
    type: 'served',
    protocol: 'nfs',
    client: who.address,
    path: path ?? argument,
    outcome: status === mountStatus.ok ? 'complete' : 'failed',
    ...(status === mountStatus.noEntry && { kind: 'not-found' as const }),
    ...(detail !== undefined && { detail }),
    bytes: 0,
    ms: performance.now() - startedMs,
  })
}

interface MountResult {
  readonly status: number
  readonly handle?: Buffer
  /** Why the mount was refused. */
  readonly detail?: string
}

async function tryMount(
  namespace: NfsNamespace,
  path: CleanPath | undefined,
  who: Caller['who'],
): Promise<MountResult> {
  if (path === undefined) return { status: mountStatus.invalid, detail: 'the argument is not a path' }
  try {
    const found = await namespace.findPath(path, who)
    if (!found) return { status: mountStatus.noEntry, detail: 'the folder does not exist' }
    if (found.entry.kind !== 'folder')
      return {
        status: mountStatus.notDirectory,
        detail: 'only folders can be mounted; mount the folder that it is in',
      }
    const handle = namespace.handles.handle(found)
    await namespace.handles.saved()
    return { status: mountStatus.ok, handle }
  } catch (error) {
    const status = failureKind(error) === 'forbidden' ? mountStatus.access : mountStatus.io
    return { status, detail: failureMessage(error) }
  }
}

function cleanOrUndefined(text: string): CleanPath | undefined {
  try {
    return cleanPath(text)
  } catch {
    return undefined
  }
}

/** DUMP, procedure 2: a list in XDR has TRUE before each item and FALSE after the last one. */
function dump(mounts: MountList, args: XdrReader, out: XdrWriter): undefined {
  args.end()
  for (const { address, path } of mounts.all()) out.bool(true).string(address).string(path)
  out.bool(false)
}

/**
 * EXPORT, procedure 5. The list of groups behind each path is empty, which means that every client may mount.
 * Only paths that exist are listed: libnfs 4 mounts every export below the export that it was given, and gives
 * up when one of them cannot be mounted.
 */
async function listExports(
  namespace: NfsNamespace,
  args: XdrReader,
  out: XdrWriter,
  { who }: Caller,
): Promise<undefined> {
  args.end()
  for (const path of exportedPaths) {
    const found = await namespace.findPath(cleanPath(path), who)
    if (found?.entry.kind === 'folder') out.bool(true).string(path).bool(false)
  }
  out.bool(false)
}

interface Mount {
  readonly address: string
  readonly path: string
}

/** Which client mounted which path. Many clients never say that they unmount, so the list is bounded. */
class MountList {
  readonly #mounts = lru<string, Mount>(maxMounts)

  add(address: string, path: string): void {
    this.#mounts.set(`${address} ${path}`, { address, path })
  }

  remove(address: string, path: string): undefined {
    this.#mounts.delete(`${address} ${cleanOrUndefined(path) ?? path}`)
  }

  removeAll(address: string, args: XdrReader): undefined {
    args.end()
    const ofClient = [...this.#mounts.entries()].filter(([, each]) => each.address === address)
    for (const [key] of ofClient) this.#mounts.delete(key)
  }

  /** The oldest first. */
  all(): readonly Mount[] {
    return [...this.#mounts.rvalues()].filter((each) => each !== undefined)
  }
}
