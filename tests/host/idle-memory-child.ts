import { setTimeout as pause } from 'node:timers/promises'
import { giveMemoryBack } from '../../server/host/idle-memory.ts'

/**
 * A process for the test of idle memory. It takes 100 MiB in small pieces, forgets nearly all of them, and rests: first
 * left alone, then watched until they are given back. It writes, as JSON, how many MiB it had more than at first.
 */
const mib = 1 << 20
const first = process.memoryUsage.rss()
const more = (): number => Math.round((process.memoryUsage.rss() - first) / mib)

/** Small enough that the C library keeps what is freed, for the pieces in use lie above it. */
const pieceBytes = 64 * 1024
function load(): Buffer[] {
  const pieces = Array.from({ length: (100 * mib) / pieceBytes }, () => [
    Buffer.allocUnsafeSlow(pieceBytes).fill(1),
    Buffer.allocUnsafeSlow(1024),
  ])
  return pieces.flatMap(([, small], at) => (small && at % 100 === 0 ? [small] : []))
}

const inUse = load()
await pause(300)
const leftAlone = more()
giveMemoryBack({ lookMs: 50, restShare: 0.9 })
for (let waited = 0; waited < 100 && more() > 30; waited++) await pause(50)
process.stdout.write(JSON.stringify({ leftAlone, watched: more(), inUse: inUse.length }))
