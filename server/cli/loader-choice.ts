import type { Snapshot } from '../catalog/snapshot.ts'
import type { Firmware } from '../core/boot/firmware.ts'
import { selectForGuest } from '../core/boot/plan-boot.ts'
import { defined } from '../core/defined.ts'
import type { Guest } from '../core/guest/guest.ts'
import { type LoaderCandidate, loaderCandidates } from '../core/loader/choice.ts'
import { hostLoaderFolder, type LoaderFile, loaderFiles, treeLoaderFolder } from '../core/loader/files.ts'
import type { LoaderOrigin } from '../core/loader/loaders.ts'
import { internalRequester } from '../core/net/requester.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { diskSource } from '../files/disk.ts'
import { cleanPath, rootPath } from '../files/path.ts'
import { hostLoadersSource, loaderFinder, treeLoadersSource } from '../namespace/host-loaders.ts'
import { mountTable } from '../namespace/mounts.ts'

/** What machines of most kinds are. A command does not know the firmware of a guest's machine. */
const commonFirmware: readonly Firmware[] = ['bios', 'uefi-x64', 'uefi-arm64']

type Finder = (loader: LoaderCandidate) => Promise<boolean>

/** The loaders that a server would serve now: the same rows, in the same order, as in `namespaceMounts`. */
export function loadersOnDisk(snapshot: Snapshot, hostFiles: readonly LoaderFile[]): Finder {
  const { tftpboot, trees } = snapshot.config.paths
  const host = hostLoadersSource(hostFiles)
  const row = (at: string, source: typeof host) => ({ at: cleanPath(at), source, why: '' })
  const source = mountTable([
    row(rootPath, diskSource(tftpboot)),
    row(rootPath, host),
    row(hostLoaderFolder, host),
    row(
      treeLoaderFolder,
      treeLoadersSource(() => snapshot, diskSource(trees)),
    ),
  ])
  const exists = loaderFinder(source, () => tftpboot)
  return (loader) => exists(loader, internalRequester)
}

/** Guests whose `loader-from` names a place that has no loader for them. Each setting is named once. */
export async function loaderProblems(
  snapshot: Snapshot,
  hostFiles = loaderFiles,
): Promise<SnapshotProblem[]> {
  const exists = loadersOnDisk(snapshot, hostFiles)
  const problems = new Map<string, SnapshotProblem>()
  for (const guest of snapshot.guests.all) {
    const { loaderFrom, loader } = guest.settings
    if (!loaderFrom) continue
    const treeId = treeOf(guest, snapshot)
    const wanted = commonFirmware
      .flatMap((firmware) => candidatesOf(guest, firmware, snapshot))
      .filter(({ origin }) => origin === loaderFrom.value)
    if (await firstOf(wanted, exists)) continue
    const kind = loader && loader.value !== 'auto' ? ` ${loader.value}` : ''
    const { message, remedy } = missingFrom(loaderFrom.value, treeId)
    problems.set(`${loaderFrom.from} ${message}${kind}`, {
      severity: 'warning',
      where: loaderFrom.from,
      message: `loader-from: ${loaderFrom.value}, but ${message}${kind && ` for loader:${kind}`}; other loaders are sent`,
      remedy,
    })
  }
  return [...problems.values()]
}

function missingFrom(origin: LoaderOrigin, treeId: string | undefined): { message: string; remedy: string } {
  const remedy = 'treeboot loaders shows which loaders are where, and the packages that bring them'
  switch (origin) {
    case 'tree':
      return {
        message: treeId === undefined ? 'it has no tree' : `tree ${treeId} has no signed shim and GRUB`,
        remedy: 'set loader-from to tftpboot or host, or leave it out',
      }
    case 'tftpboot':
      return { message: 'no loader lies in the folder of paths.tftpboot', remedy }
    case 'host':
      return { message: 'no package of this host brings one', remedy }
  }
}

function candidatesOf(guest: Guest, firmware: Firmware, snapshot: Snapshot): readonly LoaderCandidate[] {
  const preference = guest.settings.loader?.value ?? snapshot.config.dhcp.loader
  const treeId = treeOf(guest, snapshot)
  return loaderCandidates({
    firmware,
    preference,
    ...defined({ treeId, origin: guest.settings.loaderFrom?.value }),
  })
}

function treeOf(guest: Guest, { trees }: Snapshot): string | undefined {
  const selection = selectForGuest(guest, trees)
  return selection.found ? selection.tree.id : undefined
}

async function firstOf(
  candidates: readonly LoaderCandidate[],
  exists: Finder,
): Promise<LoaderCandidate | undefined> {
  for (const candidate of candidates) if (await exists(candidate)) return candidate
  return undefined
}
