import { mkdir, open, rename, rm, rmdir, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../../server/core/failure.ts'
import { diskSource } from '../../server/files/disk.ts'
import { type CleanPath, cleanPath } from '../../server/files/path.ts'
import type { PublishReport, UploadArea, WriteFrom } from '../../server/files/upload-area.ts'

/**
 * An upload area that is a plain folder; `publish` returns what the test says, `onClose` is told how each
 * file ended.
 */
export function uploadFolder(
  folder: string,
  publish: (path: CleanPath) => PublishReport = (path) => ({ outcome: 'published', lines: [path] }),
  onClose: (path: CleanPath, outcome: 'complete' | 'partial') => void = () => undefined,
): UploadArea {
  const at = (path: CleanPath): string => join(folder, path)
  return {
    root: cleanPath('/incoming'),
    files: diskSource(folder),
    async openForWriting(path: CleanPath, from: WriteFrom) {
      const size = (await stat(at(path)).catch(() => undefined))?.size ?? 0
      let position = from === 'end' ? size : from
      if (position > size) throw new Failure('bad-request', `${path} has ${size} bytes, none at ${position}`)
      const file = await open(at(path), position > 0 ? 'r+' : 'w')
      await file.truncate(position)
      return {
        async write(bytes) {
          for (let done = 0; done < bytes.length; ) {
            const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position)
            done += bytesWritten
            position += bytesWritten
          }
        },
        sync: () => file.datasync(),
        async close(outcome) {
          await file.close()
          onClose(path, outcome)
        },
      }
    },
    async makeFolder(path) {
      await mkdir(at(path)).catch((error) => {
        throw error.code === 'EEXIST' ? new Failure('conflict', `${path} is there already`) : error
      })
    },
    rename: (from, to) => rename(at(from), at(to)),
    removeFile: (path) => rm(at(path)),
    async removeFolder(path) {
      await rmdir(at(path)).catch((error) => {
        throw error.code === 'ENOTEMPTY' ? new Failure('conflict', `${path} is not empty`) : error
      })
    },
    setModified: (path, modifiedMs) => utimes(at(path), modifiedMs / 1000, modifiedMs / 1000),
    publish: async (path) => publish(path),
  }
}
