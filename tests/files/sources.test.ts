import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { diskSource } from '../../server/files/disk.ts'
import { generatedSource } from '../../server/files/generated.ts'
import { ListingSource } from '../../server/files/listing-source.ts'
import { memorySource } from '../../server/files/memory.ts'
import { cleanPath } from '../../server/files/path.ts'
import { unionSource } from '../../server/files/union.ts'
import { mountTable } from '../../server/namespace/mounts.ts'
import { fileSourceContract } from '../contract/file-source.ts'

type Files = Readonly<Record<string, Uint8Array>>

async function onDisk(files: Files) {
  const root = await mkdtemp(join(tmpdir(), 'treeboot-files-'))
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(root + path), { recursive: true })
    await writeFile(root + path, bytes)
  }
  return { root, close: () => rm(root, { recursive: true }) }
}

/** Splits the files over two sources, every second one to the second. */
function halves(files: Files): [Files, Files] {
  const all = Object.entries(files)
  return [
    Object.fromEntries(all.filter((_, i) => i % 2 === 0)),
    Object.fromEntries(all.filter((_, i) => i % 2 === 1)),
  ]
}

fileSourceContract('memorySource', (files) => ({ source: memorySource(files) }))

fileSourceContract('diskSource', async (files) => {
  const { root, close } = await onDisk(files)
  return { source: diskSource(root), close }
})

fileSourceContract('ListingSource', async (files) => {
  const { root, close } = await onDisk(files)
  const real = await realpath(root)
  return { source: new ListingSource(real, real), close }
})

fileSourceContract('unionSource of disk over memory', async (files) => {
  const [upper, lower] = halves(files)
  const { root, close } = await onDisk(upper)
  return { source: unionSource(diskSource(root), memorySource(lower)), close }
})

fileSourceContract('generatedSource', (files) => ({
  source: generatedSource({
    text: (path) => {
      const bytes = Object.hasOwn(files, path) ? files[path] : undefined
      return Promise.resolve(bytes && Buffer.from(bytes).toString())
    },
    paths: () => Object.keys(files),
  }),
}))

fileSourceContract('mountTable', (files) => {
  const inImages = Object.entries(files).flatMap(([path, bytes]) =>
    path.startsWith('/images/pxeboot/') ? [[path.slice('/images/pxeboot'.length), bytes] as const] : [],
  )
  const others = Object.entries(files).filter(([path]) => !path.startsWith('/images/pxeboot/'))
  return {
    source: mountTable([
      { at: cleanPath('/'), source: memorySource(Object.fromEntries(others)), why: 'the loose files' },
      {
        at: cleanPath('/images/pxeboot'),
        source: memorySource(Object.fromEntries(inImages)),
        why: 'the boot images',
      },
    ]),
  }
})
