import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The result of a dry run of virt-install on a tree. */
export interface DryRun {
  readonly xml: string
  /**
   * Everything it fetched below the location, in order: descriptors first, then the kernel and initrd it
   * chose.
   */
  readonly fetched: readonly string[]
}

/** Capabilities with both kinds of Xen guest, for the test connection of virtinst. */
const xenCapabilities = `<capabilities>
  <host><cpu><arch>x86_64</arch></cpu></host>
  <guest>
    <os_type>hvm</os_type>
    <arch name='x86_64'>
      <wordsize>64</wordsize>
      <emulator>/usr/lib/xen/bin/qemu-system-i386</emulator>
      <machine>xenfv</machine>
      <domain type='xen'/>
    </arch>
  </guest>
  <guest>
    <os_type>xen</os_type>
    <arch name='x86_64'>
      <wordsize>64</wordsize>
      <machine>xenpv</machine>
      <domain type='xen'/>
    </arch>
  </guest>
</capabilities>
`

/** `virt-install --location URL --print-xml` against libvirt's test driver: real requests, no guest. */
export function dryRun(folder: string, location: string, kind: 'hvm' | 'xen-hvm' | 'xen-pv'): DryRun {
  const capabilities = join(folder, 'xen-capabilities.xml')
  writeFileSync(capabilities, xenCapabilities)
  const xen = `__virtinst_test__test:///default,predictable,fakeuri=xen:///system,caps=${capabilities}`
  const result = spawnSync(
    'virt-install',
    [
      ...['--debug', '--connect', kind === 'hvm' ? 'test:///default' : xen],
      ...(kind === 'xen-pv' ? ['--paravirt'] : ['--hvm']),
      ...guestShape,
      // Only the domain of the first step: the one that boots the installer.
      ...['--network', 'none', '--location', location, '--print-xml', '1'],
    ],
    { encoding: 'utf8', env: { ...process.env, ...homeIn(folder) }, timeout: 60_000 },
  )
  if (result.status !== 0) throw new Error(`virt-install ended with ${result.status}:\n${result.stderr}`)
  const base = location.replace(/\/$/, '')
  const fetched = [...result.stderr.matchAll(/Fetching URI: (\S+)/g)].flatMap(([, url = '']) =>
    url.startsWith(base) ? [url.slice(base.length).replace(/^\/+/, '')] : [],
  )
  return { xml: result.stdout, fetched }
}

/**
 * A guest that runs the small system of `guestImages` and needs no disk. The release may be newer than this
 * machine's osinfo-db, so virt-install need not recognise it.
 */
export const guestShape: readonly string[] = [
  ...['--name', 'guest', '--memory', '512', '--disk', 'none', '--graphics', 'none'],
  ...['--osinfo', 'detect=on,require=off'],
]

/** virt-install keeps a log and a cache in its home, which is the folder of the test here. */
export function homeIn(folder: string): Record<string, string> {
  return { HOME: folder, XDG_CACHE_HOME: join(folder, 'cache') }
}

/** Capabilities of a host with KVM. */
const kvmCapabilities = `<capabilities>
  <host><cpu><arch>x86_64</arch></cpu></host>
  <guest>
    <os_type>hvm</os_type>
    <arch name='x86_64'>
      <wordsize>64</wordsize>
      <emulator>/usr/bin/qemu-system-x86_64</emulator>
      <machine canonical='pc-q35-7.2'>q35</machine>
      <domain type='qemu'/>
      <domain type='kvm'/>
    </arch>
  </guest>
</capabilities>
`

/** The domain that a whole `virt-install` command makes on a host with KVM, by libvirt's test driver. */
export function domainOf(folder: string, command: string): string {
  const capabilities = join(folder, 'kvm-capabilities.xml')
  writeFileSync(capabilities, kvmCapabilities)
  const host = `__virtinst_test__test:///default,predictable,fakeuri=qemu:///system,caps=${capabilities}`
  // A small disk: the pool of the test driver has 8 GiB.
  const small = command.trimEnd().replace(/--disk size=\d+/, '--disk size=1')
  const result = spawnSync('sh', ['-c', `${small} --connect '${host}' --print-xml 1`], {
    encoding: 'utf8',
    env: { ...process.env, ...homeIn(folder) },
    timeout: 60_000,
  })
  if (result.status !== 0) throw new Error(`virt-install ended with ${result.status}:\n${result.stderr}`)
  return result.stdout
}
