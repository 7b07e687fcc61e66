import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = join(import.meta.dirname, '../fixtures/treeinfo')

/** One real descriptor and what it is known to say; `-` in the index is undefined here. */
export interface CorpusFile {
  /** Below tests/fixtures/treeinfo. */
  readonly file: string
  readonly family: string | undefined
  readonly version: string | undefined
  readonly arch: string | undefined
  readonly kernel: string | undefined
  readonly initrd: string | undefined
  /**
   * What else it says, and what it lacks: `format=`, `stage2=`, `no checksums`, `xen_kernel=`, or `xen=same`
   * when the platform xen has the images of the arch.
   */
  readonly notes: string
  readonly bytes: Uint8Array
}

/** The descriptors from the wild; index.tsv says where each was taken from. */
export function readCorpus(): CorpusFile[] {
  const lines = readFileSync(join(folder, 'index.tsv'), 'utf8').trim().split('\n').slice(1)
  return lines.map((line) => {
    const [file = '', , family, version, arch, kernel, initrd, notes = ''] = line.split('\t')
    const said = (text: string | undefined) => (text === '-' ? undefined : text)
    return {
      file,
      family: said(family),
      version: said(version),
      arch: said(arch),
      kernel: said(kernel),
      initrd: said(initrd),
      notes,
      bytes: readFileSync(join(folder, file)),
    }
  })
}
