import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../server/app.ts'
import { encodePacket } from '../server/protocols/tftp/wire/packet.ts'
import { makeToken } from './support/api.ts'
import { testApp } from './support/app.ts'
import { eventually } from './support/eventually.ts'
import { RawFtp } from './support/ftp.ts'
import { NfsClient } from './support/nfs-client.ts'
import { TcpWire } from './support/nfs-wire.ts'
import { fetchTftp } from './support/tftp-client.ts'
import { keptFolder, makeTree, writeBelow } from './support/tree-folder.ts'

/**
 * A machine installs while others look at what it gets, by every protocol and at every step. Whatever they ask,
 * the machine's own fetches count: its installation begins, and its next network boot goes to the disk. An offer
 * that was lost by somebody's look would install the machine again, and again.
 */

/**
 * A guest and its machine, for one test alone. Machines have addresses of their own; every 127.x.y.z is ours on
 * Linux.
 */
interface Machine {
  readonly name: string
  readonly mac: string
  readonly address: string
  readonly paths: Readonly<Record<'config' | 'byIdentity' | 'kernel' | 'answerFile', string>>
}

/** More than the tests below take. */
const machines = Array.from({ length: 60 }, (_, n): Machine => {
  const name = `web${n}`
  const mac = `52-54-00-aa-bb-${n.toString(16).padStart(2, '0')}`
  const paths = {
    config: `/pxelinux.cfg/01-${mac}`,
    byIdentity: `/boot/by/${mac}/ipxe`,
    kernel: '/trees/fedora-40/images/pxeboot/vmlinuz',
    answerFile: `/ks/${name}`,
  }
  return { name, mac, address: `127.0.7.${n + 1}`, paths }
})
/** The address of a person's computer. */
const desk = '127.0.9.9'
const config = `
server: { bind: 127.0.0.1 }
access: { anonymous: viewer }
http: { port: 0 }
tftp: { port: 0 }
ftp: { port: 0 }
nfs: { port: 0 }
guests:
${machines.map(({ name, mac }) => `  ${name}: { mac: ${mac}, tree: fedora-40, template: web.ks }`).join('\n')}
`
const unused = machines.values()
const nextMachine = (): Machine => unused.next().value as Machine

const home = keptFolder()
let app: App
let ports: Readonly<Record<string, number>>

beforeAll(async () => {
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40', checksums: false })
  writeBelow(home.path, 'config.yaml', config)
  writeBelow(home.path, 'kickstart-templates/web.ks', '{{ tree.id }}\n')
  app = testApp(home.path)
  await app.start()
  ports = Object.fromEntries(app.serviceLines().map(({ name, port = 0 }) => [name, port]))
  await eventually(() => expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready'), 15_000)
}, 20_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

function http(from: string, path: string, method = 'GET'): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: ports.http, path, method, localAddress: from, agent: false }
    const asked = httpRequest(options, (res) => {
      let body = ''
      res.setEncoding('utf8')
      res.on('data', (chunk) => {
        body += chunk
      })
      res.on('end', () => resolve(body))
    })
    asked.on('error', reject)
    asked.end()
  })
}

async function ftp(from: string, ...lines: readonly string[]): Promise<void> {
  const client = await RawFtp.open(ports.ftp ?? 0, { from })
  await client.reply()
  for (const line of ['USER anonymous', 'PASS x@', ...lines])
    expect((await client.ask(line)).code, line).toBeLessThan(400)
  client.socket.destroy()
}

async function nfs(...asked: readonly string[]): Promise<void> {
  const wire = await TcpWire.open(ports.nfs ?? 0)
  const client = new NfsClient(wire)
  for (const path of asked) {
    // Names that mean one machine are in no listing, so their folder may not be there: then the LOOKUP was all.
    const handle = await client.walk(path).catch(() => undefined)
    if (handle) await client.getattr(handle)
  }
  wire.close()
}

async function tftpSizeProbe(path: string): Promise<void> {
  await fetchTftp(path, {
    port: ports.tftp ?? 0,
    options: { tsize: 0 },
    intercept: (_packet, peer) => {
      peer.send(encodePacket({ type: 'error', code: 8, message: 'only the size' }))
      return 'stop'
    },
  })
}

const all = ({ paths }: Machine): readonly string[] => Object.values(paths)

