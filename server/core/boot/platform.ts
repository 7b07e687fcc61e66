import type { VirtType } from '../guest/guest.ts'
import { canonicalArch, platformFor } from '../tree/arch.ts'
import type { PlatformImages, Tree } from '../tree/tree.ts'

/** The kernel and initrd of a tree that boot a machine, or why there are none. */
export type PlatformChoice =
  | {
      readonly found: true
      /** Key of `tree.platforms`. */
      readonly platform: string
      readonly images: PlatformImages & { readonly kernel: string; readonly initrd: string }
      /** The reason for this choice, for people. */
      readonly why: string
    }
  | { readonly found: false; readonly why: string }

/**
 * Which images of a tree boot a machine. A PV guest gets `xen` where the tree has it: in the years of Fedora
 * 5 to 10 and Enterprise Linux 5 that is another kernel. Later kernels run on both, so on x86 the platform of
 * the arch serves PV guests too. HVM guests and real machines get the platform of their arch.
 */
export function choosePlatform(tree: Tree, virt: VirtType, arch = tree.arch): PlatformChoice {
  const own = platformFor(tree.platforms, arch)
  if (virt === 'pv') {
    const xen = complete(tree, 'xen', 'a PV guest takes the xen images')
    if (xen) return xen
    // Also x86_64_v2 and v3.
    if (!/^(x86_64|i386)/.test(canonicalArch(arch)))
      return none(tree, `no images-xen in ${tree.id}, and ${arch} has no PV guests`)
    return (
      complete(tree, own, `the tree has no xen images; a kernel for ${arch} boots PV guests by itself`) ??
      none(tree, `no kernel and initrd for a PV guest in ${tree.id}`)
    )
  }
  return (
    complete(tree, own, `the platform of ${arch || 'an unknown arch'}`) ??
    none(tree, `no kernel and initrd for ${arch || 'its arch'} in ${tree.id}`)
  )
}

function complete(tree: Tree, platform: string | undefined, why: string): PlatformChoice | undefined {
  if (platform === undefined || !Object.hasOwn(tree.platforms, platform)) return undefined
  const images = tree.platforms[platform]
  if (images?.kernel === undefined || images.initrd === undefined) return undefined
  return { found: true, platform, images: { ...images, kernel: images.kernel, initrd: images.initrd }, why }
}

function none(tree: Tree, why: string): PlatformChoice {
  const platforms = Object.entries(tree.platforms).map(([name, images]) => {
    if (images.kernel === undefined) return `${name} (no kernel)`
    return images.initrd === undefined ? `${name} (no initrd)` : name
  })
  return {
    found: false,
    why: `${why}; it has ${platforms.length > 0 ? platforms.join(', ') : 'packages only'}`,
  }
}
