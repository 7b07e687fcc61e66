import { nfsSource, nfsUrl, sourceBase, treeFileUrlPath, treeUrlPath } from '../boot/install-source.ts'
import type { KernelArg, ServerUrls } from '../boot/plan.ts'
import { urlOfPath } from '../boot/urls.ts'
import type { Guest } from '../guest/guest.ts'
import { hostnameOf } from '../guest/hostname.ts'
import { networkOf } from '../guest/resolve-network.ts'
import type { InstallSource } from '../services.ts'
import type { PlatformImages, Tree } from '../tree/tree.ts'
import { compareVersions } from '../tree/version.ts'
import { byDhcp, dracutAddress, linuxrcAddress } from './address-args.ts'
import { installerOf, isOldAnaconda } from './distro.ts'
import { drakx, whyNoDrakx } from './drakx-installer.ts'
import { recordOf } from './families.ts'
import { type InstallerContext, type InstallerNetwork, optionalArg } from './installer-context.ts'
import { casper, dmsquashLive, liveBoot, subiquity, whyNoCasper, whyNoLiveBoot } from './live-installers.ts'
import { coreosRootfs } from './needed-files.ts'
import { installable, knowsIpv6, type NetworkStyle, networkArgs, whyNoNetwork } from './network-args.ts'
import type { InstallerName } from './record.ts'
import { whyNoFile, whyNoRecorded, whyNoRepository } from './why-doomed.ts'

interface Installer {
  /** Its kernel arguments: they say where its packages and its answer file are. */
  readonly args: (context: InstallerContext) => KernelArg[]
  readonly network: NetworkStyle | ((tree: Tree) => NetworkStyle)
  /** The services by which it can read its answer file. Every installer can use HTTP. */
  readonly answerFileBy: (tree: Tree) => readonly InstallSource[]
  /** Why it cannot start from this tree by the services that are open. */
  readonly whyNot?: (context: InstallerContext) => string | undefined
  /** It loads the second stage of the tree into memory, though no argument of it names that file. */
  readonly loadsStage2?: (context: InstallerContext) => boolean
  /** It appends file names to the URL of the answer file, so that URL ends with `/`. */
  readonly answerFileInFolder?: true
}

const httpOnly = () => ['http'] as const
const httpOrFtp = () => ['http', 'ftp'] as const

/** The installers that records of distributions name. */
const installers: Readonly<Record<InstallerName, Installer>> = {
  anaconda: {
    args: (context) => (isOldAnaconda(context.tree) ? oldAnaconda(context) : anaconda(context)),
    loadsStage2: () => true,
    // Only dracut surely accepts NFS mount options before the host. Old anaconda starts a first stage of its
    // own instead, which gets its answer file by HTTP or FTP.
    answerFileBy: (tree) => (isOldAnaconda(tree) ? httpOrFtp() : ['http', 'ftp', 'nfs']),
    whyNot: whyNoFile(['inst.stage2', 'inst.repo', 'stage2', 'repo', 'root', 'inst.liveimg']),
    network: (tree) => (isOldAnaconda(tree) ? 'loader' : 'dracut'),
  },
  'debian-installer': { args: debianInstaller, network: 'netcfg', answerFileBy: httpOrFtp },
  // cloud-init appends `user-data` and `meta-data`.
  subiquity: {
    args: subiquity,
    network: 'casper',
    whyNot: whyNoCasper,
    answerFileBy: httpOnly,
    answerFileInFolder: true,
  },
  autoyast: {
    args: autoyast,
    network: (tree) => (isOldLinuxrc(tree) ? 'hostip' : 'linuxrc'),
    whyNot: whyNoRepository({
      keys: ['install'],
      example: 'install=http://MIRROR/distribution/leap/VERSION/repo/oss/',
    }),
    answerFileBy: httpOrFtp,
  },
  agama: { args: agama, network: 'dracut', whyNot: whyNoFile(['root']), answerFileBy: httpOnly },
  drakx: { args: drakx, network: 'drakx', whyNot: whyNoDrakx, answerFileBy: httpOnly },
  coreos: {
    args: coreos,
    network: 'dracut-all',
    whyNot: whyNoFile(['coreos.live.rootfs_url']),
    answerFileBy: httpOnly,
  },
  casper: { args: casper, network: 'casper', whyNot: whyNoCasper, answerFileBy: httpOnly },
  'live-boot': { args: liveBoot, network: 'live-boot', whyNot: whyNoLiveBoot, answerFileBy: httpOnly },
  'dmsquash-live': {
    args: dmsquashLive,
    network: 'dracut-all',
    loadsStage2: () => true,
    whyNot: whyNoFile(['root']),
    answerFileBy: httpOnly,
  },
  // A system that treeboot knows no arguments of, or those that its record has.
  unknown: {
    args: recordedArgs,
    network: ({ distro }) => (distro === 'arch' ? 'archiso' : 'klibc'),
    // By other arguments, which the operator gives, it may as well be mounted.
    loadsStage2: (context) => recordedArgs(context).length > 0,
    whyNot: (context) => whyNoRecorded(context, recordedArgs(context)),
    answerFileBy: httpOnly,
  },
}

