import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { unpackPackage } from './apt-package.ts'
import { type CpioMember, linkMode, programMode } from './cpio.ts'
import { labCache } from './lab.ts'
import { cloudKernelGuest, type DirectBoot } from './nfs-guest.ts'
import { librariesOf } from './stage2-guest.ts'

const script = readFileSync(join(import.meta.dirname, 'dracut-guest-init.sh'))
const applets =
  'arping awk cat cut expr grep insmod ip ls mkdir modprobe mount poweroff readlink rm sed sha256sum sleep tr true uname wget'.split(
    ' ',
  )
/** Where dracut puts the files of its network module (module-setup.sh of 40network and 35network-legacy). */
const places: Readonly<Record<string, string>> = {
  'lib/net-lib.sh': '40network/net-lib.sh',
  'sbin/ifup': '35network-legacy/ifup.sh',
  'hooks/parse-vlan.sh': '35network-legacy/parse-vlan.sh',
  'hooks/parse-bond.sh': '35network-legacy/parse-bond.sh',
  'hooks/parse-ip-opts.sh': '35network-legacy/parse-ip-opts.sh',
  'hooks/parse-ifname.sh': '35network-legacy/parse-ifname.sh',
}

/**
 * A guest whose network is set up by dracut's own scripts, from packages that are only unpacked. Its shell is dash: to
 * that of busybox, `ifup` would be its own program.
 */
export function dracutGuest(busybox: string, dash: string): DirectBoot {
  const [network = '', core = ''] = ['dracut-network', 'dracut-core'].map((name) =>
    unpackPackage(labCache, name),
  )
  const modules = 'usr/lib/dracut/modules.d'
  const util = join(core, 'usr/lib/dracut/dracut-util')
  const program = (name: string, file: string): CpioMember => ({
    name,
    mode: programMode,
    data: readFileSync(file),
  })
  return cloudKernelGuest(busybox, {
    name: 'dracut-guest',
    script,
    applets,
    modules: ['8021q', 'bonding'],
    more: [
      ...['dracut-lib.sh', 'dracut-dev-lib.sh'].map((name) =>
        program(`lib/${name}`, join(core, modules, '99base', name)),
      ),
      // It would mount the root file system of a running system.
      { name: 'sbin/netroot', mode: linkMode, data: Buffer.from('/bin/true') },
      ...Object.entries(places).map(([name, file]) => program(name, join(network, modules, file))),
      program('bin/sh', dash),
      program('bin/dracut-util', util),
      ...['dracut-getarg', 'dracut-getargs'].map((name) => ({
        name: `bin/${name}`,
        mode: linkMode,
        data: Buffer.from('dracut-util'),
      })),
      ...[...new Map([util, dash].flatMap((each) => librariesOf(each, [])))].map(([name, file]) =>
        program(name, file),
      ),
    ],
  })
}
