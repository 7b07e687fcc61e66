import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { cleanPath } from '../../../server/files/path.ts'
import { Uploads } from '../../../server/intake/uploads/uploads.ts'
import { temporaryFolder } from '../../support/tree-folder.ts'

/** Mounts a file system with few inodes; false where this user may not mount. */
function mountSmall(folder: string): boolean {
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,nr_inodes=24', 'none', folder])
  if (mounted.status !== 0) return false
  onTestFinished(() => void spawnSync('umount', ['-l', folder]))
  return true
}

test('an upload to a disk without inodes is refused with the true reason', async ({ skip }) => {
  const trees = temporaryFolder()
  if (!mountSmall(trees)) skip('only root may mount a file system with few inodes')
  const uploads = new Uploads({ trees: () => trees, events: () => undefined })
  await uploads.start()
  onTestFinished(() => uploads.stop())
  try {
    for (let n = 0; ; n++) writeFileSync(join(trees, `${n}`), '')
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' })
  }
  const full = { kind: 'too-large', message: expect.stringContaining('no inode left') }
  await expect(uploads.makeFolders(cleanPath('/f40/images/pxeboot'))).rejects.toMatchObject(full)
  await expect(uploads.openForWriting(cleanPath('/a.iso'), 0)).rejects.toMatchObject(full)
})