function installerFor(tree: Tree, images: PlatformImages): Installer {
  return installers[installerOf(tree.distro, tree.version, images.kernel)]
}

/**
 * The URL of a guest's answer file: at the service that the guest installs from, if its installer can read
 * the file there, else at HTTP. For NFS it has the form of `nfsSource`.
 */
export function answerFileUrl({
  guest,
  tree,
  images,
  source,
  urls,
}: Omit<InstallerContext, 'answerFile' | 'guest'> & { readonly guest: Guest }): string {
  const { answerFileBy, answerFileInFolder } = installerFor(tree, images)
  const place = answerFileInFolder ? `/ks/${guest.name}/` : `/ks/${guest.name}`
  const service = answerFileBy(tree).includes(source) ? source : 'http'
  const mounted = service === 'nfs' ? nfsSource(urls, place) : undefined
  return mounted ?? urlOfPath(sourceBase(service, urls) ?? urls.http, place)
}

export function loadsStage2(context: InstallerContext): boolean {
  return installerFor(context.tree, context.images).loadsStage2?.(context) ?? false
}

/**
 * The arguments by which the installer of a tree finds its packages and its answer file. For an unknown
 * installer they are the `bootArgs` of the distribution's record.
 */
export function installerArgs(context: InstallerContext): KernelArg[] {
  return installerFor(context.tree, context.images).args(context)
}

/**
 * Why the installer of a tree could only fail: it would fetch something from a service that is closed.
 *
 * @param args Those of `installerArgs` that no argument of the operator has replaced.
 */
export function whyNoHttpFor(
  { whyNoHttp, http }: ServerUrls,
  args: readonly KernelArg[],
): string | undefined {
  const fetched = whyNoHttp === undefined ? undefined : args.find(({ value }) => value?.includes(http))
  return (
    fetched &&
    `its installer would fetch ${fetched.value} (${fetched.key}), and ${whyNoHttp}: set http.enabled to true`
  )
}

/** Why the installer of a tree could only fail with our arguments alone: nothing gives it its live system. */
export function whyNotInstaller(context: InstallerContext): string | undefined {
  return installerFor(context.tree, context.images).whyNot?.(context)
}

/**
 * The network of a guest, as the installer of a tree is told of it, or why it cannot be. Undefined when the guest has
 * none, or when nothing is known of the installer's command line.
 */
export function networkFor({
  guest,
  tree,
  images,
  urls,
}: Pick<InstallerContext, 'tree' | 'images' | 'urls'> & { readonly guest: Guest }):
  | InstallerNetwork
  | { readonly why: string }
  | undefined {
  const network = networkOf(guest)
  const name = installerOf(tree.distro, tree.version, images.kernel)
  if (!network || (name === 'unknown' && !recordOf(tree.distro).bootArgs)) return undefined
  const style = styleOf(installers[name], tree)
  const [label = ''] = hostnameOf(guest).split('.')
  const { byIpv6 = false } = urls
  const context = installable(style, { network, host: isLabel(label) ? label : '', byIpv6 })
  const why = whyNoNetwork(style, context)
  return why === undefined ? { ...context, args: networkArgs(style, context) } : { why }
}

