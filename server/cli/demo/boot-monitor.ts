import pc from 'picocolors'
import { bytes } from '../../events/units.ts'
import type { CliIo } from '../output/io.ts'

/** What a server says of one file it gave away. */
export interface Served {
  readonly protocol: string
  readonly path: string
  readonly bytes: number
}

export interface SeenMachine extends Served {
  /** Since the machine was switched on. */
  readonly ms: number
}

/** Prints a boot as it happens, one calm line for each thing said or fetched, and remembers what was fetched. */
export class Witness {
  readonly #io: CliIo
  readonly #colors: ReturnType<typeof pc.createColors>
  readonly #startMs = Date.now()
  readonly #fetched: SeenMachine[] = []
  #last = ''

  constructor(io: CliIo) {
    this.#io = io
    this.#colors = pc.createColors(io.color)
  }

  get fetched(): readonly SeenMachine[] {
    return this.#fetched
  }

  get elapsedMs(): number {
    return Date.now() - this.#startMs
  }

  saw(served: Served): void {
    this.#fetched.push({ ...served, ms: this.elapsedMs })
    const size = served.bytes > 0 ? `  ${bytes(served.bytes)}` : ''
    this.#line(served.protocol, this.#colors.green(`${short(served.path)}${size}`))
  }

  heard(line: string): void {
    const shown = calm(line)
    if (shown === '' || shown === this.#last) return
    this.#last = shown
    this.#line('machine', this.#colors.dim(shown))
  }

  #line(who: string, what: string): void {
    this.#io.out(`${(this.elapsedMs / 1000).toFixed(1).padStart(6)} s  ${who.padEnd(8)} ${what}\n`)
  }
}

/** Both ends of a long path say which file it is; the middle does not. */
export function short(path: string): string {
  return path.length > 76 ? `${path.slice(0, 38)}…${path.slice(-37)}` : path
}

/** What is worth reading of a serial line: no progress dots, no kernel timestamps, nothing wider than a screen. */
export function calm(line: string): string {
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
