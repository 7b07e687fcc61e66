import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** Waits until the file of libvirt's serial line has a line, and returns the whole text. */
export async function serialUntil(file: string, pattern: RegExp, timeoutMs: number): Promise<string> {
  const deadlineMs = Date.now() + timeoutMs
  for (;;) {
    const text = readFileSync(file, 'latin1')
    if (pattern.test(text)) return text
    if (Date.now() > deadlineMs) throw new Error(`no ${pattern} on the serial line:\n${text.slice(-3000)}`)
    await delay(250)
  }
}
