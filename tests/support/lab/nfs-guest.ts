import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type CpioMember, encodeCpio, fileMode, folderMode, linkMode, programMode } from './cpio.ts'

/** What the guest needs beyond what Debian builds into its cloud kernel; NFSv4 is there to be refused. */
const wanted = ['virtio_pci', 'virtio_net', 'virtio-rng', 'nfsv3', 'nfsv4']

const applets = 'cat cut find grep insmod ip ls mount poweroff rm sh sha256sum sort umount wc xargs'.split(
  ' ',
)

const script = readFileSync(join(import.meta.dirname, 'nfs-guest-init.sh'))

/** Kept between runs: the kernel that apt fetched. */
const cache = join(tmpdir(), 'treeboot-lab')

/**
 * A guest whose kernel speaks NFS: Debian's installer has no NFS modules, so it is the cloud kernel with the static
 * busybox of this machine. What is to be mounted comes by the kernel's command line: `nfs.options` and `nfs.path`.
 */
export function nfsGuest(busybox: string): { readonly kernel: string; readonly initrd: string } {
  const folder = obtainKernel()
  const kernel = readdirSync(join(folder, 'boot')).find((name) => name.startsWith('vmlinuz-'))
  if (kernel === undefined) throw new Error(`${folder} holds no kernel`)
  const recipe = createHash('sha256')
    .update(readFileSync(import.meta.filename))
    .update(script)
    .update(kernel)
  const initrd = join(cache, `nfs-guest-${recipe.digest('hex').slice(0, 16)}.img`)
  if (!existsSync(initrd)) {
    const aside = `${initrd}.${process.pid}`
    writeFileSync(aside, gzipSync(encodeCpio(members(folder, busybox)), { level: 1 }))
    renameSync(aside, initrd)
  }
  return { kernel: join(folder, 'boot', kernel), initrd }
}

/** Lets apt fetch the package (27 MB) and unpacks it without installing. */
function obtainKernel(): string {
  const folder = join(cache, 'cloud-kernel')
  if (existsSync(folder)) return folder
  const depends = execFileSync('apt-cache', ['depends', 'linux-image-cloud-amd64'], { encoding: 'utf8' })
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1]
  if (name === undefined) throw new Error('apt knows no linux-image-cloud-amd64; an apt-get update may help')
  const aside = join(cache, `.cloud-kernel-${process.pid}`)
  mkdirSync(aside, { recursive: true })
  try {
    // As root apt downloads as the user _apt, who may not write here: it warns, and goes on as root.
    execFileSync('apt-get', ['download', '-q', name], { cwd: aside, stdio: 'pipe' })
    const deb = readdirSync(aside).find((file) => file.endsWith('.deb')) ?? ''
    execFileSync('dpkg-deb', ['-x', join(aside, deb), join(aside, 'root')])
    renameSync(join(aside, 'root'), folder)
  } finally {
    rmSync(aside, { recursive: true, force: true })
  }
  return folder
}

function members(folder: string, busybox: string): CpioMember[] {
  const modules = orderModules(join(folder, 'lib/modules'))
  const order = modules.map((file) => `${basename(file)}\n`).join('')
  const files: CpioMember[] = [
    { name: 'bin/busybox', mode: programMode, data: readFileSync(busybox) },
    ...applets.map((name) => ({ name: `bin/${name}`, mode: linkMode, data: Buffer.from('busybox') })),
    { name: 'init', mode: programMode, data: script },
    ...modules.map((file) => ({
      name: `modules/${basename(file)}`,
      mode: fileMode,
      data: readFileSync(file),
    })),
    { name: 'modules/order', mode: fileMode, data: Buffer.from(order) },
  ]
  const folders = new Set([...files.map(({ name }) => dirname(name)), 'dev', 'proc', 'sys', 'mnt', 'tmp'])
  folders.delete('.')
  return [...[...folders].map((name) => ({ name, mode: folderMode, data: Buffer.alloc(0) })), ...files]
}

/** The wanted modules, each after those that its `.modinfo` says it depends on. */
function orderModules(folder: string): string[] {
  const plain = (name: string): string => name.replaceAll('-', '_')
  const files = new Map(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ko'))
      .map((name) => [plain(basename(name, '.ko')), join(folder, name)]),
  )
  const ordered = new Set<string>()
  const add = (name: string): void => {
    const file = files.get(plain(name))
    if (file === undefined || ordered.has(file)) return
    const text = readFileSync(file, 'latin1')
    for (const needed of (/\0depends=([^\0]*)\0/.exec(text)?.[1] ?? '').split(',')) add(needed)
    ordered.add(file)
  }
  wanted.forEach(add)
  return [...ordered]
}
