import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { kernelParts } from '../../server/core/tree/kernel-header.ts'

/** The parts of a kernel file that tell its architecture. */
export interface KernelHead {
  readonly head: Uint8Array
  readonly s390: Uint8Array
  /** Its architecture, as Debian spells it, and the package that it is from. */
  readonly arch: string
  readonly origin: string
}

const file = join(import.meta.dirname, '../fixtures/media-boot/kernel-heads.tsv')

/**
 * The fields of real kernels that tell their architecture, by arch. The fixture has bytes at offsets; all others are 0
 * here.
 */
export function kernelHeads(): ReadonlyMap<string, KernelHead> {
  const lines = readFileSync(file, 'utf8').split('\n').slice(1)
  return new Map(
    lines
      .filter((line) => line !== '')
      .map((line) => {
        const [arch = '', origin = '', fields = ''] = line.split('\t')
        const bytes = kernelOf(fields)
        const { offset } = kernelParts.s390
        return [arch, { arch, origin, head: bytes.subarray(0, 0x5000), s390: bytes.subarray(offset) }]
      }),
  )
}

/** A kernel file with bytes at some offsets: `202:48647253 206:0f02`. */
export function kernelOf(fields: string): Uint8Array {
  const bytes = new Uint8Array(kernelParts.s390.offset + kernelParts.s390.bytes)
  for (const field of fields.split(' ')) {
    const [at = '', hex = ''] = field.split(':')
    bytes.set(Buffer.from(hex, 'hex'), Number.parseInt(at, 16))
  }
  return bytes
}
