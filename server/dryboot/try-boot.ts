import type { Snapshot } from '../catalog/snapshot.ts'
import { selectForGuest } from '../core/boot/plan-boot.ts'
import { cpuOf, type TestFirmware, testFirmwareShown, testFirmwaresOf } from '../core/boot/test-firmware.ts'
import type { OpenServices } from '../core/boot/urls.ts'
import { defined } from '../core/defined.ts'
import { failureMessage } from '../core/failure.ts'
import type { Guest } from '../core/guest/guest.ts'
import { nextState } from '../core/guest/next-state.ts'
import type { UnknownMachine } from '../core/guest/seen-machine.ts'
import { type GuestState, likeliestOffer, newState } from '../core/guest/state.ts'
import type { LoaderFile } from '../core/loader/files.ts'
import type { Requester } from '../core/net/requester.ts'
import { networkBoot } from '../machines/network-boot.ts'
import { byUsableAddress } from '../machines/own-requester.ts'
import { loaderFinder } from '../namespace/host-loaders.ts'
import { createAnswers, createNamespace } from '../namespace/namespace.ts'
import type { TemplateRenderer } from '../templates/renderer.ts'
import { dryMachines, type MachinesToRead } from './dry-machines.ts'
import { walkFirmware } from './firmware-walk.ts'
import type { TriedBoot } from './steps.ts'
import { type TriedMachine, Walk, WalkEnded } from './walk.ts'

export interface TryOptions {
  /** Default: the kind that its machine showed last; else all that a machine of its architecture may have. */
  readonly firmware?: TestFirmware | 'all'
  /** `install`: as if the operator had ordered its installation now. Default: `next-boot`. */
  readonly as?: TriedBoot['as']
  /** Whether UEFI firmware starts only what is signed. Default: no, and a loader without a signature is noted. */
  readonly secureBoot?: boolean
}

/** What a server, or a command beside one, has. It is only read. */
export interface TryParts {
  readonly snapshot: Snapshot
  readonly services: OpenServices
  /** As they are now: the caller has read the store. */
  readonly machines: MachinesToRead
  readonly renderer: TemplateRenderer
  /** By which address machines reach us, as `ownRequester` has it. */
  readonly who: Requester
  /** All machines that asked for network boot, guests included. */
  readonly seen: readonly UnknownMachine[]
  /** See `NamespaceParts`. */
  readonly hostLoaders?: readonly LoaderFile[]
  /** Milliseconds since 1970. */
  readonly clock?: () => number
}

/**
 * Tries what the next network boot of a guest would be: walks the whole way of its machine, and looks at each file. Nothing
 * is changed by it: no offer, claim, history, machine of the inbox, view of a tree or event comes of it (`dryMachines`).
 *
 * @returns One boot for each kind of firmware.
 */
export async function tryBoot(guest: Guest, options: TryOptions, parts: TryParts): Promise<TriedBoot[]> {
  const as = options.as ?? 'next-boot'
  const { clock = Date.now } = parts
  const state = as === 'install' ? orderedState(parts.machines.stateOf(guest.name), clock()) : undefined
  const tried: TriedBoot[] = []
  for (const firmware of firmwareToTry(guest, options, parts))
    tried.push(await tryOne({ guest, firmware, as, state, secureBoot: options.secureBoot ?? false }, parts))
  return tried
}

/** The state as an order of the operator would leave it. Nobody is told of it. */
function orderedState(before: GuestState | undefined, nowMs: number): GuestState {
  return nextState(before, { type: 'install-once' }, nowMs)?.state ?? before ?? newState
}

function firmwareToTry(
  guest: Guest,
  { firmware = 'shown' }: { readonly firmware?: TryOptions['firmware'] | 'shown' },
  parts: TryParts,
): readonly TestFirmware[] {
  if (firmware !== 'all' && firmware !== 'shown') return [firmware]
  const shown = testFirmwareShown(seenAs(guest, parts.seen)?.firmware ?? '')
  if (firmware === 'shown' && shown !== undefined) return [shown]
  return testFirmwaresOf(archOf(guest, parts))
}

function archOf(guest: Guest, { snapshot, machines }: TryParts): string | undefined {
  const selection = selectForGuest(guest, snapshot.trees, machines.stateOf(guest.name))
  return selection.found ? selection.tree.arch : undefined
}

function seenAs({ macs, uuid }: Guest, seen: readonly UnknownMachine[]): UnknownMachine | undefined {
  return seen.find(
    (machine) =>
      (machine.mac !== undefined && macs.includes(machine.mac)) ||
      (machine.uuid !== undefined && machine.uuid === uuid),
  )
}

interface OneTry {
  readonly guest: Guest
  readonly firmware: TestFirmware
  readonly as: TriedBoot['as']
  readonly state: GuestState | undefined
  readonly secureBoot: boolean
}

async function tryOne(one: OneTry, parts: TryParts): Promise<TriedBoot> {
  const { guest, firmware, as, state, secureBoot } = one
  const { snapshot: now, services: open, renderer, hostLoaders } = parts
  const machines = dryMachines(parts.machines, state && { guest: guest.name, state })
  const [snapshot, services] = [() => now, () => open]
  // A namespace of its own: what it keeps (texts, times, sources) is not what the server has kept for its clients.
  const { answers } = createAnswers({ services, machines, renderer })
  const source = createNamespace({ snapshot, services, machines, answers, ...defined({ hostLoaders }) })
  const loaderExists = loaderFinder(source, () => now.config.paths.tftpboot)
  const decide = networkBoot({ snapshot, services, machines, loaderExists })
  const { localAddress, isGuess } = byUsableAddress(parts.who)
  const walk = new Walk({
    guest,
    machine: triedMachine(guest, parts, machines.stateOf(guest.name)),
    firmware,
    cpu: cpuOf(firmware, archOf(guest, parts)),
    snapshot: now,
    services: open,
    reachedBy: defined({ localAddress, isGuess }),
    source,
    machines,
    answers,
    decide,
    secureBoot,
  })
  const { ok, end } = await walked(walk)
  return { guest: guest.name, firmware, as, ok, end, steps: walk.steps }
}

async function walked(walk: Walk): Promise<Pick<TriedBoot, 'ok' | 'end'>> {
  try {
    return { ok: true, end: await walkFirmware(walk) }
  } catch (error) {
    if (!(error instanceof WalkEnded)) throw error
    const last = walk.steps.at(-1)
    return { ok: false, end: `stops at ${last?.what}: ${failureMessage(error)}` }
  }
}

/** Locally administered (IEEE 802): every machine has a MAC, and nobody knows that of this one. */
const nobodysMac = '02:00:00:00:00:01'

/** What the machine says of itself: as the configuration has it, else as it was seen. */
function triedMachine(guest: Guest, { seen }: TryParts, state: GuestState | undefined): TriedMachine {
  const before = seenAs(guest, seen)
  const offer = likeliestOffer(state?.offers ?? [])
  return {
    mac: guest.macs.find((mac) => mac === before?.mac) ?? guest.macs[0] ?? before?.mac ?? nobodysMac,
    ...defined({
      uuid: guest.uuid ?? before?.uuid,
      serial: guest.serial,
    }),
    address: offer?.client ?? guest.ip ?? '',
  }
}
