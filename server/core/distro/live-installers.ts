import { isoUrl, treeFileUrlPath, treeUrlPath } from '../boot/install-source.ts'
import type { KernelArg, ServerUrls } from '../boot/plan.ts'
import { urlOfPath } from '../boot/urls.ts'
import type { PlatformImages, Tree } from '../tree/tree.ts'
import { casperAddress, dracutAddress } from './address-args.ts'
import type { InstallerContext } from './installer-context.ts'
import { saysItself, whyNoFile } from './why-doomed.ts'

/** Live systems: their initrd is told where to take the rest of the system from. */

/**
 * casper takes its medium as a whole ISO over HTTP (the URL must end in `.iso`) or mounts the tree over NFS.
 * The `s=` of NoCloud ends with `/`: cloud-init before 23.1 does not add one.
 */
export function subiquity({ tree, images, urls, answerFile, network }: InstallerContext): KernelArg[] {
  const seed: KernelArg[] =
    answerFile === undefined
      ? []
      : [{ key: 'autoinstall' }, { key: 'ds', value: `nocloud-net;s=${answerFile}` }]
  const medium = isTarball(images) ? [] : casperMedium(tree, urls)
  return [...medium, ...(network?.args ?? casperAddress(urls)), ...seed]
}

/**
 * A live system of casper that reads no answer file: Linux Mint, Pop!_OS, elementary OS. casper(7): `live-media-path`
 * names the folder of the live system where it is not `casper`.
 */
export function casper({ tree, images, urls, network }: InstallerContext): KernelArg[] {
  const medium = casperMedium(tree, urls)
  if (medium.length === 0) return []
  const folder = (images.kernel ?? '').replace(/\/[^/]*$/, '')
  return [
    { key: 'boot', value: 'casper' },
    ...medium.filter(({ key }) => key !== 'boot'),
    ...(folder === 'casper' ? [] : [{ key: 'live-media-path', value: `/${folder}` }]),
    ...(network?.args ?? casperAddress(urls)),
  ]
}

/**
 * live-boot(7): `fetch` copies one squashfs image into RAM. Its addresses come by DHCP without an argument. wget of its
 * initrd has no TLS.
 */
export function liveBoot({ tree, urls, network }: InstallerContext): KernelArg[] {
  if (tree.stage2 === undefined) return []
  return [
    { key: 'boot', value: 'live' },
    { key: 'components' },
    { key: 'fetch', value: urlOfPath(urls.http, treeFileUrlPath(tree, tree.stage2)) },
    ...(network?.args ?? []),
  ]
}

/** The live system is not in the tree, and the guest names none elsewhere. */
export const whyNoLiveBoot = whyNoFile([
  'fetch',
  'httpfs',
  'ftpfs',
  'netboot',
  'nfsroot',
  'live-media',
  'root',
])

/** dracut.cmdline(7), "Booting live images": livenet fetches the image into RAM. */
export function dmsquashLive({ tree, urls, network }: InstallerContext): KernelArg[] {
  const image = tree.stage2 ?? 'LiveOS/squashfs.img'
  return [
    { key: 'root', value: `live:${urlOfPath(urls.http, treeFileUrlPath(tree, image))}` },
    { key: 'rd.live.image' },
    ...(network?.args ?? [dracutAddress(urls)]),
  ]
}

function casperMedium(tree: Tree, urls: ServerUrls): KernelArg[] {
  const iso = isoUrl(tree, urls)
  // cloud-init, too, reads `url=`, as the URL of its configuration: before 22.3 it loads the whole image once more
  // (canonical/cloud-init #6836). Ubuntu's guide to netboot has the second argument since 2025.
  if (iso !== undefined)
    return [
      { key: 'url', value: iso },
      { key: 'cloud-config-url', value: '/dev/null' },
    ]
  const ipv4 = urls.nfs?.ipv4
  // Only for the types: `whyNoCasper` has refused this.
  if (ipv4 === undefined) return []
  return [
    { key: 'boot', value: 'casper' },
    { key: 'netboot', value: 'nfs' },
    { key: 'nfsroot', value: `${ipv4}:${treeUrlPath(tree)}` },
  ]
}

/**
 * Ubuntu's netboot tarball (amd64/linux, s390x/linux.ubuntu) has no live system: `args` names an ISO by `url=`. A disc
 * for s390x has `boot/kernel.ubuntu`.
 */
function isTarball({ kernel = '' }: PlatformImages): boolean {
  return /^[^/]+\/linux(?:\.ubuntu)?$|^s390x\/kernel\.ubuntu$/.test(kernel)
}

/** Arguments by which an operator names another medium for casper. */
const casperMedia = ['url', 'iso-url', 'netboot', 'nfsroot', 'live-media'] as const

const noCasperImage = whyNoFile(casperMedia)

/**
 * casper mounts a tree in a folder with klibc's nfsmount (2.0.12), which takes an IPv4 address and no name. It asks the
 * port mapper at port 111, whatever the mount options are.
 */
export function whyNoCasper(context: InstallerContext): string | undefined {
  const { tree, images, urls, guest } = context
  if (isoUrl(tree, urls) !== undefined || saysItself(guest, casperMedia)) return undefined
  if (isTarball(images))
    return 'it has no live system: name the ISO of the live server in args, "url=http://.../live-server.iso"'
  const noImage = noCasperImage(context)
  if (noImage !== undefined) return noImage
  const instead = 'or put the ISO itself into trees/: it is fetched by HTTP'
  if (!urls.nfs)
    return `its live system is mounted by NFS, and the nfs service is closed: open it (nfs.enabled), ${instead}`
  if (urls.nfs.ipv4 === undefined)
    return `its live system is mounted by NFS from an IPv4 address, and ${urls.nfs.host} is none: set server.url to one, ${instead}`
  if (urls.nfs.whyUnmapped !== undefined)
    return `its live system is mounted by NFS through the port mapper, which does not lead to treeboot (${urls.nfs.whyUnmapped}): free port 111, ${instead}`
  return undefined
}
