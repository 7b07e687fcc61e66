import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough, Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as zlib from 'node:zlib'
import { Failure, failureMessage } from '../core/failure.ts'

/** How bytes are compressed. */
export type Packing = 'plain' | 'gzip' | 'xz' | 'zstd' | 'bzip2'

const magics: readonly [Packing, readonly number[]][] = [
  ['gzip', [0x1f, 0x8b]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
]
const longestMagic = 6
/** Decompressed bytes that wait for a slow consumer. */
const bufferedBytes = 1024 * 1024
/** The pieces of a gunzipped file. Zlib's default, 16 KiB, makes sixteen times as many. */
const gunzippedPieceBytes = 256 * 1024

/** Tells from the first bytes how a file is compressed: its name is not reliable. */
export function packingOf(head: Uint8Array): Packing {
  return magics.find(([, magic]) => magic.every((byte, at) => head[at] === byte))?.[0] ?? 'plain'
}

/** Node has zstd from 22.15 on. */
const nodeZstd: (() => Transform) | undefined = Reflect.get(zlib, 'createZstdDecompress')

/**
 * Programs for what Node 20 cannot decompress, and the Debian package of each. They are widely installed,
 * follow the pace of the consumer, and bound their memory. Decoders of zstd in JavaScript do neither of the
 * last two.
 */
const programs = {
  xz: { program: 'xz', debian: 'xz-utils' },
  zstd: { program: 'zstd', debian: 'zstd' },
  bzip2: { program: 'bzip2', debian: 'bzip2' },
} as const

/**
 * Decompresses bytes of any `Packing`. When the consumer stops early, the program that decompresses ends.
 *
 * @param what The name of the input, for messages.
 * @throws Failure `invalid-data` for damaged input; `unsupported` when the program for it is not installed.
 */
export async function* unpacked(pieces: AsyncIterable<Uint8Array>, what: string): AsyncGenerator<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]()
  const head: Uint8Array[] = []
  let length = 0
  while (length < longestMagic) {
    const next = await iterator.next()
    if (next.done) break
    head.push(next.value)
    length += next.value.length
  }
  const packing = packingOf(Buffer.concat(head))
  const whole = Readable.from(joined(head, iterator), { objectMode: false })
  if (packing === 'plain') yield* whole
  else yield* decompressed({ packing, input: whole, what })
}

async function* joined(head: readonly Uint8Array[], remaining: AsyncIterator<Uint8Array>) {
  try {
    yield* head
    for (;;) {
      const next = await remaining.next()
      if (next.done) return
      yield next.value
    }
  } finally {
    await remaining.return?.()
  }
}

interface PackedInput {
  readonly packing: Exclude<Packing, 'plain'>
  readonly input: Readable
  readonly what: string
}

async function* decompressed(packed: PackedInput): AsyncGenerator<Uint8Array> {
  const aborter = new AbortController()
  const output = new PassThrough({ highWaterMark: bufferedBytes })
  const ended = decompress(packed, output, aborter.signal).then(
    () => undefined,
    (error: unknown) => {
      const failure = failureOf(packed, error)
      output.destroy(failure)
      return failure
    },
  )
  try {
    try {
      for await (const piece of output) yield piece as Buffer
    } catch (error) {
      throw (await ended) ?? error
    }
    const failure = await ended
    if (failure) throw failure
  } finally {
    aborter.abort()
    await ended
  }
}

function failureOf({ packing, what }: PackedInput, error: unknown): Failure {
  if (error instanceof Failure) return error
  return new Failure('invalid-data', `${what} cannot be unpacked (${packing}): ${failureMessage(error)}`)
}

function decompress(packed: PackedInput, output: PassThrough, signal: AbortSignal): Promise<void> {
  const { packing, input } = packed
  if (packing === 'gzip')
    return pipeline(input, zlib.createGunzip({ chunkSize: gunzippedPieceBytes }), output, { signal })
  if (packing === 'zstd' && nodeZstd) return pipeline(input, nodeZstd(), output, { signal })
  return throughProgram({ ...packed, packing }, output, signal)
}

async function throughProgram(
  { packing, input, what }: PackedInput & { readonly packing: keyof typeof programs },
  output: PassThrough,
  signal: AbortSignal,
): Promise<void> {
  const { program, debian } = programs[packing]
  const child = spawn(program, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'], signal })
  let stderr = ''
  child.stderr.on('data', (text: Buffer) => {
    // The beginning is enough for a message, however much the program writes.
    stderr = `${stderr}${text}`.slice(0, 500)
  })
  const closed = once(child, 'close').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT')
      throw new Failure(
        'unsupported',
        `${what} is packed with ${packing}, and the program ${program} is not installed (package ${debian})`,
      )
    throw error
  })
  const [exit] = await Promise.all([
    closed,
    pipeline(child.stdout, output, { signal }),
    // EPIPE: the program has stopped reading, and its own message says why.
    pipeline(input, child.stdin, { signal }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    }),
  ])
  const [code] = exit as [number | null]
  if (code !== 0) throw new Failure('invalid-data', stderr.trim() || `${program} ended with code ${code}`)
}
