import type { Firmware } from '../core/boot/firmware.ts'
import { fileBase } from '../core/boot/urls.ts'
import { defined } from '../core/defined.ts'
import {
  folderOf,
  grubLists,
  grubNames,
  grubOwnConfig,
  ipxeOwnScript,
  pxelinuxCore,
  pxelinuxNames,
  shimExtras,
} from '../core/loader/asked-names.ts'
import { readWhole } from '../files/read-whole.ts'
import type { Entry } from '../files/source.ts'
import { byHttp, type Client, clients } from './clients.ts'
import { efiProgram, type GrubBuild, grubBuild, mostGrubBytes } from './file-heads.ts'
import { ownPath } from './own-urls.ts'
import { remedies } from './remedies.ts'
import { goOn } from './told.ts'
import type { Fetched, Walk } from './walk.ts'

/** A loader that the firmware has started. */
export interface LoaderStart {
  /** By which the firmware fetched it. */
  readonly client: Client
  /** The name that it was fetched by: its folder is the loader's own. */
  readonly bootFile: string
  readonly program: Entry
}

/**
 * iPXE: the script that every machine gets, then the one of this machine.
 *
 * @param url Of the script, as DHCP names it.
 */
export async function walkIpxe(walk: Walk, url: string, firmware: Firmware): Promise<string> {
  const isUefi = firmware === 'ipxe-uefi'
  const path = ownPath(url, walk.urls)
  const client = (from: string): Client => (from.startsWith('tftp:') ? clients.ipxe : byHttp('iPXE'))
  const what = 'configuration'
  const shared = await walk.need({ what, name: path ?? url, client: client(url) })
  if (!sendsOn(shared, '/boot/by/'))
    return goOn(walk, { config: shared, loader: 'ipxe', client: client(url), isUefi })
  walk.add({ ...shared.step, came: 'the script that every machine gets' })
  const base = fileBase(walk.urls)
  const { machine } = walk.parts
  const own = ipxeOwnScript(machine)
  const query = base.startsWith('tftp:') ? '' : `?serial=${encodeURIComponent(machine.serial ?? '')}&vendor=`
  const shows = defined({ serial: query === '' ? undefined : machine.serial })
  const config = await walk.need({ what, name: own + query, client: client(base), shows })
  return goOn(walk, { config, loader: 'ipxe', client: client(base), isUefi })
}

/** PXELINUX: its core module, then a configuration by one name after the other, all by TFTP. */
export async function walkPxelinux(walk: Walk, { bootFile }: LoaderStart): Promise<string> {
  const folder = folderOf(bootFile)
  const client = clients.pxelinux
  const core = folder + pxelinuxCore
  const remedy = remedies.loader([core])
  walk.add((await walk.need({ what: 'loader', name: core, client, isImage: true, remedy })).step)
  const names = pxelinuxNames(askingMachine(walk)).map((name) => folder + name)
  const config = await firstOf(walk, names, client)
  return goOn(walk, { config, loader: 'pxelinux', client, isUefi: false })
}

/** GRUB, with shim before it where that was sent: its lists of modules, then its configuration. */
export async function walkGrub(walk: Walk, start: LoaderStart): Promise<string> {
  const isHttp = start.client.protocol === 'http'
  const program = isShim(start.bootFile) ? await secondOfShim(walk, start) : start.program
  const build = program.size > mostGrubBytes ? {} : grubBuild(await readWhole(program, mostGrubBytes))
  const client = isHttp ? byHttp('GRUB') : clients.grub
  refuseDebian(walk, build, isHttp)
  const prefix = build.prefix === undefined ? folderOf(start.bootFile) : `${build.prefix}/`
  // GRUB puts a slash before every name.
  const below = (name: string): string => `/${prefix.replace(/^\/+/, '')}${name}`
  const what = 'loader'
  for (const name of grubLists(walk.parts.cpu)) {
    const list = await walk.look({ what, name: below(name), client })
    if (list) walk.add(list.step)
  }
  const names = grubNames(askingMachine(walk), isHttp || build.prefix !== undefined).map(below)
  const shared = await firstOf(walk, names, client)
  const told = { loader: 'grub', client, isUefi: true } as const
  // The configuration of one machine has such a path, too, for when its files cannot be loaded.
  const isShared = shared.path.endsWith('/grub.cfg') && sendsOn(shared, '/boot/by/$net_default_mac')
  const own = isShared ? grubOwnConfig(walk.parts.machine) : undefined
  if (own === undefined) return goOn(walk, { ...told, config: shared })
  walk.add({ ...shared.step, came: 'the configuration that every machine gets' })
  const config = await walk.look({ what: 'configuration', name: own, client })
  // GRUB goes on in the shared file when its own is not there.
  return goOn(walk, { ...told, config: config ?? shared })
}

