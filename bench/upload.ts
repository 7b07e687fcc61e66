/**
 * What a server's memory does while one very large file is uploaded:
 * `npm run bench -- upload [GiB] [folder] [put|tus]`.
 *
 * A server in a process of its own receives the file twice: in one PUT, and by tus in PATCHes of 1 GiB with a HEAD
 * before each. The bytes are made by the client, and none of them is zero: a file system may store zeros without a
 * block. The server writes every one to a real file below `folder` (default: the system's temporary folder). Its
 * resident memory is read from /proc after each eighth.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { numberArgument, wordArgument } from './support/arguments.ts'
import { memoryMiB } from './support/processes.ts'

const gib = 2 ** 30
const totalBytes = numberArgument(0, { full: 4, quick: 1 }) * gib
const base = wordArgument(1) ?? tmpdir()
const only = wordArgument(2)
/** Another port in each process, so that two runs may overlap. */
const port = 18_080 + (process.pid % 1000)

/** 4 KiB over and over: a file system that packs what it stores needs a thirtieth of the room. */
const piece = Buffer.alloc(
  1 << 20,
  randomFillSync(Buffer.alloc(4096)).map((byte) => byte || 1),
)

interface Server {
  readonly process: ChildProcess
  readonly token: string
  readonly rssMib: () => number
}

async function startServer(folder: string): Promise<Server> {
  const config = join(folder, 'config.yaml')
  const off = ['ftp', 'tftp', 'nfs'].map((service) => `${service}: { enabled: false }\n`).join('')
  writeFileSync(
    config,
    `server: { bind: 127.0.0.1 }\nhttp: { port: ${port} }\n${off}paths: { trees: trees, data: data }\n`,
  )
  mkdirSync(join(folder, 'trees'))
  const main = join(import.meta.dirname, '../dist/server/main.js')
  const child = spawn(process.execPath, [main, 'serve', '--config', config, '--new-store', 'install'], {
    cwd: folder,
    stdio: 'ignore',
  })
  for (let tries = 0; ; tries++) {
    if (
      await fetch(`http://127.0.0.1:${port}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      break
    if (child.exitCode !== null || tries > 200) throw new Error('the server does not start')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return {
    process: child,
    token: readFileSync(join(folder, 'data/admin-token'), 'utf8').trim(),
    rssMib: () => memoryMiB(child.pid ?? 0),
  }
}

function ask(method: string, path: string, headers: Record<string, string | number>): ClientRequest {
  return request({ host: '127.0.0.1', port, method, path: `/api/v1/uploads/${path}`, headers })
}

/** Sends so many bytes as the body, and gives the answer. */
async function send(
  req: ClientRequest,
  bytes = 0,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<IncomingMessage> {
  const answered = once(req, 'response') as Promise<[IncomingMessage]>
  for (let left = bytes; left > 0; left -= piece.length) {
    const part = left < piece.length ? piece.subarray(0, left) : piece
    if (!req.write(part)) await once(req, 'drain')
    onBytes(part.length)
  }
  req.end()
  const [response] = await answered
  response.resume()
  if ((response.statusCode ?? 500) >= 300)
    throw new Error(`${req.method} ${req.path}: ${response.statusCode}`)
  return response
}

async function measure(
  name: string,
  server: Server,
  upload: (onBytes: (bytes: number) => void) => Promise<void>,
): Promise<void> {
  const before = server.rssMib()
  const marks: number[] = []
  let sent = 0
  let peak = 0
  const started = performance.now()
  await upload((bytes) => {
    sent += bytes
    // Each reading opens a file: every 64 MiB is often enough.
    if (sent % (64 << 20) === 0) peak = Math.max(peak, server.rssMib())
    if (sent % (totalBytes / 8) === 0) marks.push(server.rssMib())
  })
  const rate = totalBytes / 1e3 / (performance.now() - started)
  const shown = marks.map((mib) => mib.toFixed(0)).join(' ')
  console.log(
    `  ${name.padEnd(22)} ${rate.toFixed(0).padStart(5)} MB/s; resident MiB before ${before.toFixed(0)}, after each eighth ${shown}, peak ${peak.toFixed(0)}`,
  )
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(base, 'treeboot-bench-'))
  const server = await startServer(folder)
  const authorization = `Bearer ${server.token}`
  try {
    console.log(`one file of ${totalBytes / gib} GiB below ${base}`)
    if (only !== 'tus') {
      await measure('PUT', server, (onBytes) => put(authorization, onBytes))
      check(folder, 'put.iso')
      await send(ask('DELETE', 'big', { authorization }))
    }
    if (only !== 'put') {
      await measure('tus, PATCH of 1 GiB', server, (onBytes) => patches(authorization, onBytes))
      check(folder, 'tus.iso')
    }
  } finally {
    server.process.kill()
    await once(server.process, 'exit')
    rmSync(folder, { recursive: true })
  }
}

async function put(authorization: string, onBytes: (bytes: number) => void): Promise<void> {
  await send(ask('PUT', 'big/put.iso', { authorization, 'content-length': totalBytes }), totalBytes, onBytes)
}

async function patches(authorization: string, onBytes: (bytes: number) => void): Promise<void> {
  const tus = { authorization, 'tus-resumable': '1.0.0' }
  const metadata = `relativePath ${Buffer.from('big/tus.iso').toString('base64')}`
  const headers = { ...tus, 'upload-length': totalBytes, 'upload-metadata': metadata }
  const { headers: answer } = await send(ask('POST', 'tus', headers))
  const place = String(answer.location).replace('/api/v1/uploads/', '')
  for (let offset = 0; offset < totalBytes; offset += gib) {
    const { headers: known } = await send(ask('HEAD', place, tus))
    if (Number(known['upload-offset']) !== offset)
      throw new Error(`offset ${known['upload-offset']}, not ${offset}`)
    const length = Math.min(gib, totalBytes - offset)
    const type = 'application/offset+octet-stream'
    const patch = { ...tus, 'content-type': type, 'upload-offset': offset, 'content-length': length }
    await send(ask('PATCH', place, patch), length, onBytes)
  }
}

/** All of it has reached a file, in blocks of its own. */
function check(folder: string, name: string): void {
  const { size, blocks } = statSync(join(folder, 'trees/.treeboot/incoming/uploads/big', name))
  if (size !== totalBytes || blocks * 512 < totalBytes)
    throw new Error(`${name}: ${size} bytes, ${blocks} blocks`)
}

await main()
