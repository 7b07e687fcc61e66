import { imagePlace, isoUrl, nfsSource, nfsUrl, sourceBase, treePlace } from '../boot/install-source.ts'
import type { KernelArg, ServerUrls } from '../boot/plan.ts'
import { placeUrl } from '../boot/urls.ts'
import type { Guest } from '../guest/guest.ts'
import type { InstallSource } from '../services.ts'
import type { PlatformImages, Tree } from '../tree/tree.ts'
import { compareVersions } from '../tree/version.ts'
import { type Installer, installerOf } from './distro.ts'

export interface InstallerQuestion {
  readonly tree: Tree
  readonly images: PlatformImages
  readonly source: InstallSource
  readonly urls: ServerUrls
  /** URL of the answer file, when there is one; see `answersUrl`. */
  readonly answers?: string
  readonly guest?: Guest
}

export function treeInstaller(tree: Tree, images: PlatformImages): Installer {
  return installerOf(tree.distro, tree.version, images.kernel)
}

/**
 * Where a guest's answer file is: by the service that it installs from, where its installer can, else by HTTP. Of NFS
 * only dracut is sure to take mount options before the host, so older loaders stay with HTTP. cloud-init appends file
 * names to its URL, so there it ends with `/`.
 */
export function answersUrl(
  {
    guest,
    tree,
    source,
    urls,
  }: Pick<InstallerQuestion, 'tree' | 'source' | 'urls'> & { readonly guest: Guest },
  installer: Installer,
): string {
  const nfs = source === 'nfs' && installer === 'anaconda' && !isOldAnaconda(tree)
  const mounted = nfs ? nfsSource(urls, `/ks/${guest.name}`) : undefined
  if (mounted !== undefined) return mounted
  const ftp = installer === 'anaconda' || installer === 'debian-installer' || installer === 'autoyast'
  const base = (source === 'ftp' && ftp ? urls.ftp : undefined) ?? urls.http
  return placeUrl(base, installer === 'subiquity' ? `/ks/${guest.name}/` : `/ks/${guest.name}`)
}

/**
 * The arguments by which the installer of a tree finds its packages and its answers, in its own spelling. An
 * installer that we do not know gets none: the operator's arguments are all it sees.
 */
export function installerArgs(question: InstallerQuestion): KernelArg[] {
  switch (treeInstaller(question.tree, question.images)) {
    case 'anaconda':
      return isOldAnaconda(question.tree) ? oldAnaconda(question) : anaconda(question)
    case 'debian-installer':
      return debianInstaller(question)
    case 'subiquity':
      return subiquity(question)
    case 'autoyast':
      return autoyast(question)
    case 'agama':
      return agama(question)
    case 'drakx':
      return drakx(question)
    case 'coreos':
      return coreos(question)
    case 'unknown':
      return liveSystem(question)
  }
}

/** Until Fedora 18 and Enterprise Linux 6 the names had no `inst.`; anaconda 18 read both, 19 only the new ones. */
function isOldAnaconda(tree: Tree): boolean {
  if (tree.distro === 'redhat-linux') return true
  if (tree.version === '' || tree.distro === 'eln') return false
  return (
    compareVersions(tree.version, tree.distro === 'fedora' ? '19' : '7') < 0 && !newNumbering.has(tree.distro)
  )
}

/** Anaconda users whose low version numbers are not those of Enterprise Linux. */
const newNumbering: ReadonlySet<string> = new Set(['amazon', 'alinux', 'tencentos', 'clearos', 'kylin'])

function anaconda({ tree, source, urls, answers }: InstallerQuestion): KernelArg[] {
  const at = repo({ tree, source, urls })
  if (tree.upstream !== undefined && tree.stage2 !== undefined) {
    const own: KernelArg[] = [
      { key: 'inst.stage2', value: at },
      { key: 'inst.repo', value: tree.upstream },
    ]
    return [...own, { key: 'ip', value: 'dhcp' }, ...when('inst.ks', answers)]
  }
  // Without a repository (a boot.iso, a netinst image) inst.repo would be a promise of packages that are not there;
  // the second stage is all that such a tree gives.
  const key = tree.repositories.length > 0 || tree.stage2 === undefined ? 'inst.repo' : 'inst.stage2'
  return [{ key, value: at }, { key: 'ip', value: 'dhcp' }, ...when('inst.ks', answers)]
}

function oldAnaconda({ tree, source, urls, answers, guest }: InstallerQuestion): KernelArg[] {
  // With several cards the old loader asks which; a MAC or `link` answers (anaconda 11 to 13, command-line.txt).
  const card = guest?.macs.length === 1 ? guest.macs[0] : 'link'
  return [
    { key: 'method', value: repo({ tree, source, urls }) },
    { key: 'ip', value: 'dhcp' },
    ...when('ksdevice', card),
    ...when('ks', answers),
  ]
}

function repo({ tree, source, urls }: Pick<InstallerQuestion, 'tree' | 'source' | 'urls'>): string {
  const place = treePlace(tree)
  const nfs = source === 'nfs' ? nfsSource(urls, place) : undefined
  return nfs ?? placeUrl(sourceBase(source, urls) ?? urls.http, place)
}

/**
 * `auto` puts language and keyboard off until the preseed is there (installation guide, B.2.3). The network is set up
 * before that, so a preseed cannot name the host: it must be said here, or the installer takes DHCP's name or "debian".
 * Without a domain it would ask, and with priority=critical take none.
 */