function isShim(bootFile: string): boolean {
  return /(?:^|\/)shim\w+\.efi$/.test(bootFile)
}

/** shim 16: three files that hardly anybody has, then GRUB, all beside itself. SUSE's shim starts `grub.efi`. */
async function secondOfShim(walk: Walk, { bootFile, client: firmware }: LoaderStart): Promise<Entry> {
  const folder = folderOf(bootFile)
  const client = firmware.protocol === 'http' ? byHttp('shim') : clients.shim
  const what = 'loader'
  for (const name of shimExtras) {
    const extra = await walk.look({ what, name: folder + name, client })
    if (extra) walk.add(extra.step)
  }
  const grub = walk.parts.cpu === 'arm64' ? 'grubaa64.efi' : 'grubx64.efi'
  const name = (await isThere(walk, folder + grub)) ? grub : await suseName(walk, folder, grub)
  const remedy = remedies.loader([grub])
  const found = await walk.need({ what, name: folder + name, client, isImage: true, remedy })
  const program = efiProgram(found.head)
  const { outcome: _, ...asked } = found.step
  if (!program) walk.fail({ ...asked, why: `${found.path} is no UEFI program`, remedy })
  const unsigned = program.isSigned ? undefined : 'not signed: under Secure Boot shim refuses it'
  if (unsigned && walk.parts.secureBoot) walk.fail({ ...asked, why: unsigned, remedy })
  const notes = unsigned && [unsigned]
  walk.add({ ...found.step, ...defined({ notes }) })
  return found.entry
}

async function suseName(walk: Walk, folder: string, usual: string): Promise<string> {
  return (await isThere(walk, `${folder}grub.efi`)) ? 'grub.efi' : usual
}

async function isThere(walk: Walk, name: string): Promise<boolean> {
  return (await walk.fetchQuietly({ what: 'loader', name, client: clients.shim })) !== undefined
}

/** What Debian's signed GRUB of Debian 12 cannot do (docs/network-boot.md). It asks for nothing and stays at its prompt. */
function refuseDebian(walk: Walk, { vendor, version }: GrubBuild, isHttp: boolean): void {
  if (vendor !== 'debian' || !/^2\.0[0-6]\b/.test(version ?? '')) return
  const asked = { what: 'configuration', protocol: isHttp ? 'http' : 'tftp', asked: 'grub.cfg' } as const
  if (isHttp)
    walk.fail({
      ...asked,
      why: `Debian’s signed GRUB ${version} has no HTTP inside: it stays at its prompt`,
      remedy: remedies.grubByHttp,
    })
  if (walk.parts.snapshot.config.dhcp.mode === 'proxy')
    walk.fail({
      ...asked,
      why: `Debian’s signed GRUB ${version} asks the server of the DHCP ACK for its configuration, never a proxy`,
      remedy: remedies.debianGrub,
    })
}

/** The configuration by the first of these names that is there. */
async function firstOf(walk: Walk, names: readonly string[], client: Client): Promise<Fetched> {
  const what = 'configuration'
  for (const name of names.slice(0, -1)) {
    const found = await walk.look({ what, name, client })
    if (found) return found
  }
  return walk.need({ what, name: names.at(-1) ?? '', client })
}

/** Whether a configuration is the one for everybody, which sends each machine on to its own. */
function sendsOn({ entry, head }: Fetched, where: string): boolean {
  const text = Buffer.from(entry.content ?? head).toString('latin1')
  return entry.decision?.kind === 'boot' && entry.decision.summary.endsWith('written by hand')
    ? false
    : text.includes(where)
}

function askingMachine({ parts }: Walk): Parameters<typeof pxelinuxNames>[0] {
  const { mac, uuid, address } = parts.machine
  return { mac, ...defined({ uuid, address: address === '' ? undefined : address }) }
}
