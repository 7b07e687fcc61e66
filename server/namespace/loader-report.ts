import type { Snapshot } from '../catalog/snapshot.ts'
import type { Firmware } from '../core/boot/firmware.ts'
import { loaderCandidates } from '../core/loader/choice.ts'
import { dhcpClientKinds } from '../core/loader/dhcp-plan.ts'
import { type LoaderFile, loaderFiles, treeChainPath } from '../core/loader/files.ts'
import { internalRequester } from '../core/net/requester.ts'
import { table } from '../core/text-table.ts'
import { diskSource } from '../files/disk.ts'
import { cleanPath } from '../files/path.ts'
import type { FileSource } from '../files/source.ts'
import { installCommand, type PackageFamily } from '../host/package-family.ts'
import { hostPlace, treeLoadersSource } from './host-loaders.ts'

/** One loader: where it is served, and where it comes from or which package has it. */
interface LoaderLine {
  /** Path in the namespace. */
  readonly place: string
  /** What it is, for people. */
  readonly what: string
  readonly from: 'tftpboot' | 'host' | 'tree' | 'missing'
  /** Path on our disk. */
  readonly file?: string
  readonly package?: string
}

/** The loader that machines with a firmware would be sent now. */
interface FirmwareLine {
  readonly firmware: Firmware
  readonly loader?: string
  readonly why: string
}

export interface LoaderReport {
  readonly firmware: readonly FirmwareLine[]
  readonly loaders: readonly LoaderLine[]
  /** Installs every missing loader for which this system has a package. */
  readonly command?: string
}

/** Always shown. Other firmware of `dhcpClientKinds` is shown when there is a loader for it. */
const usualFirmware: readonly Firmware[] = [
  'bios',
  'uefi-x64',
  'uefi-http-x64',
  'uefi-ia32',
  'uefi-arm64',
  'uefi-http-arm64',
]

/** All loaders that are known, and what each kind of firmware is sent. */
export async function loaderReport(
  snapshot: Snapshot,
  family: PackageFamily | undefined,
  files: readonly LoaderFile[] = loaderFiles,
): Promise<LoaderReport> {
  const tftpboot = diskSource(snapshot.config.paths.tftpboot)
  const lines = await Promise.all(files.map((file) => hostLine(file, tftpboot, snapshot, family)))
  const loaders = [...lines, ...(await treeLines(snapshot))]
  const availablePaths = new Set(loaders.filter(({ from }) => from !== 'missing').map(({ place }) => place))
  const missing = loaders.flatMap((line) => (line.from === 'missing' && line.package ? [line.package] : []))
  // Not the packages of another architecture (`name:arch`), see `hostLine`.
  const packages = [...new Set(missing)].filter((name) => !name.includes(':'))
  return {
    firmware: [...new Set([...usualFirmware, ...dhcpClientKinds.map(({ firmware }) => firmware)])]
      .map((firmware) => firmwareLine(firmware, availablePaths, loaders, snapshot))
      .filter(({ firmware, loader }) => loader !== undefined || usualFirmware.includes(firmware)),
    loaders,
    ...(family && packages.length > 0 && { command: installCommand(family, packages) }),
  }
}

async function hostLine(
  file: LoaderFile,
  tftpboot: FileSource,
  { config }: Snapshot,
  family: PackageFamily | undefined,
): Promise<LoaderLine> {
  const { name, what, packages } = file
  const place = `/${name}`
  if ((await tftpboot.stat(cleanPath(place), internalRequester))?.kind === 'file')
    return { place, what, from: 'tftpboot', file: `${config.paths.tftpboot}${place}` }
  const found = await hostPlace(file)
  if (found !== undefined) return { place, what, from: 'host', file: found }
  // A package of this machine's architecture needs no `:arch`. A package of another architecture keeps it,
  // because its installation needs more than one command.
  const wanted = (family && packages[family])?.replace(`:${process.arch}`, '')
  return { place, what, from: 'missing', ...(wanted !== undefined && { package: wanted }) }
}

async function treeLines(snapshot: Snapshot): Promise<LoaderLine[]> {
  const chains = treeLoadersSource(() => snapshot, diskSource(snapshot.config.paths.trees))
  const lines: LoaderLine[] = []
  for (const { id } of snapshot.trees.all) {
    for (const shim of ['shimx64.efi', 'shimaa64.efi']) {
      const entry = await chains.stat(cleanPath(`/${id}/${shim}`), internalRequester)
      if (entry?.kind !== 'file') continue
      const file = entry.extent?.file
      const what = `the signed chain of ${id}`
      lines.push({ place: treeChainPath(id, shim), what, from: 'tree', ...(file !== undefined && { file }) })
    }
  }
  return lines
}

function firmwareLine(
  firmware: Firmware,
  availablePaths: ReadonlySet<string>,
  loaders: readonly LoaderLine[],
  { config }: Snapshot,
): FirmwareLine {
  const candidates = loaderCandidates({ firmware, preference: config.dhcp.loader })
  const found = candidates.find(({ urlPath }) => availablePaths.has(urlPath))
  if (found) return { firmware, loader: found.urlPath, why: found.why }
  const shim = candidates.find(({ urlPath }) => urlPath.startsWith('/shim'))?.urlPath
  const chain = shim && loaders.find(({ from, place }) => from === 'tree' && place.endsWith(shim))
  if (chain) return { firmware, loader: chain.place, why: `no other loader; ${chain.what}` }
  const names = candidates.map(({ urlPath }) => urlPath.slice(1)).join(', ')
  return { firmware, why: `missing: ${names}` }
}

/** The report as a text for people. */
export function loaderTable({ firmware, loaders, command }: LoaderReport): string {
  const sent = table([
    ['FIRMWARE', 'IS SENT', 'WHY'],
    ...firmware.map((line) => [line.firmware, line.loader?.slice(1) ?? '-', line.why]),
  ])
  const files = table([
    ['FROM', 'LOADER', 'FILE'],
    ...loaders.map((line) => [line.from, line.place.slice(1), placeText(line)]),
  ])
  const remedy = command === undefined ? '' : `\nThis installs the missing loaders:\n  ${command}\n`
  return `${sent}\n${files}${remedy}`
}

function placeText({ from, file, package: missing }: LoaderLine): string {
  if (file !== undefined) return file
  // Not everybody is told where it is.
  if (from !== 'missing') return '-'
  return missing === undefined ? 'no package of this system' : `package ${missing}`
}
