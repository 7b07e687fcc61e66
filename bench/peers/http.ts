/** One Node peer of `bench/http.ts` in a process of its own: tells its port to whoever forked it. */
import express from 'express'
import { diskSource } from '../../server/files/disk.ts'
import { cleanPath } from '../../server/files/path.ts'
import { mountTable } from '../../server/namespace/mounts.ts'
import { HttpListener } from '../../server/protocols/http/server.ts'

const [kind, root = '.'] = process.argv.slice(2)

if (kind === 'express') {
  const server = express()
    .use(express.static(root, { dotfiles: 'allow' }))
    .listen(0, '127.0.0.1', () => {
      const address = server.address()
      process.send?.(address && typeof address === 'object' ? address.port : 0)
    })
} else {
  let bytes = 0
  const service = new HttpListener({
    bind: '127.0.0.1',
    port: 0,
    source: mountTable([{ at: cleanPath('/'), source: diskSource(root), why: 'what is measured' }]),
    events: (event) => {
      if (event.type === 'served') bytes += event.bytes
    },
  })
  await service.start()
  process.send?.(service.address?.port ?? 0)
  // Nobody reads the exit code. It uses the count, so counting the events stays a part of what is measured.
  process.once('SIGTERM', () => process.exit(bytes > 0 ? 0 : 1))
}
