/**
 * Our HTTP and TFTP services on one bus, as compiled, for `bench/events.ts`: a process of its own that sends its HTTP port to
 * its parent, and then its TFTP port. On the message `with` timelines of boots are made of the events, in a store on the disk;
 * on `without` the events are made and counted, and the store rests. Each message is sent back once it holds and all that
 * waited is written.
 */
import { join } from 'node:path'
import type * as Bus from '../../server/events/bus.ts'
import type * as Disk from '../../server/files/disk.ts'
import type * as Http from '../../server/protocols/http/server.ts'
import type * as Tftp from '../../server/protocols/tftp/server.ts'
import type * as Open from '../../server/store/sqlite/open.ts'
import type * as Recorder from '../../server/timeline/recorder.ts'

const built = join(import.meta.dirname, '../../dist/server')
const load = async <T>(file: string): Promise<T> => (await import(join(built, file))) as T
const { EventBus } = await load<typeof Bus>('events/bus.js')
const { diskSource } = await load<typeof Disk>('files/disk.js')
const { HttpListener } = await load<typeof Http>('protocols/http/server.js')
const { TftpListener } = await load<typeof Tftp>('protocols/tftp/server.js')
const { openStore } = await load<typeof Open>('store/sqlite/open.js')
const { BootRecorder } = await load<typeof Recorder>('timeline/recorder.js')

const [root = '.', data = '.'] = process.argv.slice(2)
const bus = new EventBus()
let bytes = 0
bus.subscribe((event) => {
  if (event.type === 'served') bytes += event.bytes
})
const recorder = new BootRecorder({ keepMs: () => 1e9, onTrouble: (error) => console.error(String(error)) })
await recorder.open((await openStore({ data })).boots)
let forget: (() => void) | undefined
process.on('message', async (mode) => {
  if (mode === 'with') forget ??= bus.subscribe(recorder.sink)
  else {
    forget?.()
    forget = undefined
    await recorder.flush()
  }
  process.send?.(mode)
})
// The client of the load is a machine that boots, so that each of its requests belongs to a timeline.
const facts = { macs: ['52:54:00:aa:bb:01'] }
recorder.sink({
  type: 'served',
  protocol: 'http',
  client: '127.0.0.1',
  path: '/boot/by/52-54-00-aa-bb-01/ipxe',
  outcome: 'complete',
  bytes: 1,
  ms: 1,
  decision: { kind: 'boot', summary: 'install x', facts, guest: 'web01', localDisk: false, loader: 'ipxe' },
})
const shared = { bind: '127.0.0.1', port: 0, source: diskSource(root), events: bus.emit }
const http = new HttpListener(shared)
const tftp = new TftpListener({ ...shared, native: 'required' })
await http.start()
await tftp.start()
process.send?.(http.address?.port ?? 0)
process.send?.(tftp.address?.port ?? 0)
// Nobody reads the exit code. It uses the count, so counting the events stays a part of what is measured.
process.once('SIGTERM', () => process.exit(bytes > 0 ? 0 : 1))