function styleOf({ network }: Installer, tree: Tree): NetworkStyle {
  return typeof network === 'string' ? network : network(tree)
}

/**
 * Why a machine that reaches us by IPv6 may end in the initrd of the tree: that asks for an IPv4 address alone. Beside IPv4
 * it may work, because the kernel takes an IPv6 address from the router advertisement.
 */
export function whyIpv4Needed({
  tree,
  images,
  urls,
}: Pick<InstallerContext, 'tree' | 'images' | 'urls'>): string | undefined {
  const name = installerOf(tree.distro, tree.version, images.kernel)
  if (!urls.byIpv6 || (name === 'unknown' && !recordOf(tree.distro).bootArgs)) return undefined
  if (knowsIpv6(styleOf(installers[name], tree))) return undefined
  return (
    `the initrd of ${tree.id} asks for an IPv4 address alone, and the machine reaches treeboot by IPv6 (${urls.http}): ` +
    'on a network without IPv4 it ends there'
  )
}

/** linuxrc before the `ifcfg=` of SUSE Linux Enterprise 12. openSUSE counts 12.3, 13.1, 42.1, 15.0. */
function isOldLinuxrc({ version }: Tree): boolean {
  return /^\d/.test(version) && compareVersions(version, '12') < 0
}

function anaconda({ tree, source, urls, answerFile, network }: InstallerContext): KernelArg[] {
  const location = treeLocation({ tree, source, urls })
  // Only a tree whose packages are not here has an upstream.
  if (tree.upstream !== undefined && tree.stage2 !== undefined) {
    const stage2AndPackages: KernelArg[] = [
      { key: 'inst.stage2', value: location },
      { key: 'inst.repo', value: tree.upstream },
    ]
    return [
      ...stage2AndPackages,
      ...(network?.args ?? [dracutAddress(urls)]),
      ...optionalArg('inst.ks', answerFile),
    ]
  }
  // A tree without a repository (a boot.iso, a netinst image) has the second stage and no packages, so
  // inst.repo would be wrong.
  const key = tree.repositories.length > 0 || tree.stage2 === undefined ? 'inst.repo' : 'inst.stage2'
  return [
    { key, value: location },
    ...(network?.args ?? [dracutAddress(urls)]),
    ...optionalArg('inst.ks', answerFile),
  ]
}

function oldAnaconda({ tree, source, urls, answerFile, guest, network }: InstallerContext): KernelArg[] {
  // With several cards the old first stage asks which one to use; a MAC or `link` answers that (anaconda 11
  // to 13, command-line.txt).
  const card = guest?.macs.length === 1 ? guest.macs[0] : 'link'
  return [
    { key: 'method', value: treeLocation({ tree, source, urls }) },
    ...(network?.args ?? [...byDhcp, ...optionalArg('ksdevice', card)]),
    ...optionalArg('ks', answerFile),
  ]
}

/**
 * The tree at the service that the guest installs from. `planTree` has refused a closed service before: the
 * fallback to HTTP is only for the types, here and below.
 */
function treeLocation({ tree, source, urls }: Pick<InstallerContext, 'tree' | 'source' | 'urls'>): string {
  const place = treeUrlPath(tree)
  const nfs = source === 'nfs' ? nfsSource(urls, place) : undefined
  return nfs ?? urlOfPath(sourceBase(source, urls) ?? urls.http, place)
}

/**
 * `auto` puts the questions for language and keyboard off until the preseed file is loaded (installation
 * guide, B.2.3). The network is set up earlier, so a preseed file cannot set the host name. Without
 * `hostname` the installer takes DHCP's name or "debian". Without `domain` it would ask for one; with
 * priority=critical it takes none.
 */
