import { parseKernelArgs } from '../boot/kernel-args.ts'
import { isRepeatable } from '../boot/repeatable-args.ts'

/**
 * The keys of all arguments that installers get from treeboot: of `installers.ts`, `network-args.ts` and the `bootArgs`
 * of the records. tests/core/distro/argument-keys.test.ts compares this list with what they make.
 */
const ownKeys: ReadonlySet<string> = new Set([
  // anaconda, and its loader before Enterprise Linux 7
  ...['inst.repo', 'inst.stage2', 'inst.ks', 'method', 'ks', 'ksdevice'],
  ...['netmask', 'gateway', 'dns', 'ipv6', 'vlanid'],
  // dracut and klibc
  ...['ip', 'ip6', 'nameserver', 'ifname', 'vlan', 'bond', 'bootdev', 'BOOTIF'],
  // debian-installer
  ...['auto', 'priority', 'interface', 'hostname', 'domain', 'preseed/url'],
  ...['netcfg/disable_autoconfig', 'netcfg/get_ipaddress', 'netcfg/get_netmask', 'netcfg/get_gateway'],
  ...['netcfg/get_nameservers', 'netcfg/confirm_static'],
  // casper and Subiquity
  ...['url', 'cloud-config-url', 'boot', 'netboot', 'nfsroot', 'autoinstall', 'ds'],
  ...['live-media-path'],
  // live-boot and dracut's live systems
  ...['components', 'fetch', 'ethdevice', 'rd.live.image'],
  // linuxrc and Agama
  ...[
    'install',
    'autoyast',
    'ifcfg',
    'ipv6only',
    'hostip',
    'netdevice',
    'root',
    'inst.install_url',
    'inst.auto',
  ],
  // drakx, CoreOS
  ...['automatic', 'auto_install', 'coreos.live.rootfs_url'],
  ...['ignition.firstboot', 'ignition.platform.id', 'ignition.config.url'],
  // Alpine, Arch Linux
  ...['modloop', 'alpine_repo', 'apkovl', 'archisobasedir', 'archiso_http_srv', 'script'],
])

/** More keys of which their readers take the last value: debian-installer, casper, CoreOS, old anaconda, Linux. */
const otherOnceKeys = /^(locale|suite|iso-url|coreos\.inst\..+|autoyast2|repo|stage2|lang|keymap|init)$/

/**
 * Whether the reader of an argument is known, and takes one value of it: the last one. debconf keeps one value of each
 * question (`netcfg/get_hostname`). With `inst.ks.all` and `inst.stage2.all` anaconda tries all places; see `mergeArgs`.
 */
export function isReadOnce(key: string): boolean {
  const isKnown = ownKeys.has(key) || /^inst\.|\//.test(key) || otherOnceKeys.test(key)
  return isKnown && !isRepeatable(key)
}

/** Whether a removal such as `-ip` or `-ip=dhcp` may be meant for an argument of treeboot's own. */
export function mayBeOurs(removal: string): boolean {
  const [pattern] = parseKernelArgs(removal.replace(/^-/, ''))
  return pattern !== undefined && ownKeys.has(pattern.key)
}
