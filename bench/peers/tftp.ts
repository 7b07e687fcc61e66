/**
 * Our TFTP service, compiled as users run it, for `bench/tftp.ts`: a process of its own that sends its port
 * to its parent.
 */
import { join } from 'node:path'
import type * as Disk from '../../server/files/disk.ts'
import type * as Service from '../../server/protocols/tftp/server.ts'

const built = join(import.meta.dirname, '../../dist/server')
const { diskSource } = (await import(join(built, 'files/disk.js'))) as typeof Disk
const { TftpListener } = (await import(join(built, 'protocols/tftp/server.js'))) as typeof Service

/**
 * `off`: Node's sockets. `required`: the native backend. Never `auto`, which begins with Node's sockets while the
 * native backend starts, so that the first figures would be of another backend.
 */
const [native, root = '.'] = process.argv.slice(2)

let served = 0
const service = new TftpListener({
  bind: '127.0.0.1',
  port: 0,
  source: diskSource(root),
  events: (event) => {
    if (event.type === 'served') served += event.bytes
  },
  native: native === 'off' ? 'off' : 'required',
})
await service.start()
process.send?.(service.address?.port ?? 0)
// Nobody reads the exit code. It uses the count, so counting the events stays a part of what is measured.
process.once('SIGTERM', () => process.exit(served > 0 ? 0 : 1))
