import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { unpackPackage } from './apt-package.ts'
import { type CpioMember, fileMode, programMode } from './cpio.ts'
import { labCache } from './lab.ts'
import { cloudKernelGuest, type DirectBoot } from './nfs-guest.ts'

const script = readFileSync(join(import.meta.dirname, 'stage2-guest-init.sh'))

/** The files that libtirpc and the C library read; dracut's nfs module adds the same. */
const tables: Readonly<Record<string, string>> = {
  'etc/netconfig': 'udp tpi_clts v inet udp - -\ntcp tpi_cots_ord v inet tcp - -\n',
  'etc/protocols': 'tcp 6 TCP\nudp 17 UDP\n',
  'etc/rpc': 'portmapper 100000\nnfs 100003\nmountd 100005\n',
  'etc/services': 'sunrpc 111/tcp\nnfs 2049/tcp\n',
  'etc/nsswitch.conf': 'hosts: files\nprotocols: files\nrpc: files\nservices: files\n',
}

/**
 * A guest that loads its second stage as anaconda's initrd does, with the programs that dracut puts there:
 * curl of this machine, and mount.nfs from a package that is only unpacked, because its installation would
 * add rpcbind.
 */
export function stage2Guest(busybox: string, curl: string): DirectBoot {
  const [mount, libraries] = ['nfs-common', 'libtirpc3'].map((name) => unpackPackage(labCache, name))
  const applets = 'cat cp cut grep head insmod ip mount poweroff sed sh sha256sum umount'.split(' ')
  const more = new Map<string, CpioMember>()
  const put = (name: string, mode: number, data: Buffer): void => void more.set(name, { name, mode, data })
  for (const [name, program] of [
    ['bin/curl', curl],
    ['bin/mount.nfs', join(mount ?? '', 'sbin/mount.nfs')],
  ] as const) {
    put(name, programMode, readFileSync(program))
    for (const [at, file] of librariesOf(program, [libraries ?? ''])) put(at, programMode, readFileSync(file))
  }
  for (const [name, text] of Object.entries(tables)) put(name, fileMode, Buffer.from(text))
  return cloudKernelGuest(busybox, { name: 'stage2-guest', script, applets, more: [...more.values()] })
}

/**
 * For each library of a program: its path in the guest, without a leading slash, and its present path, in one
 * of these unpacked packages or on this machine. Throws with the name of a library that is in neither.
 */
export function librariesOf(program: string, unpacked: readonly string[]): (readonly [string, string])[] {
  const folders = unpacked.flatMap((folder) =>
    ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu'].map((name) => join(folder, name)),
  )
  const said = execFileSync('ldd', [program], {
    encoding: 'utf8',
    env: { ...process.env, LD_LIBRARY_PATH: folders.filter(existsSync).join(':') },
  })
  const missing = [...said.matchAll(/^\s*(\S+) => not found/gm)].map(([, name]) => name)
  if (missing.length > 0) throw new Error(`${program} needs ${missing.join(', ')}: not on this machine`)
  return [...said.matchAll(/^\s*(?:\S+ => )?(\/\S+)/gm)].map(([, file = '']) => {
    const origin = unpacked.find((folder) => file.startsWith(`${folder}/`)) ?? ''
    return [file.slice(origin.length).replace(/^\/+/, ''), file]
  })
}
