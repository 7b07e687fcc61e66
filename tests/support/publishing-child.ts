import crypto from 'node:crypto'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { type WorkName, works } from './publishing-work.ts'

/**
 * `node publishing-child.js HOME WORK` does one of `works` when a line arrives on its standard input. So a tracer
 * can attach when all modules are loaded, and sees nothing but the work. Each line of its output is a promise
 * that it has kept: a file was `received`, the work `ended`.
 */
const [home = '', name = ''] = process.argv.slice(2)

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

// Temporary files have the same names in each run.
crypto.randomBytes = ((size: number) => Buffer.alloc(size)) as typeof crypto.randomBytes
syncBuiltinESMExports()
// The thread pool begins with its first work.
await mkdir(home, { recursive: true })
say('ready')
await once(process.stdin, 'data')
process.stdin.destroy()
try {
  await works[name as WorkName]({ home, say })
  say('ended')
} catch (error) {
  process.stderr.write(`${error}\n`)
  process.exitCode = 1
}
