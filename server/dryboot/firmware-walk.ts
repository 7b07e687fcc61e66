import { namedByAnother } from '../core/boot/explain.ts'
import { type Firmware, loadsByHttp, runsIpxe, uefiCpu } from '../core/boot/firmware.ts'
import { type DhcpIdentity, dhcpIdentityOf, firmwareOf } from '../core/boot/test-firmware.ts'
import { defined } from '../core/defined.ts'
import { failureMessage } from '../core/failure.ts'
import { loaderCandidates } from '../core/loader/choice.ts'
import { type LoaderKind, loaderOfBootFile } from '../core/loader/loaders.ts'
import { whyNoLoader } from '../core/loader/network-offer.ts'
import { canonicalIp } from '../core/net/address.ts'
import { byHttp, type Client, clients } from './clients.ts'
import { type DhcpAnswer, DhcpClient } from './dhcp-client.ts'
import { efiProgram } from './file-heads.ts'
import { type LoaderStart, walkGrub, walkIpxe, walkPxelinux } from './loader-walk.ts'
import { ownPath } from './own-urls.ts'
import { remedies } from './remedies.ts'
import type { Step } from './steps.ts'
import { walkDirect } from './told.ts'
import type { Fetched, Walk } from './walk.ts'

/**
 * Walks the whole way of a machine, from its DHCP packet to the first file of its packages.
 *
 * @returns What it does at the end, in words.
 * @throws WalkEnded where it goes no further.
 */
export async function walkFirmware(walk: Walk): Promise<string> {
  const { firmware: name, cpu } = walk.parts
  const firmware = firmwareOf(name, cpu)
  if (firmware === undefined) return walkDirect(walk)
  const bootFile = await askForLoader(walk, firmware)
  // iPXE is running already, and got its script.
  if (runsIpxe(firmware) && isScript(bootFile)) return walkIpxe(walk, bootFile, firmware)
  const { kind, start } = await load(walk, firmware, bootFile)
  if (kind === 'pxelinux') return walkPxelinux(walk, start)
  if (kind === 'grub') return walkGrub(walk, start)
  const running: Firmware = uefiCpu(firmware) === undefined ? 'ipxe-bios' : 'ipxe-uefi'
  return walkIpxe(walk, await askForLoader(walk, running), running)
}

/** A loader of ours is a file; what iPXE gets is a URL. */
function isScript(bootFile: string): boolean {
  return bootFile.includes('://') && loaderOfBootFile(bootFile) === undefined
}

/** Asks by DHCP what to load: the name of a file, or a URL. */
async function askForLoader(walk: Walk, firmware: Firmware): Promise<string> {
  const { cpu, snapshot, services, guest } = walk.parts
  const identity = dhcpIdentityOf(firmware, cpu)
  if (!identity) throw new RangeError(`nobody knows what ${firmware} sends`)
  const userClass = identity.userClass === undefined ? '' : `, ${identity.userClass}`
  const asked = {
    what: 'dhcp',
    protocol: 'dhcp',
    asked: `DISCOVER, option 93 ${identity.arch}${userClass}`,
  } as const
  const isProxy = snapshot.config.dhcp.mode === 'proxy'
  if (isProxy && !services.dhcp)
    walk.fail({ ...asked, why: 'the dhcp service is closed', remedy: remedies.openDhcp })
  const answer = await ask(walk, { firmware, identity, asked })
  if (answer.kind === 'silence') {
    const why = answer.why.replace(`${firmware}: `, '')
    const remedy = why === whyNoLoader(firmware) ? remedies.loader(bestLoaders(walk, firmware)) : undefined
    return walk.fail({ ...asked, why, ...defined({ remedy }) })
  }
  const { bootFile, why } = answer
  const notes = answer.guest === guest.name ? undefined : ['by what it says to DHCP it is not this guest']
  const came = `${bootFile}: ${why}`
  if (isProxy) walk.add({ ...asked, outcome: 'ok', came, ...defined({ notes }) })
  else walk.add({ ...asked, outcome: 'skipped', came, why: namedByAnother, ...defined({ notes }) })
  return bootFile
}

async function ask(
  walk: Walk,
  {
    firmware,
    identity,
    asked,
  }: {
    readonly firmware: Firmware
    readonly identity: DhcpIdentity
    readonly asked: Pick<Step, 'what' | 'protocol' | 'asked'>
  },
): Promise<DhcpAnswer> {
  const { decide, machine, reachedBy, snapshot } = walk.parts
  const address = canonicalIp(reachedBy.localAddress ?? '') ?? ''
  // DHCP for IPv4 cannot name another address. A BIOS and PXELINUX know no IPv6.
  const isBios = firmware === 'bios' || firmware === 'ipxe-bios'
  const needsIpv4 = snapshot.config.dhcp.mode === 'proxy' || isBios
  if (needsIpv4 && !address.includes('.')) {
    const why = `treeboot has no IPv4 address for this machine (${address || 'none'})`
    walk.fail({ ...asked, why, remedy: remedies.ownAddress })
  }
  const client = new DhcpClient(decide, machine, address)
  try {
    return await (address.includes('.') ? client.ask(identity) : client.askOther(identity))
  } catch (error) {
    return walk.fail({ ...asked, why: failureMessage(error) })
  }
}

/** The loaders of the kind that this machine would be sent first. */
function bestLoaders({ parts }: Walk, firmware: Firmware): readonly string[] {
  const { guest, snapshot } = parts
  const preference = guest.settings.loader?.value ?? snapshot.config.dhcp.loader
  const candidates = loaderCandidates({ firmware, preference })
  return candidates.filter(({ kind }) => kind === candidates[0]?.kind).map(({ urlPath }) => urlPath)
}

/** The firmware loads its boot loader, and looks at it before it starts it. */
async function load(
  walk: Walk,
  firmware: Firmware,
  bootFile: string,
): Promise<{ kind: LoaderKind; start: LoaderStart }> {
  const kind = loaderOfBootFile(bootFile) ?? 'ipxe'
  const path = ownPath(bootFile, walk.urls)
  const client = firmwareClient(firmware)
  const name = path ?? bootFile
  const found = await walk.need({
    what: 'loader',
    name,
    client,
    isImage: true,
    remedy: remedies.loader([name]),
  })
  checkProgram(walk, firmware, found)
  return { kind, start: { client, bootFile: name, program: found.entry } }
}

function firmwareClient(firmware: Firmware): Client {
  if (loadsByHttp(firmware)) return byHttp('the firmware')
  if (runsIpxe(firmware)) return clients.ipxe
  return uefiCpu(firmware) === undefined ? clients.pxeRom : clients.edk2
}

function checkProgram(walk: Walk, firmware: Firmware, { step, head, path }: Fetched): void {
  const cpu = uefiCpu(firmware)
  if (cpu === undefined) {
    walk.add(step)
    return
  }
  const { outcome: _, ...asked } = step
  const program = efiProgram(head)
  const remedy = remedies.loader([path])
  if (!program) walk.fail({ ...asked, why: `${path} is no UEFI program`, remedy })
  if (program.cpu !== cpu) walk.fail({ ...asked, why: `${path} is for another machine than ${cpu}`, remedy })
  const unsigned = program.isSigned ? undefined : 'not signed: Secure Boot refuses it'
  if (unsigned && walk.parts.secureBoot) walk.fail({ ...asked, why: unsigned, remedy: remedies.guestLoader })
  const notes = unsigned && [`${unsigned}; ${remedies.guestLoader}`]
  walk.add({ ...step, ...defined({ notes }) })
}
