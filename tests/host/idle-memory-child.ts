import { setTimeout as pause } from 'node:timers/promises'
import { giveMemoryBack } from '../../server/host/idle-memory.ts'

/**
 * A process for the test of idle memory. It takes 100 MiB, forgets them, and rests: first left alone, then watched
 * until they are given back. It writes, as JSON, how many MiB it had more than at first after each rest.
 */
const mib = 1 << 20
const first = process.memoryUsage.rss()
const more = (): number => Math.round((process.memoryUsage.rss() - first) / mib)

function load(): void {
  const buffers = Array.from({ length: 100 }, () => Buffer.alloc(mib, 1))
  buffers.length = 0
}

load()
await pause(300)
const leftAlone = more()
giveMemoryBack({ lookMs: 50, leastBytes: first, restShare: 0.9 })
for (let waited = 0; waited < 100 && more() > 40; waited++) await pause(50)
process.stdout.write(JSON.stringify({ leftAlone, watched: more() }))
