/** Our side of `bench/nfs.ts` in a process of its own: tells its port to whoever forked it. */
import { diskSource } from '../../server/files/disk.ts'
import { cleanPath } from '../../server/files/path.ts'
import { mountTable } from '../../server/namespace/mounts.ts'
import { NfsListener } from '../../server/protocols/nfs/server.ts'

const [root = '.', dataFolder = '.'] = process.argv.slice(2)
const service = new NfsListener({
  bind: '127.0.0.1',
  port: 0,
  portmap: 'off',
  source: mountTable([{ at: cleanPath('/'), source: diskSource(root), why: 'what is measured' }]),
  events: () => undefined,
  dataFolder,
})
await service.start()
process.send?.(service.address?.port ?? 0)
process.once('SIGTERM', () => void service.stop().then(() => process.exit(0)))