/** What others may do. None of them is the machine, though some share its address. */
const looks: Record<string, (machine: Machine) => Promise<unknown>> = {
  'HEAD from another address': (of) => inTurn(all(of), (path) => http(desk, path, 'HEAD')),
  'HEAD from its own address': (of) => inTurn(all(of), (path) => http(of.address, path, 'HEAD')),
  'GET of its boot configuration from another address': (of) => http(desk, of.paths.config),
  'GET of /boot/by/<mac> from another address': (of) => http(desk, of.paths.byIdentity),
  'GET of /boot/<guest> from its own address': (of) => http(of.address, `/boot/${of.name}/ipxe`),
  'FTP SIZE and MDTM': (of) =>
    ftp(desk, ...all(of).flatMap((path) => [`SIZE ${path}`, `MDTM ${path}`, `MLST ${path}`])),
  'NFS LOOKUP and GETATTR': (of) => nfs(`/boot/${of.name}/ipxe`, ...all(of)),
  'TFTP size probes': (of) => inTurn(all(of), tftpSizeProbe),
  'folders and the front page': (of) =>
    inTurn(
      ['/', '/boot/', `/boot/${of.name}/`, '/ks/', '/trees/', `/api/v1/guests/${of.name}/plan?as=ipxe`],
      (path) => http(of.address, path),
    ),
}

async function inTurn(paths: readonly string[], ask: (path: string) => Promise<unknown>): Promise<void> {
  for (const path of paths) await ask(path)
}

async function stateOf({ name }: Machine): Promise<string> {
  return JSON.parse(await http(desk, `/api/v1/guests/${name}`)).state
}

interface Line {
  readonly step: string
  readonly client: string
}
const history = async ({ name }: Machine): Promise<readonly Line[]> =>
  JSON.parse(await http(desk, `/api/v1/guests/${name}/story`)).items

describe.each(Object.entries(looks))('%s', (_name, look) => {
  test.each([
    ['before it boots', [look, 'config', 'kernel', 'answerFile']],
    ['after its boot configuration', ['config', look, 'kernel', 'answerFile']],
    ['after its kernel', ['config', 'kernel', look, 'answerFile']],
    ['at every step', [look, 'config', look, 'kernel', look, 'answerFile', look]],
  ] as const)('%s: its installation begins all the same, and does not begin twice', async (_when, steps) => {
    const machine = nextMachine()
    for (const step of steps) {
      if (typeof step === 'function') await step(machine)
      else expect(await http(machine.address, machine.paths[step])).not.toBe('')
    }
    expect(await stateOf(machine)).toBe('installing')
    expect(await http(machine.address, machine.paths.config)).toContain('DEFAULT local')
    const own = (await history(machine)).filter(({ client }) => client === machine.address)
    expect(own.map(({ step }) => step)).toEqual(expect.arrayContaining(['offered', 'kernel', 'answers']))
  })
})

describe('a question alone leaves no trace', () => {
  // These ask as a loader does, and get an offer. `/boot/<guest>` is only a preview.
  const fetches = (name: string): boolean => name.startsWith('GET of its') || name.includes('/boot/by')
  test.each(Object.entries(looks).filter(([name]) => !fetches(name)))('%s', async (_name, look) => {
    const machine = nextMachine()
    await look(machine)
    expect(await history(machine)).toEqual([])
    expect(await stateOf(machine)).toBe('install')
  })

  test('of an unknown machine, too', async () => {
    const mac = '52-54-00-ff-ff-01'
    for (const path of [`/pxelinux.cfg/01-${mac}`, `/boot/by/${mac}/ipxe`, `/grub.cfg-01-${mac}`]) {
      await http(desk, path, 'HEAD')
      await nfs(path)
    }
    expect(JSON.parse(await http(desk, '/api/v1/inbox')).items).toEqual([])
    await http(desk, `/pxelinux.cfg/01-${mac}`)
    expect(JSON.parse(await http(desk, '/api/v1/inbox')).items).toMatchObject([
      { mac: mac.replaceAll('-', ':') },
    ])
  })
})

test('an offer is pushed out by nobody, however many addresses ask for the same guest', async () => {
  const machine = nextMachine()
  await http(machine.address, machine.paths.config)
  // More than the 16 offers that the state of a guest holds.
  for (let n = 1; n <= 40; n++) await http(`127.0.8.${n}`, machine.paths.config)
  await http(machine.address, machine.paths.kernel)
  await http(machine.address, machine.paths.answerFile)
  expect(await stateOf(machine)).toBe('installing')
})

test('an order to install again ends the offers before it: a look at the answer file begins nothing', async () => {
  const machine = nextMachine()
  await http(desk, machine.paths.config)
  const token = await makeToken(app, 'operator')
  const ordered = await fetch(`http://127.0.0.1:${ports.http}/api/v1/guests/${machine.name}/install`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  })
  expect(ordered.status).toBe(200)
  await http(desk, machine.paths.answerFile)
  expect(await stateOf(machine)).toBe('install')
})

test('a whole file that is fetched by TFTP or NFS counts as by HTTP', async () => {
  const machine = nextMachine()
  await fetchTftp(machine.paths.config, { port: ports.tftp ?? 0 })
  const wire = await TcpWire.open(ports.nfs ?? 0)
  const client = new NfsClient(wire)
  await client.readAll(await client.walk(machine.paths.kernel))
  wire.close()
  await eventually(async () =>
    expect((await history(machine)).map(({ step }) => step)).toEqual(['offered', 'kernel']),
  )
})
