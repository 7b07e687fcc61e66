import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { packageBehind, unpackPackage } from './apt-package.ts'
import { type CpioMember, encodeCpio, fileMode, folderMode, linkMode, programMode } from './cpio.ts'
import { labCache } from './lab.ts'

/**
 * The modules that Debian does not build into its cloud kernel. NFSv4 is there so that a test sees it
 * refused.
 */
const wanted = ['virtio_pci', 'virtio_net', 'virtio-rng', 'nfsv3', 'nfsv4']

const ownScript = readFileSync(join(import.meta.dirname, 'nfs-guest-init.sh'))

/** What QEMU boots as a guest, which is here any virtual machine: no configuration of treeboot names it. */
export interface DirectBoot {
  readonly kernel: string
  readonly initrd: string
}

export interface GuestShape {
  readonly name: string
  /** Its first and only program. */
  readonly script: Buffer
  /** The commands that busybox provides. */
  readonly applets: readonly string[]
  /** More modules of the kernel. */
  readonly modules?: readonly string[]
  /** More programs and files. */
  readonly more?: readonly CpioMember[]
}

/**
 * A guest that mounts an export and reads it. The kernel's command line names the export (`nfs.server`, `nfs.path`,
 * `nfs.options`) and the guest's own address (`nfs.address`).
 */
export function nfsGuest(busybox: string): DirectBoot {
  const applets =
    'cat cut find grep insmod ip ls mount poweroff readlink rm sh sha256sum sort umount wc xargs'.split(' ')
  return cloudKernelGuest(busybox, { name: 'nfs-guest', script: ownScript, applets })
}

/**
 * A guest whose kernel speaks NFS: Debian's installer has no NFS modules, so this is the cloud kernel (27 MB)
 * with the static busybox of this machine.
 */
export function cloudKernelGuest(busybox: string, shape: GuestShape): DirectBoot {
  const folder = unpackPackage(
    labCache,
    packageBehind('linux-image-cloud-amd64', /Depends: (linux-image-\S+)/),
  )
  const kernel = readdirSync(join(folder, 'boot')).find((name) => name.startsWith('vmlinuz-'))
  if (kernel === undefined) throw new Error(`${folder} holds no kernel`)
  const recipe = createHash('sha256')
    .update(readFileSync(import.meta.filename))
    .update(shape.script)
    .update(shape.applets.join())
    .update((shape.modules ?? []).join())
    .update(kernel)
  for (const { name, data } of shape.more ?? []) recipe.update(name).update(data)
  const initrd = join(labCache, `${shape.name}-${recipe.digest('hex').slice(0, 16)}.img`)
  if (!existsSync(initrd)) {
    const aside = `${initrd}.${process.pid}`
    writeFileSync(aside, gzipSync(encodeCpio(members(folder, busybox, shape)), { level: 1 }))
    renameSync(aside, initrd)
  }
  return { kernel: join(folder, 'boot', kernel), initrd }
}

function members(
  folder: string,
  busybox: string,
  { script, applets, modules: extra = [], more = [] }: GuestShape,
): CpioMember[] {
  const modules = orderModules(join(folder, 'lib/modules'), [...wanted, ...extra])
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
    ...more,
  ]
  const folders = new Set(['dev', 'proc', 'sys', 'mnt', 'tmp'])
  for (const { name } of files)
    for (let above = dirname(name); above !== '.'; above = dirname(above)) folders.add(above)
  const made = [...folders].sort().map((name) => ({ name, mode: folderMode, data: Buffer.alloc(0) }))
  return [...made, ...files]
}

/** The wanted modules of a folder, each after those that its `.modinfo` says it depends on. */
export function orderModules(folder: string, names: readonly string[]): string[] {
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
  names.forEach(add)
  return [...ordered]
}
