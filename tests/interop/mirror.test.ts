import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { diskSource } from '../../server/files/disk.ts'
import { cleanPath } from '../../server/files/path.ts'
import { mirrorTree } from '../../server/intake/mirror/mirror-tree.ts'
import { VersionStore } from '../../server/versions/version-store.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { faultyServer } from '../support/faulty-server.ts'
import { freePort } from '../support/free-port.ts'
import { makeTree, writeBelow } from '../support/tree-folder.ts'
import { verifyTreeAt } from '../support/verify.ts'

const installer = '/usr/lib/debian-installer/images/12/amd64/text'
let base = ''

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'treeboot-mirror-'))
})
afterAll(() => rmSync(base, { recursive: true, force: true }))

function newStore(name: string) {
  const trees = join(base, name)
  mkdirSync(trees, { recursive: true })
  return { trees, store: new VersionStore(trees) }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort()
}

function expectSame(copy: string, original: string): void {
  // Links to folders became folders: the copy may have more names, and never fewer.
  for (const file of filesBelow(original))
    expect(readFileSync(join(copy, file)).equals(readFileSync(join(original, file))), file).toBe(true)
}

describe('the Debian installer, from a local upstream', () => {
  beforeEach(() => void requireClient(`${installer}/version.info`))

  test('over HTTP, killed at 50 random moments and resumed each time', {
    timeout: 600_000,
  }, async () => {
    const { trees } = newStore('killed')
    const server = await faultyServer(installer)
    const whole = filesBelow(installer).length
    let halfTreesSeen = 0
    const run = async (id: string, killAfterMs?: number) => {
      const child: ChildProcess = fork(
        join(import.meta.dirname, '../support/mirror-child.ts'),
        [trees, `${server.url}/`, id],
        { execArgv: ['--import', 'tsx'], stdio: 'ignore' },
      )
      const ended = once(child, 'exit')
      // The child sends its message when its modules are loaded and the mirror begins.
      await Promise.race([once(child, 'message'), ended])
      const kill =
        killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs)
      const watch = setInterval(() => {
        if (existsSync(join(trees, id)) && filesBelow(join(trees, id)).length < whole) halfTreesSeen++
      }, 20)
      const [code, signal] = (await ended) as [number | null, NodeJS.Signals | null]
      clearTimeout(kill)
      clearInterval(watch)
      return { code, killed: signal === 'SIGKILL' }
    }
    // Only a kill that met an unfinished mirror counts; whenever one was quicker, it is compared and a new one
    // begun.
    let round = 1
    let kills = 0
    for (let runs = 0; kills < 50 && runs < 300; runs++) {
      const id = `debian${round}`
      const { code, killed } = await run(id, 20 + Math.random() * 500)
      if (killed && !existsSync(join(trees, id))) kills++
      else {
        if (!killed) expect(code).toBe(0)
        expectSame(join(trees, id), installer)
        round++
      }
    }
    expect(kills).toBe(50)
    expect((await run(`debian${round}`)).code).toBe(0)
    expect(halfTreesSeen).toBe(0)
    expectSame(join(trees, `debian${round}`), installer)
  })

  test('over FTP from vsftpd', async () => {
    const vsftpd = requireClient('vsftpd')
    requireRoot()
    const { trees, store } = newStore('ftp')
    const ftp = await startVsftpd(vsftpd, installer)
    try {
      const { trees: found } = await mirrorTree(store, [`ftp://127.0.0.1:${ftp.port}/`], { id: 'debian' })
      expect(found[0]?.result.outcome).toBe('published')
      expectSame(join(trees, 'debian'), installer)
    } finally {
      ftp.process.kill()
    }
  })
})

test('a medium with links to itself comes from vsftpd with its links, and each file once', async () => {
  const vsftpd = requireClient('vsftpd')
  requireRoot()
  const folder = join(base, 'medium')
  const info = 'Debian GNU/Linux 13.1.0 "Trixie" - Official amd64 NETINST with firmware 20250906-10:22'
  const files = {
    '.disk/info': info,
    'install.amd/vmlinuz': 'k',
    'install.amd/initrd.gz': 'i',
    'dists/trixie/Release': 'r',
  }
  for (const [path, text] of Object.entries(files)) writeBelow(folder, path, text)
  for (const [path, target] of [
    ['debian', '.'],
    ['dists/stable', 'trixie'],
    ['kernel', 'install.amd/vmlinuz'],
  ] as const)
    symlinkSync(target, join(folder, path))
  const { trees, store } = newStore('medium-copy')
  const ftp = await startVsftpd(vsftpd, folder)
  try {
    const { notes } = await mirrorTree(store, [`ftp://127.0.0.1:${ftp.port}/`], { id: 'debian' })
    expect(notes).toEqual([])
  } finally {
    ftp.process.kill()
  }
  const copy = join(trees, 'debian')
  // Path, type and target of everything; no link is followed.
  const shapeOf = (at: string) => execFileSync('find', [at, '-printf', '%P %y %l\n'], { encoding: 'utf8' })
  const lines = (at: string) => shapeOf(at).trim().split('\n').sort()
  expect(lines(`${copy}/`)).toEqual(lines(`${folder}/`))
})

