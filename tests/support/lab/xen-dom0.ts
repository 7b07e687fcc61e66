import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { findClient } from '../clients.ts'
import { packageBehind, unpackPackage } from './apt-package.ts'
import { type CpioMember, encodeCpio, fileMode, linkMode, programMode } from './cpio.ts'
import { foldersOf } from './guest-initrd.ts'
import { labCache } from './lab.ts'
import { orderModules } from './nfs-guest.ts'
import { librariesOf } from './stage2-guest.ts'

/**
 * Programs of this machine for dom0: for Xen's hotplug scripts, and for the commands in the head of an
 * xl.cfg.
 */
const programs: Readonly<Record<string, string>> = {
  'bin/bash': 'bash',
  'bin/curl': 'curl',
  'bin/qemu-img': 'qemu-img',
}

/**
 * The files of an HVM guest's device model. Debian's QEMU for Xen shares them with the QEMU of this machine.
 */
const firmware = [
  '/usr/share/seabios/bios-256k.bin',
  '/usr/share/seabios/vgabios-cirrus.bin',
  '/usr/share/qemu/linuxboot.bin',
  '/usr/share/qemu/keymaps/en-us',
  '/usr/lib/ipxe/qemu/efi-rtl8139.rom',
]

/** The programs and files of this machine that dom0 needs, as `requireClient` takes them. */
export const dom0Needs = ['qemu-system-x86_64', 'busybox', ...Object.values(programs), ...firmware] as const

/** The network card of the machine, the bridge and taps of its guests, and the devices of Xen's tools. */
const modules =
  'virtio_pci virtio_net bridge tun xen-netback xenfs xen-privcmd xen-evtchn xen-gntdev xen-gntalloc'.split(
    ' ',
  )

const tools = ['xl', 'xenstored', 'xenconsoled', 'xenconsole', 'xen-init-dom0']

/**
 * Libraries of Xen's tools whose packages have the version of their interface in the name (`libxencall1`), and not
 * that of Xen (`libxenmisc4.17`).
 */
const libraries = ['toolcore', 'toollog', 'call', 'devicemodel', 'evtchn', 'foreignmemory', 'gnttab', 'hypfs']

export interface Dom0Images {
  /** Xen itself, not compressed, as QEMU's multiboot loader requires. */
  readonly hypervisor: string
  readonly kernel: string
  readonly initrd: string
}

/**
 * Debian's Xen with the smallest dom0 that runs `xl`, HVM guests included. Its packages are only unpacked,
 * because installed ones add themselves to the boot menu of this machine. The initrd is not compressed,
 * because decompression is very slow under emulation.
 */
export function makeDom0(folder: string): Dom0Images {
  const unpack = (name: string): string => unpackPackage(labCache, name)
  const system = (pattern: RegExp): string => packageBehind('xen-system-amd64', pattern)
  const utils = system(/Depends: (xen-utils-[\d.]+)/)
  const misc = packageBehind(utils, /Depends: (libxenmisc\S+)/)
  const linux = unpack(packageBehind('linux-image-amd64', /Depends: (linux-image-\S+)/))
  const hypervisor = unpack(system(/Depends: (xen-hypervisor-[\d.]+-\S+)/))
  const parts: Parts = {
    linux,
    utils: unpack(utils),
    common: unpack('xen-utils-common'),
    store: unpack('xenstore-utils'),
    qemu: unpack('qemu-system-xen'),
    libraries: [misc, 'libxenstore4', ...libraries.map((name) => `libxen${name}1`)].map(unpack),
  }
  const images = {
    hypervisor: join(folder, 'xen'),
    kernel: onlyEntry(join(linux, 'boot'), /^vmlinuz-/),
    initrd: join(folder, 'dom0.img'),
  }
  writeFileSync(images.hypervisor, gunzipSync(readFileSync(onlyEntry(join(hypervisor, 'boot'), /\.gz$/))))
  writeFileSync(images.initrd, encodeCpio(dom0Members(parts)))
  return images
}

/** The folder of each unpacked package. */
interface Parts {
  readonly linux: string
  readonly utils: string
  readonly common: string
  readonly store: string
  readonly qemu: string
  readonly libraries: readonly string[]
}

function dom0Members(parts: Parts): CpioMember[] {
  const files = new Map<string, CpioMember>()
  const put = (name: string, mode: number, data: Buffer | string): void =>
    void files.set(name, { name, mode, data: Buffer.from(data) })
  const putProgram = (name: string, file: string): void => {
    put(name, programMode, readFileSync(file))
    for (const [at, library] of librariesOf(file, parts.libraries))
      put(at, programMode, readFileSync(library))
  }
  put('bin/busybox', programMode, readFileSync(client('busybox')))
  put('bin/sh', linkMode, 'busybox')
  put('init', programMode, readFileSync(join(import.meta.dirname, 'xen-dom0-init.sh')))
  for (const [name, program] of Object.entries(programs)) putProgram(name, client(program))
  for (const file of firmware) put(file.slice(1), fileMode, readFileSync(file))

  const xen = basename(onlyEntry(join(parts.utils, 'usr/lib'), /^xen-[\d.]+$/))
  const ofXen = (name: string): string => join(parts.utils, 'usr/lib', xen, name)
  for (const name of tools) putProgram(`usr/lib/${xen}/bin/${name}`, ofXen(`bin/${name}`))
  put(`usr/lib/${xen}/boot/hvmloader`, fileMode, readFileSync(ofXen('boot/hvmloader')))
  put('usr/sbin/xl', programMode, readFileSync(join(parts.common, 'usr/sbin/xl')))
  for (const verb of ['read', 'write', 'ls'])
    putProgram(`usr/bin/xenstore-${verb}`, join(parts.store, `usr/bin/xenstore-${verb}`))
  put('etc/xen/xl.conf', fileMode, readFileSync(join(parts.common, 'etc/xen/xl.conf')))
  const scripts = join(parts.common, 'etc/xen/scripts')
  for (const name of readdirSync(scripts))
    put(`etc/xen/scripts/${name}`, programMode, readFileSync(join(scripts, name)))
  const deviceModel = 'usr/libexec/xen-qemu-system-i386'
  putProgram(deviceModel, join(parts.qemu, deviceModel))

  const order = orderModules(join(parts.linux, 'lib/modules'), modules)
  for (const file of order) put(`modules/${basename(file)}`, fileMode, readFileSync(file))
  put('modules/order', fileMode, order.map((file) => `${basename(file)}\n`).join(''))
  // foldersOf makes the folders above names: `x` stands for what will be in these.
  const empty = ['dev', 'proc', 'sys', 'tmp', 'root', 'run/xen', 'var/log/xen', 'var/lib/xen'].map(
    (name) => `${name}/x`,
  )
  return [...foldersOf([...files.keys(), ...empty]), ...files.values()]
}

function client(name: string): string {
  const file = findClient(name)
  if (file === undefined) throw new Error(`${name} is not on this machine`)
  return file
}

/** The one entry of a folder whose name has a version in it. */
function onlyEntry(folder: string, pattern: RegExp): string {
  const [name, ...others] = readdirSync(folder).filter((entry) => pattern.test(entry))
  if (name === undefined || others.length > 0) throw new Error(`expected one ${pattern} in ${folder}`)
  return join(folder, name)
}
