import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { initSync } from 'minijinja-js/dist/web/minijinja_js.js'

const pageBytes = 65_536
const memorySection = 5
/** Flag of a memory's limits: a maximum follows the minimum. */
const hasMaximum = 1

/**
 * Starts the template engine in this thread, with a limit on its memory.
 *
 * The resourceLimits of a worker limit only the JavaScript heap. A WebAssembly memory without a maximum grows
 * to 4 GiB, for example by `{{ 'x' * 2000000000 }}`, and never shrinks. So we write a maximum into the memory
 * section of the module before it is compiled. At that limit the allocator of the engine fails at once.
 *
 * @returns a function that returns the size of the engine's memory in bytes.
 */
export function startEngine(memoryMiB: number): () => number {
  const path = createRequire(import.meta.url).resolve('minijinja-js/dist/web/minijinja_js_bg.wasm')
  const maxPages = Math.floor((memoryMiB * 2 ** 20) / pageBytes)
  const exports = initSync({ module: withMemoryMaximum(readFileSync(path), maxPages) })
  return () => exports.memory.buffer.byteLength
}

/** Limits the memory of the module to `maxPages` (WebAssembly core specification 5.5.2 and 5.5.8). */
export function withMemoryMaximum(module: Uint8Array, maxPages: number): Uint8Array<ArrayBuffer> {
  let at = 8 // magic and version
  while (at < module.length) {
    const start = at
    const id = module[at]
    const size = readUnsigned(module, at + 1)
    const end = size.next + size.value
    if (id === memorySection) {
      const minimum = readUnsigned(module, size.next + 2) // after the count (1) and the limits' flags
      const limits = [hasMaximum, ...encodeUnsigned(minimum.value), ...encodeUnsigned(maxPages)]
      const memoryCount = 1
      const content = [memoryCount, ...limits]
      const section = [memorySection, ...encodeUnsigned(content.length), ...content]
      return new Uint8Array(
        Buffer.concat([module.subarray(0, start), Buffer.from(section), module.subarray(end)]),
      )
    }
    at = end
  }
  throw new Error('the template engine has no memory section')
}

/** Decodes an unsigned number in LEB128. */
function readUnsigned(bytes: Uint8Array, from: number): { value: number; next: number } {
  let value = 0
  let at = from
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] ?? 0
    value += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) return { value, next: at }
  }
}

function encodeUnsigned(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  do {
    const low = rest & 0x7f
    rest >>>= 7
    bytes.push(rest === 0 ? low : low | 0x80)
  } while (rest !== 0)
  return bytes
}
