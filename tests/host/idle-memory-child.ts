import { setTimeout as pause } from 'node:timers/promises'
import { giveMemoryBack } from '../../server/host/idle-memory.ts'

/**
 * A process for the test of idle memory. It takes 128 MiB and forgets them. Then it rests until they are given
 * back, or for two seconds. It writes, as JSON, how many MiB it had more than at first: at the peak, and at the end.
 */
const mib = 1 << 20
const first = process.memoryUsage.rss()
const more = (): number => Math.round((process.memoryUsage.rss() - first) / mib)

function load(): void {
  const buffers = Array.from({ length: 128 }, () => Buffer.alloc(mib, 1))
  buffers.length = 0
}

if (process.argv[2] === 'watched') giveMemoryBack({ lookMs: 50, growthBytes: 32 * mib, restShare: 0.5 })
load()
const peak = more()
for (let waited = 0; waited < 40 && more() > 40; waited++) await pause(50)
process.stdout.write(JSON.stringify([peak, more()]))
