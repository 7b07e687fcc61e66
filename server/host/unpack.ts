import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough, Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as zlib from 'node:zlib'
import { Failure, failureMessage } from '../core/failure.ts'

export type Packing = 'plain' | 'gzip' | 'xz' | 'zstd' | 'bzip2'

const magics: readonly [Packing, readonly number[]][] = [
  ['gzip', [0x1f, 0x8b]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
]

/** How bytes are packed, by how they begin. Names lie. */
export function packingOf(head: Uint8Array): Packing {
  return magics.find(([, magic]) => magic.every((byte, at) => head[at] === byte))?.[0] ?? 'plain'
}

/** Node has zstd from 22.15 on. */
const zstdOfNode: (() => Transform) | undefined = Reflect.get(zlib, 'createZstdDecompress')

/**
 * Programs for what Node 20 cannot unpack, and the Debian package of each. They are everywhere, keep pace with the
 * pieces that are asked for, and bound their memory; zstd written in JavaScript does neither of the latter.
 */
const programs: Readonly<Record<'xz' | 'zstd' | 'bzip2', readonly [string, string]>> = {
  xz: ['xz', 'xz-utils'],
  zstd: ['zstd', 'zstd'],
  bzip2: ['bzip2', 'bzip2'],
}

/** The bytes unpacked, whatever they were packed with. A consumer that stops early ends everything behind it. */
export async function* unpacked(pieces: AsyncIterable<Uint8Array>, what: string): AsyncGenerator<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]()
  const head: Uint8Array[] = []
  let length = 0
  while (length < 6) {
    const next = await iterator.next()
    if (next.done) break
    head.push(next.value)
    length += next.value.length
  }
  const packing = packingOf(Buffer.concat(head))
  const whole = Readable.from(again(head, iterator), { objectMode: false })
  if (packing === 'plain') yield* whole
  else yield* throughUnpacker(packing, whole, what)
}

async function* again(head: readonly Uint8Array[], iterator: AsyncIterator<Uint8Array>) {
  try {
    yield* head
    for (;;) {
      const next = await iterator.next()
      if (next.done) return
      yield next.value
    }
  } finally {
    await iterator.return?.()
  }
}

async function* throughUnpacker(packing: Exclude<Packing, 'plain'>, input: Readable, what: string) {
  const aborter = new AbortController()
  const output = new PassThrough({ highWaterMark: 1 << 20 })
  const { signal } = aborter
  const running =
    packing === 'gzip'
      ? pipeline(input, zlib.createGunzip({ chunkSize: 1 << 18 }), output, { signal })
      : packing === 'zstd' && zstdOfNode
        ? pipeline(input, zstdOfNode(), output, { signal })
        : throughProgram(packing, input, output, what, signal)
  const outcome = running.then(
    () => undefined,
    (error: unknown) => {
      const failure =
        error instanceof Failure
          ? error
          : new Failure('invalid-data', `${what} cannot be unpacked (${packing}): ${failureMessage(error)}`)
      output.destroy(failure)
      return failure
    },
  )
  try {
    try {
      for await (const piece of output) yield piece as Buffer
    } catch (error) {
      throw (await outcome) ?? error
    }
    const failure = await outcome
    if (failure) throw failure
  } finally {
    aborter.abort()
    await outcome
  }
}

async function throughProgram(
  packing: 'xz' | 'zstd' | 'bzip2',
  input: Readable,
  output: PassThrough,
  what: string,
  signal: AbortSignal,
): Promise<void> {
  const [program, debian] = programs[packing]
  const child = spawn(program, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'], signal })
  let said = ''
  child.stderr.on('data', (text: Buffer) => {
    said = `${said}${text}`.slice(0, 500)
  })
  const closed = once(child, 'close').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT')
      throw new Failure(
        'unsupported',
        `${what} is packed with ${packing}, and the program ${program} is not installed (package ${debian})`,
      )
    throw error
  })
  const [code] = (await Promise.all([
    closed,
    pipeline(child.stdout, output, { signal }),
    // A program that stops reading has its own word for why.
    pipeline(input, child.stdin, { signal }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    }),
  ]).then(([outcome]) => outcome)) as [number | null]
  if (code !== 0) throw new Failure('invalid-data', said.trim() || `${program} ended with code ${code}`)
}
