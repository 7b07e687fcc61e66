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
  /** Milliseconds since the machine was switched on. */
  readonly ms: number
}

/**
 * Prints one line for each file that a booting machine fetches and each message that it shows; remembers the
 * files.
 */
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

  /** Prints a line of the machine's serial console, unless it is empty or repeats the last one. */
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

/** Leaves out the middle of a long path, because both ends show which file it is. */
export function short(path: string): string {
  return path.length > 76 ? `${path.slice(0, 38)}…${path.slice(-37)}` : path
}

/**
 * A serial line without progress dots and kernel timestamps, at most 100 characters; '' when nothing readable
 * is left.
 */
export function readableLine(line: string): string {
  const text = line
    .replace(/^\[ *\d+\.\d+\] /, '')
    .replace(/\.{4,}/g, '...')
    .replace(/(?:\.\.\. ?\d+%)+/g, '...')
    .replace(/\s+/g, ' ')
    .trim()
  // The second pattern is the status line of screen(1), in which debian-installer runs on a serial line.
  if (!/[a-z]{3}/i.test(text) || /^\[ .*\]\[ \w{3} \d+ \d\d:\d\d \]$/.test(text)) return ''
  return text.length > 100 ? `${text.slice(0, 99)}…` : text
}