function debianInstaller({ answerFile, guest, network }: InstallerContext): KernelArg[] {
  if (answerFile === undefined) return [...(network?.args ?? [])]
  const [host = '', ...named] = hostnameOf(guest).split('.')
  const domain = named.length > 0 ? named : (network?.network.search[0]?.split('.') ?? [])
  return [
    { key: 'auto', value: 'true' },
    { key: 'priority', value: 'critical' },
    ...(network?.args ?? [{ key: 'interface', value: 'auto' }]),
    ...(isLabel(host) ? [{ key: 'hostname', value: host }] : []),
    ...(domain.length > 0 && domain.every(isLabel) ? [{ key: 'domain', value: domain.join('.') }] : []),
    { key: 'preseed/url', value: answerFile },
  ]
}

/** RFC 1123, 2.1. */
function isLabel(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(text)
}

/** For NFS, linuxrc reads a URL, where anaconda has a form of its own (`treeLocation`). */
function autoyast({ tree, source, urls, answerFile, network }: InstallerContext): KernelArg[] {
  const place = treeUrlPath(tree)
  const nfs = source === 'nfs' ? nfsUrl(urls, place) : undefined
  const location = nfs ?? urlOfPath(sourceBase(source, urls) ?? urls.http, place)
  return [
    { key: 'install', value: location },
    ...(network?.args ?? linuxrcAddress(urls)),
    ...optionalArg('autoyast', answerFile),
  ]
}

/**
 * Agama's live system comes by dracut's livenet. Packages come from the tree only when it has a repository.
 */
function agama({ tree, urls, answerFile, network }: InstallerContext): KernelArg[] {
  const live = urlOfPath(urls.http, treeFileUrlPath(tree, tree.stage2 ?? 'LiveOS/squashfs.img'))
  const repositories = tree.repositories
    // A repository beside the tree is left out, because `treeFileUrlPath` does not resolve `..`.
    .filter(({ path }) => !path.startsWith('..'))
    .map(({ path }) => urlOfPath(urls.http, path === '.' ? treeUrlPath(tree) : treeFileUrlPath(tree, path)))
  return [
    { key: 'root', value: `live:${live}` },
    ...(network?.args ?? [dracutAddress(urls)]),
    ...optionalArg('inst.install_url', repositories.length > 0 ? repositories.join(',') : undefined),
    ...optionalArg('inst.auto', answerFile),
  ]
}

/** The live system of CoreOS fetches its root file system by URL, and Ignition its answer file. */
function coreos({ tree, images, urls, answerFile, network }: InstallerContext): KernelArg[] {
  const rootfs = urlOfPath(urls.http, treeFileUrlPath(tree, coreosRootfs(tree, images)))
  const ignition: KernelArg[] =
    answerFile === undefined
      ? []
      : [
          { key: 'ignition.firstboot' },
          { key: 'ignition.platform.id', value: 'metal' },
          // Ignition 2.19 sends no header that identifies the machine: the guest's name in this URL does.
          { key: 'ignition.config.url', value: answerFile },
        ]
  return [
    { key: 'coreos.live.rootfs_url', value: rootfs },
    ...(network?.args ?? [dracutAddress(urls)]),
    ...ignition,
  ]
}

/** The arguments that the record of the distribution names. */
function recordedArgs({ tree, images, urls, answerFile, network }: InstallerContext): KernelArg[] {
  const args = recordOf(tree.distro).bootArgs?.({
    kernel: images.kernel ?? '',
    url: urlOfPath(urls.http, treeUrlPath(tree)),
    fileUrl: (path) => urlOfPath(urls.http, treeFileUrlPath(tree, path)),
    hasPackages: tree.hasPackages !== false,
    answerFile,
  })
  return (args ?? []).flatMap((arg) => (arg.key === 'ip' ? (network?.args ?? [arg]) : [arg]))
}
