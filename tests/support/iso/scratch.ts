import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** An empty folder for a whole suite; `close` removes it. */
export function scratchFolder(): { readonly folder: string; readonly close: () => Promise<void> } {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'treeboot-iso-')))
  return {
    folder,
    close: () => {
      rmSync(folder, { recursive: true, force: true })
      return Promise.resolve()
    },
  }
}
