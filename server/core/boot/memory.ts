import type { Guest, Sourced } from '../guest/guest.ts'
import { defaultVirt, fromDefault } from '../guest/inherit.ts'
import type { Tree } from '../tree/tree.ts'
import { isoUrl, treeFileUrlPath } from './install-source.ts'
import type { InstallPlan, KernelArg, ServerUrls } from './plan.ts'
import { urlOfPath } from './urls.ts'

const mebibyte = 1024 * 1024
/** What a system needs beside the image that it runs from: kernel, unpacked initrd, programs. */
const besideImageMiB = 1024
/** So that `virt.memory` is a round number: 4608 and not 4431. */
const stepMiB = 512

/**
 * The memory in MiB that a machine needs because whole files are loaded into it: an ISO (casper), the root file system
 * of a live system (CoreOS, Agama, archiso), the second stage of anaconda. 0 when nothing is, or the sizes are unknown.
 *
 * @param loadsStage2 The installer loads the second stage of the tree, though no argument names that file.
 */
export function memoryNeeded(
  tree: Tree,
  args: readonly KernelArg[],
  { urls, loadsStage2 }: { readonly urls: ServerUrls; readonly loadsStage2: boolean },
): number {
  const values = args.map(({ value }) => value ?? '')
  const isNamed = (url: string): boolean => values.some((value) => endsWith(value, url))
  const files = Object.keys(tree.sizes).filter(
    (path) =>
      (loadsStage2 && path === tree.stage2) || isNamed(urlOfPath(urls.http, treeFileUrlPath(tree, path))),
  )
  const iso = isoUrl(tree, urls)
  const image = tree.origin.kind === 'iso' && iso !== undefined && isNamed(iso) ? (tree.origin.size ?? 0) : 0
  const bytes = files.reduce((sum, path) => sum + (tree.sizes[path] ?? 0), image)
  if (bytes === 0) return 0
  return Math.ceil((bytes / mebibyte + besideImageMiB) / stepMiB) * stepMiB
}

/** `live:http://...` of dracut names a URL, too. */
function endsWith(value: string, url: string): boolean {
  return value === url || value.endsWith(`:${url}`)
}

/** The memory of a virtual machine in MiB: what is set, or the default, which grows with what must fit into it. */
export function memoryOf(plan: Pick<InstallPlan, 'guest' | 'memoryNeeded'>): number {
  const memory = setMemory(plan.guest)
  return memory?.value ?? Math.max(defaultVirt.memory, plan.memoryNeeded)
}

/** Why a virtual machine is too small for what is loaded into its memory; undefined when nothing says so. */
export function whyTooSmall({
  guest,
  tree,
  memoryNeeded: needed,
}: Pick<InstallPlan, 'guest' | 'tree' | 'memoryNeeded'>): string | undefined {
  const memory = setMemory(guest)
  if (!memory || memory.value >= needed) return undefined
  return (
    `virt.memory is ${memory.value} MiB by ${memory.from}, and the installer of ${tree.id} loads so much into memory that ` +
    `it needs about ${needed}: leave virt.memory out, or set it to ${needed}`
  )
}

function setMemory(guest: Guest | undefined): Sourced<number> | undefined {
  const memory = guest?.settings.virt.memory
  return memory?.from === fromDefault ? undefined : memory
}
