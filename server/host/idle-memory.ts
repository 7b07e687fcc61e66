import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { bindLibc, type NativeFunction } from './koffi.ts'

/** How the memory of this process is watched. */
export interface IdleMemoryOptions {
  /** How often to look, in milliseconds. */
  readonly lookMs: number
  /** Memory is given back when the process has so many bytes more than when it was last at rest. */
  readonly growthBytes: number
  /** At rest the process uses less than this share of one processor between two looks. */
  readonly restShare: number
}

const defaults = { lookMs: 10_000, growthBytes: 32 * 1024 * 1024, restShare: 0.05 }

/**
 * Collections after a load. The second one makes the space of young objects small, too: V8 does so only when little
 * was allocated in the last 5 s (Node 20). The last one moves what is left together. What V8 frees in a thread of its
 * own after a collection, the next trimming gives back.
 */
const collections = 3

/**
 * Gives memory back to the system when a load has ended. V8 collects garbage when something is allocated, and at
 * rest nothing is: after a thousand machines the heap would stay as it was at its peak, with the buffers that it
 * refers to. The C library, too, keeps what was freed. A collection stops the process for a moment, about 60 ms for
 * 150 MiB of heap, and 0.2 s when it moves everything; so it is made at rest only. It goes on as long as the process,
 * and does not keep that alive.
 */
export function giveMemoryBack(options: Partial<IdleMemoryOptions> = {}): void {
  const { lookMs, growthBytes, restShare } = { ...defaults, ...options }
  const collect = collector()
  const trim = bindLibc((libc) => libc.func('int malloc_trim(size_t pad)'))
  // The start is a load, too.
  let leastBytes = 0
  let collectionsLeft = 0
  let before = process.cpuUsage()
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(before)
    before = process.cpuUsage()
    const bytes = process.memoryUsage.rss()
    const isAtRest = (user + system) / 1000 < restShare * lookMs
    if (!isAtRest) return
    if (bytes > leastBytes + growthBytes) collectionsLeft = collections
    // After a collection, what is left is what the process needs.
    leastBytes = collectionsLeft > 0 ? bytes : Math.min(leastBytes, bytes)
    if (collectionsLeft === 0) return
    collectionsLeft--
    collect(collectionsLeft === 0)
    if (trim) trimInThread(trim)
  }, lookMs)
  timer.unref()
}

/**
 * Node shows the collector only with this flag of V8, and only to contexts that are made while it is set. By itself V8
 * moves only what lies on pages that are mostly free: after a thousand machines 5 to 9 MiB more can be given back.
 */
function collector(): (moveAll: boolean) => void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  setFlagsFromString('--no-expose-gc')
  return (moveAll) => {
    if (moveAll) setFlagsFromString('--compact-on-every-full-gc')
    collect()
    setFlagsFromString('--no-compact-on-every-full-gc')
  }
}

/** The number of arenas, and mallopt(3)'s name for their limit in glibc. */
const mostArenas = 2
const M_ARENA_MAX = -8

/**
 * Lets the threads that begin from now on share the arenas of the C library. By itself glibc gives each thread its
 * own, up to eight for each core, and malloc_trim(3) gives back the free end of the first one only, of the others only
 * whole pages before it: after a thousand machines they kept 10 to 15 MiB. Call it before threads begin.
 */
export function shareArenas(): void {
  bindLibc((libc) => libc.func('int mallopt(int param, int value)'))?.(M_ARENA_MAX, mostArenas)
}

/** malloc_trim(3) needs some 50 ms for 100 MiB. Where the C library has none (musl), binding it fails. */
function trimInThread(trim: NativeFunction): void {
  trim.async(0, () => undefined)
}
