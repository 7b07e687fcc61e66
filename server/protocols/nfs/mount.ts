import { failureKind } from '../../core/failure.ts'
import type { Requester } from '../../core/net/requester.ts'
import type { EventSink } from '../../events/bus.ts'
import { type CleanPath, cleanPath } from '../../files/path.ts'
import { type Caller, nullProcedure, type Procedure, type Program } from './dispatch.ts'
import { authNone, authUnix } from './rpc.ts'
import type { Shelf } from './shelf.ts'
import type { XdrReader, XdrWriter } from './xdr.ts'

export const mountProgram = 100005

/** What EXPORT names. Every folder below can be mounted as well: installers mount `/trees/<id>`. */
const exportedPaths = ['/', '/trees'] as const

/** MNTPATHLEN of RFC 1813 section 5.1.2. */
const maxPathBytes = 1024
/** Mounts that DUMP remembers. It is for people, and nothing depends on it. */
const maxMounts = 1024

/** `mountstat3` of RFC 1813 section 5.1.5. */
const mountStatus = { ok: 0, noEntry: 2, io: 5, access: 13, notDirectory: 20, invalid: 22 } as const

/** MOUNT version 3, RFC 1813 section 5. */
export function mountProgramOf(shelf: Shelf, events: EventSink): Program {
  const mounts = new MountList()
  const procedures = new Map<number, Procedure>([
    [0, nullProcedure],
    [1, (args, out, caller) => mount(shelf, mounts, events, args, out, caller)],
    [2, (args, out) => dump(mounts, args, out)],
    [3, (args, _, { who }) => mounts.remove(who.address, readPath(args))],
    [4, (args, _, { who }) => mounts.removeAll(who.address, args)],
    [5, (args, out, { who }) => listExports(shelf, args, out, who)],
  ])
  return { number: mountProgram, versions: new Map([[3, procedures]]) }
}

function readPath(args: XdrReader): string {
  const bytes = args.opaque(maxPathBytes)
  args.end()
  return bytes.toString('utf8')
}

async function mount(
  shelf: Shelf,
  mounts: MountList,
  events: EventSink,
  args: XdrReader,
  out: XdrWriter,
  { who }: Caller,
): Promise<undefined> {
  const asked = readPath(args)
  const path = cleanOrUndefined(asked)
  const started = performance.now()
  const tell = (status: number, detail: string): void =>
    events({
      type: 'served',
      protocol: 'nfs',
      client: who.address,
      path: path ?? asked,
      outcome: status === mountStatus.ok ? 'complete' : 'failed',
      ...(status === mountStatus.noEntry && { kind: 'not-found' as const }),
      ...(status !== mountStatus.ok && { detail }),
      bytes: 0,
      ms: performance.now() - started,
    })
  const refuse = (status: number, detail: string): undefined => {
    out.u32(status)
    tell(status, detail)
  }
  if (path === undefined) return refuse(mountStatus.invalid, 'no path can look like this')
  try {
    const found = await shelf.at(path, who)
    if (!found) return refuse(mountStatus.noEntry, 'there is no such folder')
    if (found.entry.kind !== 'folder')
      return refuse(mountStatus.notDirectory, 'only folders can be mounted; mount the one it lies in')
    const handle = shelf.handles.handle(path)
    await shelf.handles.saved()
    mounts.add(who.address, path)
    out.u32(mountStatus.ok).opaque(handle)
    out.u32(2).u32(authUnix).u32(authNone) // Linux takes the first flavor it knows
    tell(mountStatus.ok, '')
    return undefined
  } catch (error) {
    const status = failureKind(error) === 'forbidden' ? mountStatus.access : mountStatus.io
    return refuse(status, error instanceof Error ? error.message : String(error))
  }
}

function cleanOrUndefined(text: string): CleanPath | undefined {
  try {
    return cleanPath(text)
  } catch {
    return undefined
  }
}

function dump(mounts: MountList, args: XdrReader, out: XdrWriter): undefined {
  args.end()
  for (const { address, path } of mounts.all()) out.bool(true).string(address).string(path)
  out.bool(false)
}

/**
 * No groups: everyone may. Only what is there, for libnfs 4 mounts every export below the one it was told to, and
 * gives up when one of them cannot be mounted.
 */
async function listExports(
  shelf: Shelf,
  args: XdrReader,
  out: XdrWriter,
  who: Requester,
): Promise<undefined> {
  args.end()
  for (const path of exportedPaths) {
    const found = await shelf.at(cleanPath(path), who)
    if (found?.entry.kind === 'folder') out.bool(true).string(path).bool(false)
  }
  out.bool(false)
}

/** Who mounted what, as far as clients tell: many never say that they are gone. */
class MountList {
  readonly #mounts = new Map<string, { readonly address: string; readonly path: string }>()

  add(address: string, path: string): void {
    const key = `${address} ${path}`
    this.#mounts.delete(key)
    this.#mounts.set(key, { address, path })
    const oldest = this.#mounts.size > maxMounts ? this.#mounts.keys().next().value : undefined
    if (oldest !== undefined) this.#mounts.delete(oldest)
  }

  remove(address: string, path: string): undefined {
    this.#mounts.delete(`${address} ${cleanOrUndefined(path) ?? path}`)
  }

  removeAll(address: string, args: XdrReader): undefined {
    args.end()
    for (const [key, each] of this.#mounts) if (each.address === address) this.#mounts.delete(key)
  }

  all(): Iterable<{ readonly address: string; readonly path: string }> {
    return this.#mounts.values()
  }
}
