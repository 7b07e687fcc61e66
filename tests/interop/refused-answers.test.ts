import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { type App, createApp } from '../../server/app.ts'
import { run } from '../../server/emulator/child.ts'
import { makeToken } from '../support/api.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { unpackPackage } from '../support/lab/apt-package.ts'
import { labCache, labInstaller } from '../support/lab/lab.ts'
import { mountSmallDisk } from '../support/small-disk.ts'
import { makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

/**
 * What installers do when their answer file is refused, because the beginning of the installation cannot be stored:
 * none gets a file, and none goes on without a person. By their sources, AutoYaST shows an error and asks
 * (yast2-autoinstallation 4.6, `fetch_profile.rb`), Agama reports that the profile could not be fetched and waits
 * (agama-auto 9), and Ignition tries again for ever, waiting longer each time (Ignition 2.19, `internal/resource/http.go`).
 */

const config = `
server: { bind: 127.0.0.1 }
http: { port: 0 }
tftp: { enabled: false }
ftp: { enabled: false }
nfs: { enabled: false }
limits: { min-free: 0 }
guests:
  web01: { mac: "52:54:00:aa:bb:01", tree: fedora-40, template: web.ks, ip: 127.0.0.1 }
  web02: { mac: "52:54:00:aa:bb:02", tree: fedora-40 }
`

const execute = promisify(execFile)
let home: string
let app: App
let answers: string

beforeAll(() => void mkdirSync(labCache, { recursive: true }))

beforeEach(async () => {
  requireRoot()
  requireClient('curl')
  home = temporaryFolder()
  const disk = mountSmallDisk(join(home, 'data'), async () => app?.stop())
  makeTree(join(home, 'trees/fedora-40'), { version: '40', checksums: false })
  writeBelow(home, 'config.yaml', config)
  writeBelow(home, 'kickstart-templates/web.ks', '{{ report_url }}\n')
  app = createApp({ cwd: home, version: 'test', newStore: 'install', settle: { quietMs: 100 } })
  await app.start()
  await vi.waitFor(() => expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready'), 20_000)
  const url = `http://127.0.0.1:${app.serviceLines().find(({ name }) => name === 'http')?.port}`
  answers = `${url}/ks/web01`
  // With the offer of an installation, its answer file begins one.
  const script = await fetch(`${url}/boot/by/525400aabb01/00000000-0000-4000-8000-000000000000/ipxe`)
  expect(await script.text()).toContain('vmlinuz')
  const token = await makeToken(app, 'operator')
  const headers = { Authorization: `Bearer ${token}` }
  // The first changes still find room: the ballast is given up for them.
  let changes = 0
  await vi.waitFor(
    async () => {
      disk.fillUp()
      const order = changes++ % 2 === 0 ? 'local' : 'install'
      const { status } = await fetch(`${url}/api/v1/guests/web02/${order}`, { method: 'POST', headers })
      expect(status).toBe(503)
    },
    { timeout: 20_000, interval: 200 },
  )
  disk.fillUp()
})

/** The exit code, and what was printed. Not `execFileSync`: the server is in this process. */
async function ran(command: string, ...args: string[]): Promise<{ code: number; output: string }> {
  return execute(command, args).then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    ({ code, stdout, stderr }) => ({ code: Number(code), output: stdout + stderr }),
  )
}

test('dracut, for Anaconda: curl tries four times, and there is no kickstart', async () => {
  const dracut = join(
    unpackPackage(labCache, 'dracut-network'),
    'usr/lib/dracut/modules.d/45url-lib/url-lib.sh',
  )
  const file = join(home, 'ks.cfg')
  const script = join(home, 'fetch.sh')
  // The functions of dracut-lib.sh that url-lib.sh calls.
  writeFileSync(
    script,
    `mkuniqdir() { :; }; getargbool() { return 1; }; getarg() { :; }; warn() { echo "$*"; }
. ${dracut}
fetch_url ${answers} ${file}`,
  )
  const { code, output } = await ran('bash', script)
  expect([code, output.match(/503/g)?.length]).toEqual([22, 4])
  expect(existsSync(file)).toBe(false)
})

test('debian-installer: busybox wget fails, and there is no preseed file', async () => {
  requireClient('unshare', 'cpio')
  const root = join(home, 'installer')
  mkdirSync(root)
  const { initrd } = await labInstaller('amd64')
  run(
    'sh',
    '-c',
    `cd ${root} && zcat ${initrd} | cpio --extract --quiet --make-directories 2>/dev/null || true`,
  )
  writeFileSync(
    join(root, 'fetch.sh'),
    `db_get() { return 1; }; proto=http
exec 3>&2 # debconf's, in the installer
. /usr/lib/fetch-url/http
protocol_fetch ${answers} /preseed.cfg`,
  )
  const inside = `mount -t proc proc ${root}/proc && exec chroot ${root} /bin/sh /fetch.sh`
  const { code, output } = await ran('unshare', '--mount', 'sh', '-c', inside)
  expect([code, output]).toEqual([1, expect.stringContaining('503')])
  expect(run('sh', '-c', `cat ${root}/preseed.cfg 2>/dev/null || true`)).toBe('')
})

test('cloud-init: user-data and meta-data are asked for eleven times, then there is no seed', async () => {
  requireClient('python3')
  const cloudInit = join(unpackPackage(labCache, 'cloud-init'), 'usr/lib/python3/dist-packages')
  // What DataSourceNoCloud calls for `ds=nocloud-net;s=URL/`.
  const program = `import sys
sys.path.insert(0, sys.argv[1])
from cloudinit import url_helper, util
try:
    print(util.read_seeded(sys.argv[2] + '/', timeout=None))
except url_helper.UrlError as error:
    sys.exit(f'no seed: {error.code}')`
  const { code, output } = await ran('python3', '-c', program, cloudInit, answers)
  expect([code, output]).toEqual([1, expect.stringContaining('no seed: 503')])
}, 60_000)
