import type { Snapshot } from '../catalog/snapshot.ts'
import type { KnownOfMachine } from '../core/boot/explain.ts'
import { type Firmware, firmwareNamed } from '../core/boot/firmware.ts'
import { selectForGuest } from '../core/boot/plan-boot.ts'
import { whyUnserved } from '../core/boot/unserved-archs.ts'
import { defined } from '../core/defined.ts'
import type { Guest, GuestFacts } from '../core/guest/guest.ts'
import { factsOfSeen, machineFacts } from '../core/guest/machine-facts.ts'
import type { UnknownMachine } from '../core/guest/seen-machine.ts'
import { canonicalMac } from '../core/net/mac.ts'
import { canonicalUuid } from '../core/net/uuid.ts'
import { canonicalArch } from '../core/tree/arch.ts'
import { explainLoader, type LoaderParts } from './network-boot.ts'

/** What the firmware of a machine may be that has never asked, by the architecture of its tree. */
const likelyFirmware: Readonly<Record<string, readonly Firmware[]>> = {
  x86_64: ['bios', 'uefi-x64'],
  i386: ['bios', 'uefi-ia32'],
  aarch64: ['uefi-arm64'],
  armhfp: ['uefi-arm32'],
  riscv64: ['uefi-riscv64'],
  loongarch64: ['uefi-loongarch64'],
}

export interface ExplainMachineParts extends LoaderParts {
  readonly snapshot: Snapshot
  /** Our address, as the machine would reach us. */
  readonly serverAddress: string
  /** All machines that asked for network boot, guests included. */
  readonly seen: readonly UnknownMachine[]
}

/** What a machine showed when it asked for network boot, and which loader it gets for that. It changes nothing. */
export async function knownOfMachine(
  facts: GuestFacts,
  { snapshot, serverAddress, seen, ...parts }: ExplainMachineParts,
): Promise<KnownOfMachine> {
  const guest = snapshot.guests.match(facts)?.guest
  const machine = seenAs(identitiesOf(facts, guest), seen)
  const mac = machine?.mac ?? guest?.macs[0] ?? facts.macs?.map(canonicalMac)[0]
  const shown = machine ? factsOfSeen(machine) : machineFacts(facts)
  const loaders = []
  for (const firmware of firmwareOf(machine, guest, parts, snapshot))
    loaders.push(
      await explainLoader(parts, { firmware, guest, shown, snapshot, serverAddress, ...defined({ mac }) }),
    )
  const whyNoLoader = whyUnserved(machine?.firmware ?? '')
  return {
    seen: machine ?? 'never',
    loaders,
    ...defined({ whyNoLoader }),
    isProxy: snapshot.config.dhcp.mode === 'proxy',
  }
}

/** The canonical MACs and UUIDs by which the machine may have been seen. */
function identitiesOf({ macs = [], uuid }: GuestFacts, guest: Guest | undefined): ReadonlySet<string> {
  const named = [...macs.map(canonicalMac), uuid && canonicalUuid(uuid), ...(guest?.macs ?? []), guest?.uuid]
  return new Set(named.filter((each) => each !== undefined))
}

function seenAs(ids: ReadonlySet<string>, seen: readonly UnknownMachine[]): UnknownMachine | undefined {
  const isIt = ({ mac, uuid }: UnknownMachine): boolean =>
    (mac !== undefined && ids.has(mac)) || (uuid !== undefined && ids.has(uuid))
  return seen.find(isIt)
}

function firmwareOf(
  machine: UnknownMachine | undefined,
  guest: Guest | undefined,
  { machines }: LoaderParts,
  { trees }: Snapshot,
): readonly Firmware[] {
  const shown = machine?.firmware === undefined ? undefined : firmwareNamed(machine.firmware)
  if (shown !== undefined) return [shown]
  if (whyUnserved(machine?.firmware ?? '') !== undefined) return []
  const selection = guest && selectForGuest(guest, trees, machines.stateOf(guest.name))
  return selection?.found ? (likelyFirmware[canonicalArch(selection.tree.arch)] ?? []) : []
}
