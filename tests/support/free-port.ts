import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'

/** A free TCP port of 127.0.0.1, for programs that cannot choose one themselves. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const bound = server.address()
      server.close(() => resolve(typeof bound === 'object' && bound ? bound.port : 0))
    })
  })
}

/** A free UDP port, for the same programs. */
export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4')
  const port = await new Promise<number>((resolve) => socket.bind(0, () => resolve(socket.address().port)))
  socket.close()
  return port
}
