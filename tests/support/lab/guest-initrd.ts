import { createHash } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { Installer } from '../../../server/cli/demo/installer.ts'
import {
  type CpioMember,
  charDeviceMode,
  decodeCpio,
  encodeCpio,
  fileMode,
  folderMode,
  linkMode,
  programMode,
} from './cpio.ts'

/**
 * Modules for the network cards of QEMU, libvirt and Xen, for their buses, and for random numbers. Each module
 * names its own dependencies.
 */
const wanted = [
  'virtio_pci',
  'virtio_mmio',
  'virtio_net',
  'e1000',
  'e1000e',
  '8139cp',
  'virtio-rng',
  'xen-netfront',
]

const applets = 'sh cat cut echo grep head insmod ip mount poweroff sed sha256sum sleep udhcpc wget'.split(
  ' ',
)

/** What the guest does: it installs as little as possible, or it shows what a real installer shows. */
export type GuestScript = 'guest-init.sh' | 'installing-guest-init.sh'

const udhcpcScript = `#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/$mask" dev "$interface"
for gateway in $router; do ip route add default via "$gateway"; done
echo "$ip" >/run/address
`

/** Enough of curl for a %post: the last `http://` word is the URL, and with data or `-X POST` it is a POST. */
const curlScript = `#!/bin/sh
data=; post=
for word; do
  case $before in -d|--data|--data-raw|--data-urlencode|-F) data=$word; post=1 ;; -X|--request) [ "$word" = POST ] && post=1 ;; esac
  case $word in http://*) url=$word ;; esac
  before=$word
done
if [ "$post" ]; then wget -q -O - --post-data "$data" "$url"; else wget -q -O - "$url"; fi
`

/**
 * A small initrd for the installer's kernel, made from the installer's own busybox and modules, so that it
 * fits the kernel and its architecture. Built once, and kept in `cache` under the digest of its inputs.
 */
export function makeGuestInitrd(
  installer: Installer,
  cache: string,
  name: GuestScript = 'guest-init.sh',
): string {
  const script = readFileSync(join(import.meta.dirname, name))
  const recipe = createHash('sha256')
    .update(readFileSync(import.meta.filename))
    .update(script)
    .update(installer.id)
    .digest('hex')
  const file = join(cache, `guest-${installer.arch}-${recipe.slice(0, 16)}.img`)
  if (existsSync(file)) return file
  const members = decodeCpio(gunzipSync(readFileSync(installer.initrd)))
  const aside = `${file}.${process.pid}`
  writeFileSync(aside, gzipSync(encodeCpio(guestMembers(members, script)), { level: 9 }))
  renameSync(aside, file)
  return file
}

function guestMembers(installer: readonly CpioMember[], script: Buffer): CpioMember[] {
  const modules = orderModules(installer)
  const libraries = installer.filter(({ name }) =>
    /^lib(64)?\/([^/]+-linux-gnu\/)?(ld-linux-[^/]+|libc\.so\.6|libresolv\.so\.2)$/.test(name),
  )
  const busybox = installer.find(({ name }) => name === 'bin/busybox')
  if (busybox === undefined) throw new Error('the installer has no bin/busybox')
  const program = (name: string, data: string | Buffer): CpioMember => ({
    name,
    mode: programMode,
    data: Buffer.from(data),
  })
  const files = [
    ...libraries,
    busybox,
    ...applets.map((name) => ({ name: `bin/${name}`, mode: linkMode, data: Buffer.from('busybox') })),
    program('init', script),
    program('udhcpc-script', udhcpcScript),
    program('bin/curl', curlScript),
    ...modules.map(({ name, data }) => ({ name: `modules/${basename(name)}`, mode: fileMode, data })),
    {
      name: 'modules/order',
      mode: fileMode,
      data: Buffer.from(modules.map(({ name }) => `${basename(name, '.ko')}\n`).join('')),
    },
  ]
  const device = {
    name: 'dev/console',
    mode: charDeviceMode,
    data: Buffer.alloc(0),
    device: { major: 5, minor: 1 },
  }
  // foldersOf makes the folders above names: `x` stands for what will be in these.
  const empty = ['dev/x', 'proc/x', 'sys/x', 'run/x', 'tmp/x']
  return [...foldersOf([...files.map(({ name }) => name), ...empty]), device, ...files]
}

/** The wanted modules, each after those that it depends on. */
function orderModules(installer: readonly CpioMember[]): CpioMember[] {
  const byName = new Map(
    installer
      .filter(({ name }) => name.endsWith('.ko'))
      .map((member) => [moduleName(basename(member.name, '.ko')), member]),
  )
  const ordered = new Set<CpioMember>()
  const add = (name: string) => {
    const module = byName.get(moduleName(name))
    if (module === undefined || ordered.has(module)) return
    for (const needed of dependenciesOf(module.data)) add(needed)
    ordered.add(module)
  }
  wanted.forEach(add)
  return [...ordered]
}

/** The `depends=` string of a module's `.modinfo` section. */
function dependenciesOf(module: Buffer): string[] {
  const key = '\0depends='
  const at = module.indexOf(key)
  if (at < 0) return []
  const start = at + key.length
  const text = module.toString('latin1', start, module.indexOf(0, start))
  return text.split(',').filter((name) => name !== '')
}

/** Module names treat dash and underscore alike. */
function moduleName(name: string): string {
  return name.replaceAll('-', '_')
}

/** Every folder above these names, outermost first. */
export function foldersOf(names: readonly string[]): CpioMember[] {
  const folders = new Set<string>()
  for (const name of names) {
    const parts = name.split('/').slice(0, -1)
    parts.forEach((_, index) => {
      folders.add(parts.slice(0, index + 1).join('/'))
    })
  }
  return [...folders].map((name) => ({ name, mode: folderMode, data: Buffer.alloc(0) }))
}