function debianInstaller({ answers, guest }: InstallerQuestion): KernelArg[] {
  if (answers === undefined) return []
  const [host = '', ...domain] = hostnameOf(guest).split('.')
  return [
    { key: 'auto', value: 'true' },
    { key: 'priority', value: 'critical' },
    { key: 'interface', value: 'auto' },
    ...(isLabel(host) ? [{ key: 'hostname', value: host }] : []),
    ...(domain.length > 0 && domain.every(isLabel) ? [{ key: 'domain', value: domain.join('.') }] : []),
    { key: 'preseed/url', value: answers },
  ]
}

function hostnameOf(guest: Guest | undefined): string {
  const named = guest?.settings.vars.hostname?.value
  return typeof named === 'string' ? named : (guest?.name ?? '')
}

/** RFC 1123, 2.1. */
function isLabel(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(text)
}

/**
 * casper takes its medium as a whole ISO over HTTP (the URL must end in `.iso`) or mounts the tree over NFS.
 * The `s=` of NoCloud ends with `/`: cloud-init before 23.1 does not add one.
 */
function subiquity({ tree, urls, answers }: InstallerQuestion): KernelArg[] {
  const iso = isoUrl(tree, urls)
  const medium: KernelArg[] =
    iso !== undefined
      ? [{ key: 'url', value: iso }]
      : urls.nfs
        ? [
            { key: 'boot', value: 'casper' },
            { key: 'netboot', value: 'nfs' },
            { key: 'nfsroot', value: `${urls.nfs.host}:${treePlace(tree)}` },
          ]
        : []
  const seed: KernelArg[] =
    answers === undefined ? [] : [{ key: 'autoinstall' }, { key: 'ds', value: `nocloud-net;s=${answers}` }]
  return [...medium, { key: 'ip', value: 'dhcp' }, ...seed]
}

function autoyast({ tree, source, urls, answers }: InstallerQuestion): KernelArg[] {
  const place = treePlace(tree)
  const nfs = source === 'nfs' ? nfsUrl(urls, place) : undefined
  const at = nfs ?? placeUrl(sourceBase(source, urls) ?? urls.http, place)
  return [{ key: 'install', value: at }, ...when('autoyast', answers)]
}

/** Agama's live system comes by dracut's livenet; packages from the tree only where it brings a repository. */
function agama({ tree, urls, answers }: InstallerQuestion): KernelArg[] {
  const live = placeUrl(urls.http, imagePlace(tree, tree.stage2 ?? 'LiveOS/squashfs.img'))
  const repositories = tree.repositories
    .filter((repository) => !repository.path.startsWith('..'))
    .map((repository) =>
      placeUrl(urls.http, repository.path === '.' ? treePlace(tree) : imagePlace(tree, repository.path)),
    )
  return [
    { key: 'root', value: `live:${live}` },
    { key: 'ip', value: 'dhcp' },
    ...when('inst.install_url', repositories.length > 0 ? repositories.join(',') : undefined),
    ...when('inst.auto', answers),
  ]
}

/** Mageia's first stage reads one list, `automatic=`, with `,` between and `:` inside; a port goes with the server. */
function drakx({ tree, source, urls, answers }: InstallerQuestion): KernelArg[] {
  const base = sourceBase(source, urls) ?? urls.http
  const method = source === 'ftp' && urls.ftp !== undefined ? 'ftp' : 'http'
  const server = base.replace(/^[a-z]+:\/\//, '').replace(/\/.*$/, '')
  const list = `method:${method},network:dhcp,server:${server},directory:${treePlace(tree)}`
  return [{ key: 'automatic', value: list }, ...when('auto_install', answers)]
}

/** The answer URL holds the guest's name: Ignition sends no header by which a machine could be told (2.19). */
function coreos({ tree, images, urls, answers }: InstallerQuestion): KernelArg[] {
  const named = [...Object.values(images.others), tree.stage2].find((path) => path?.includes('rootfs'))
  const rootfs = placeUrl(urls.http, imagePlace(tree, named ?? 'images/pxeboot/rootfs.img'))
  const ignition: KernelArg[] =
    answers === undefined
      ? []
      : [
          { key: 'ignition.firstboot' },
          { key: 'ignition.platform.id', value: 'metal' },
          { key: 'ignition.config.url', value: answers },
        ]
  return [{ key: 'coreos.live.rootfs_url', value: rootfs }, { key: 'ip', value: 'dhcp' }, ...ignition]
}

/** Systems without an answer-file installer that still must be told where the rest of them is. */
function liveSystem({ tree, images, urls, answers }: InstallerQuestion): KernelArg[] {
  const kernel = images.kernel ?? ''
  if (tree.distro === 'arch' && kernel.startsWith('arch/'))
    return [
      { key: 'archisobasedir', value: 'arch' },
      // archiso appends `arch/...` to it as it is.
      { key: 'archiso_http_srv', value: `${placeUrl(urls.http, treePlace(tree))}/` },
      { key: 'ip', value: 'dhcp' },
      ...when('script', answers),
    ]
  const flavour = /^boot\/vmlinuz-(\w+)$/.exec(kernel)?.[1]
  if (tree.distro === 'alpine' && flavour !== undefined)
    return [
      { key: 'ip', value: 'dhcp' },
      { key: 'modloop', value: placeUrl(urls.http, imagePlace(tree, `boot/modloop-${flavour}`)) },
      { key: 'alpine_repo', value: placeUrl(urls.http, imagePlace(tree, 'apks')) },
      ...when('apkovl', answers),
    ]
  return []
}

function when(key: string, value: string | undefined): KernelArg[] {
  return value === undefined ? [] : [{ key, value }]
}
