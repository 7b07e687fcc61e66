import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Stamp } from '../../server/files/listing-source.ts'
import { cleanPath } from '../../server/files/path.ts'
import { importLocal } from '../../server/intake/import/import-tree.ts'
import { errorTexts } from '../../server/intake/publish-tree.ts'
import { Uploads } from '../../server/intake/uploads/uploads.ts'
import { Handles } from '../../server/protocols/nfs/handles.ts'
import { loadAdminToken } from '../../server/store/admin-token.ts'
import { VerifyCache } from '../../server/verify/verify-cache.ts'
import { planGc } from '../../server/versions/gc.ts'
import { removeLeftovers } from '../../server/versions/leftovers.ts'
import { VersionStore } from '../../server/versions/version-store.ts'

/**
 * Works on the tree `x` in `trees/` of a folder, whose `new/` is the new tree. It does what the commands do, but
 * does not load them, because hundreds of processes are started.
 */
export interface WorkContext {
  readonly home: string
  /** Called when a promise was made: a file was received. */
  readonly say: (line: string) => void
}

export const id = 'x'

export const works = {
  import: (context) => importNew(context, false),
  replace: (context) => importNew(context, true),
  upload: uploadNew,
  rollback: async ({ home }) => void (await new VersionStore(treesIn(home)).rollback(id)),
  gc: ({ home }) => collect(treesIn(home)),
  token: async ({ home }) => void (await loadAdminToken(join(home, 'data'))),
  'nfs-key': async ({ home }) => void (await Handles.open(join(home, 'data'))),
  cache: async ({ home }) => {
    const cache = new VerifyCache(join(home, 'data'))
    cache.set({ file: '/f', size: 1, mtimeMs: 1, inode: 1 } as Stamp, 'sha256', 'ab')
    await cache.save()
  },
} satisfies Record<string, (context: WorkContext) => Promise<void>>

export type WorkName = keyof typeof works

export function treesIn(home: string): string {
  return join(home, 'trees')
}

async function importNew({ home }: WorkContext, replace: boolean): Promise<void> {
  const store = new VersionStore(treesIn(home))
  const { trees } = await importLocal(store, join(home, 'new'), { id, replace })
  for (const { result } of trees)
    if (result.outcome === 'refused') throw new Error(errorTexts(result.findings).join('\n'))
}

async function uploadNew({ home, say }: WorkContext): Promise<void> {
  const source = join(home, 'new')
  const uploads = new Uploads({ trees: () => treesIn(home), events: () => undefined, quietMs: 1e9 })
  await uploads.start()
  try {
    for (const item of readdirSync(source, { recursive: true, withFileTypes: true })) {
      if (!item.isFile()) continue
      const file = join(item.parentPath, item.name)
      const path = cleanPath(`/${id}${file.slice(source.length)}`)
      await uploads.makeFolders(cleanPath(path.slice(0, path.lastIndexOf('/'))))
      const opened = await uploads.openForWriting(path, 0)
      await opened.write(readFileSync(file))
      await opened.close('complete')
      say(`received ${path}`)
    }
    const { outcome, lines } = await uploads.publish(cleanPath(`/${id}`), { replace: true })
    if (outcome === 'refused') throw new Error(lines.join('\n'))
  } finally {
    await uploads.stop()
  }
}

async function collect(trees: string): Promise<void> {
  const store = new VersionStore(trees)
  const options = { keep: 0, graceMs: 0, pinned: new Set<string>(), nowMs: Date.now() }
  const { remove } = await planGc(store, await store.ids(), options)
  for (const { version } of remove) await store.remove(id, version)
  await removeLeftovers(trees)
}
