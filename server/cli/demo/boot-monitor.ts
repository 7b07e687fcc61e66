import pc from 'picocolors'
import { bytes } from '../../events/units.ts'
import type { CliIo } from '../output/io.ts'

/** One file that the server sent. */
export interface Served {
  readonly protocol: string
  readonly path: string
  readonly bytes: number
}

export interface FetchedFile extends Served {
  /** Since the machine was switched on. */
  readonly ms: number
}

/** Prints a boot while it happens, one line for each file and each message, and remembers the files. */
export class BootMonitor {
  readonly #io: CliIo
  readonly #colors: ReturnType<typeof pc.createColors>
  readonly #startMs = Date.now()
  readonly #fetched: FetchedFile[] = []
  #last = ''

  constructor(io: CliIo) {
    this.#io = io
    this.#colors = pc.createColors(io.color)
  }

  get fetched(): readonly FetchedFile[] {
    return this.#fetched
  }

  get elapsedMs(): number {
    return Date.now() - this.#startMs
  }

  printServed(served: Served): void {
    this.#fetched.push({ ...served, ms: this.elapsedMs })
    const size = served.bytes > 0 ? `  ${bytes(served.bytes)}` : ''
    this.#line(served.protocol, this.#colors.green(`${short(served.path)}${size}`))
  }

  /** A line of the machine's serial console. */
  printLine(line: string): void {
    const shown = readableLine(line)
    if (shown === '' || shown === this.#last) return
    this.#last = shown
    this.#line('machine', this.#colors.dim(shown))
  }

  #line(who: string, what: string): void {
    this.#io.out(`${(this.elapsedMs / 1000).toFixed(1).padStart(6)} s  ${who.padEnd(8)} ${what}\n`)
  }
}

/** A long path without its middle: both ends say which file it is. */
export function short(path: string): string {
  return path.length > 76 ? `${path.slice(0, 38)}…${path.slice(-37)}` : path
}

/**
 * A serial line without progress dots and kernel timestamps, not wider than a screen; '' when nothing is left
 * to read.
 */
export function readableLine(line: string): string {
  const text = line
    .replace(/^\[ *\d+\.\d+\] /, '')
    .replace(/\.{4,}/g, '...')
    .replace(/(?:\.\.\. ?\d+%)+/g, '...')
    .replace(/\s+/g, ' ')
    .trim()
  // The last is the status line of screen(1), under which debian-installer runs on a serial line.
  if (!/[a-z]{3}/i.test(text) || /^\[ .*\]\[ \w{3} \d+ \d\d:\d\d \]$/.test(text)) return ''
  return text.length > 100 ? `${text.slice(0, 99)}…` : text
}
