/** The FTP service for `bench/ftp.ts` in a process of its own. It sends its port to the parent process. */
import { diskSource } from '../../server/files/disk.ts'
import type { FileSource, OpenFile } from '../../server/files/source.ts'
import { FtpListener } from '../../server/protocols/ftp/server.ts'

const [kind, root = '.'] = process.argv.slice(2)
const disk = diskSource(root)

/** The same files without their descriptors, as a machine without koffi serves them. */
const ringOnly: FileSource = {
  async stat(path, who) {
    const entry = await disk.stat(path, who)
    return entry && { ...entry, open: async () => withoutDescriptor(await entry.open()) }
  },
  list: (path, who) => disk.list(path, who),
}

function withoutDescriptor({ size, read, close }: OpenFile): OpenFile {
  return { size, read, close }
}

let bytes = 0
const service = new FtpListener({
  bind: '127.0.0.1',
  port: 0,
  source: kind === 'ring' ? ringOnly : disk,
  events: (event) => {
    if (event.type === 'served') bytes += event.bytes
  },
})
await service.start()
process.send?.(service.address?.port ?? 0)
// Nobody reads the exit code. It uses the count, so counting the events stays a part of what is measured.
process.once('SIGTERM', () => process.exit(bytes > 0 ? 0 : 1))
