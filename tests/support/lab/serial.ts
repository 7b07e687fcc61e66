import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** libvirt writes the serial line into a file: looks again until the line is there, and gives all that was said. */
export async function serialUntil(file: string, pattern: RegExp, timeoutMs: number): Promise<string> {
  const deadlineMs = Date.now() + timeoutMs
  for (;;) {
    const text = readFileSync(file, 'latin1')
    if (pattern.test(text)) return text
    if (Date.now() > deadlineMs) throw new Error(`no ${pattern} on the serial line:\n${text.slice(-3000)}`)
    await delay(250)
  }
}