test('a medium comes from nginx with what its index hides, its links to itself, and without a link to nothing', async () => {
  const nginx = requireClient('nginx')
  const folder = join(base, 'hidden')
  const files = {
    '.disk/info': 'Debian GNU/Linux 13.1.0 "Trixie" - Official amd64 NETINST with firmware 20250906-10:22',
    '.disk/cd_type': 'not_complete',
    'install.amd/vmlinuz': 'k',
    'install.amd/initrd.gz': 'i',
    'md5sum.txt': `${'0'.repeat(32)}  ./.disk/udeb_include\n${createHash('md5').update('not_complete').digest('hex')}  ./.disk/cd_type\n`,
  }
  for (const [path, text] of Object.entries(files)) writeBelow(folder, path, text)
  symlinkSync('.', join(folder, 'debian'))
  symlinkSync('nothing', join(folder, 'dangling'))
  const { trees, store } = newStore('hidden-copy')
  const server = await startNginx(nginx, folder)
  try {
    const { notes } = await mirrorTree(store, [`http://127.0.0.1:${server.port}/`], { id: 'debian' })
    expect(notes.map((note) => note.split(' ')[0])).toEqual(['dangling'])
  } finally {
    server.process.kill()
  }
  const copy = join(trees, 'debian')
  for (const [path, text] of Object.entries(files)) expect(readFileSync(join(copy, path), 'utf8')).toBe(text)
  expect(readlinkSync(join(copy, 'debian'))).toBe('.')
})

test("createrepo_c's repositories, one beside the tree, are mirrored and verified; a flipped byte is found", async () => {
  const createrepo = requireClient('createrepo_c')
  const upstream = join(base, 'el9')
  const os = join(upstream, 'BaseOS/x86_64/os')
  const extra =
    '\n[variant-AppStream]\nid = AppStream\nuid = AppStream\nname = AppStream\ntype = variant\nrepository = ../../../AppStream/x86_64/os\n'
  makeTree(os, { family: 'AlmaLinux', version: '9.4', extra })
  for (const [folder, compression] of [
    [os, 'gz'],
    [join(upstream, 'AppStream/x86_64/os'), 'xz'],
  ] as const) {
    mkdirSync(folder, { recursive: true })
    execFileSync(createrepo, ['-q', `--general-compress-type=${compression}`, folder])
  }
  const server = await faultyServer(upstream)
  const { trees, store } = newStore('el')
  const { trees: found } = await mirrorTree(store, [`${server.url}/BaseOS/x86_64/os/`], { id: 'alma' })
  expect(found[0]?.result).toMatchObject({ outcome: 'published', findings: [] })
  const at = cleanPath('/alma/BaseOS/x86_64/os')
  const verify = () => verifyTreeAt(diskSource(trees), at, { name: 'alma' })
  const whole = await verify()
  expect(whole.documents).toContain('../../../AppStream/x86_64/os/repodata/repomd.xml')
  const folder = join(trees, 'alma/AppStream/x86_64/os/repodata')
  const [name = ''] = readdirSync(folder).filter((each) => each.includes('filelists'))
  const bytes = readFileSync(join(folder, name))
  bytes[40] = (bytes[40] ?? 0) ^ 1
  writeFileSync(join(folder, name), bytes)
  expect((await verify()).findings.map(({ path }) => path)).toEqual([
    `../../../AppStream/x86_64/os/repodata/${name}`,
  ])
})

async function startNginx(program: string, root: string): Promise<{ process: ChildProcess; port: number }> {
  const port = await freePort()
  const config = join(base, 'nginx.conf')
  const own = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (each) => `${each}_temp_path ${join(base, each)};`,
  )
  writeFileSync(
    config,
    `daemon off; master_process off; error_log stderr; pid ${join(base, 'nginx.pid')};
events {}
http { access_log off; ${own.join(' ')} server { listen 127.0.0.1:${port}; root ${root}; autoindex on; } }
`,
  )
  const child = spawn(program, ['-e', 'stderr', '-c', config], { stdio: 'ignore' })
  await untilAnswers(port, 'nginx')
  return { process: child, port }
}

async function startVsftpd(
  program: string,
  folder: string,
): Promise<{ process: ChildProcess; port: number }> {
  const port = await freePort()
  const config = join(base, 'vsftpd.conf')
  const empty = join(base, 'empty')
  mkdirSync(empty, { recursive: true })
  const lines = {
    listen: 'YES',
    listen_address: '127.0.0.1',
    listen_port: port,
    background: 'NO',
    anonymous_enable: 'YES',
    local_enable: 'NO',
    anon_root: folder,
    secure_chroot_dir: empty,
    seccomp_sandbox: 'NO',
    xferlog_enable: 'NO',
  }
  writeFileSync(
    config,
    Object.entries(lines)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  const child = spawn(program, [config], { stdio: 'ignore' })
  await untilAnswers(port, 'vsftpd')
  return { process: child, port }
}

async function untilAnswers(port: number, name: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    // vsftpd does not speak HTTP: every error but a refused connection shows that it is there.
    const answers = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      (error: { cause?: { code?: string } }) => error.cause?.code !== 'ECONNREFUSED',
    )
    if (answers) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${name} does not answer`)
}
