/** The FTP door for `bench/ftp.ts` in a process of its own: tells its port to whoever forked it. */
import { diskSource } from '../server/files/disk.ts'
import { FtpDoor } from '../server/protocols/ftp/door.ts'

const [root = '.'] = process.argv.slice(2)
let bytes = 0
const door = new FtpDoor({
  bind: '127.0.0.1',
  port: 0,
  source: diskSource(root),
  events: (event) => {
    if (event.type === 'served') bytes += event.bytes
  },
})
await door.start()
process.send?.(door.address?.port ?? 0)
process.once('SIGTERM', () => process.exit(bytes > 0 ? 0 : 1))
