import type { BootDecision } from '../core/boot/decision.ts'
import type { InstallPlan } from '../core/boot/plan.ts'
import { fileBase } from '../core/boot/urls.ts'
import type { LoaderKind } from '../core/loader/loaders.ts'
import { bootInputs, decideForGuest, planFor } from '../machines/decide.ts'
import { byHttp, type Client, clients } from './clients.ts'
import { walkInstaller } from './installer.ts'
import { remedies } from './remedies.ts'
import type { Fetched, Walk } from './walk.ts'

/** A boot configuration as its loader got it. */
export interface Told {
  readonly config: Fetched
  readonly loader: LoaderKind
  /** By which the loader fetched it. */
  readonly client: Client
  /** iPXE under UEFI cannot start a disk by itself. */
  readonly isUefi: boolean
}

/**
 * Goes on as a boot configuration says. What it says is the decision that the entry carries, which is the one that the text
 * was written from. A text of the operator is not interpreted.
 */
export async function goOn(walk: Walk, told: Told): Promise<string> {
  const { config, loader, client } = told
  const { step, entry } = config
  const { guest } = walk.parts
  const decision = entry.decision?.kind === 'boot' ? entry.decision : undefined
  if (decision === undefined || isByHand(decision)) {
    const came = decision?.summary ?? `tftpboot${config.path}, written by hand`
    walk.add({ ...step, came })
    return `${came}: what it boots is not known here`
  }
  const { outcome: _, ...asked } = step
  const summary = decision.summary
  if (decision.guest !== guest.name)
    walk.fail({ ...asked, why: `${taken(decision)}: ${summary}`, remedy: remedies.identity })
  if (decision.localDisk) {
    walk.add({ ...step, came: summary })
    if (loader === 'ipxe' && told.isUefi) await grubForDisk(walk)
    return `boots its own disk: ${withoutKind(summary)}`
  }
  if (!decision.offer)
    walk.fail({ ...asked, why: withoutKind(summary), remedy: remedies.refused(guest.name) })
  const plan = await planOf(walk, client)
  const notes = plan.doubts.map(({ why }) => why)
  walk.add({ ...step, came: summary, ...(notes.length > 0 && { notes }) })
  return walkInstaller(walk, plan, fileClient(loader, client, plan))
}

/**
 * A hypervisor that is given kernel, initrd and arguments. It is for installing the guest, whatever its state is, so its
 * plan is that of an installation.
 */
export async function walkDirect(walk: Walk): Promise<string> {
  const { guest, snapshot, services, machines, answers } = walk.parts
  const who = walk.who('http')
  const inputs = bootInputs({ snapshot, services, machines, who })
  const plan = planFor(guest, await answers.inputsFor(inputs, { guest, who, snapshot }), 'install')
  const asked = {
    what: 'plan',
    protocol: 'internal',
    asked: `treeboot lookup --guest ${guest.name}`,
  } as const
  if (plan.kind === 'menu') throw new RangeError('a guest gets no menu')
  if (plan.kind !== 'install') walk.fail({ ...asked, why: plan.why, remedy: remedies.refused(guest.name) })
  const notes = plan.doubts.map(({ why }) => why)
  walk.add({ ...asked, outcome: 'ok', came: `install ${plan.tree.id}`, ...(notes.length > 0 && { notes }) })
  return walkInstaller(walk, plan, byHttp('the hypervisor'))
}

function isByHand({ summary }: BootDecision): boolean {
  return summary.endsWith('written by hand')
}

function taken({ guest }: BootDecision): string {
  return guest === undefined
    ? 'the machine is taken for one that is no guest'
    : `the machine is taken for ${guest}`
}

/** `refuse: guest web01: ...` as `explain` has it. */
function withoutKind(summary: string): string {
  return summary.replace(/^(?:refuse|local-disk): /, '')
}

/** The plan that the configuration was written from: by the same planner, from the same inputs. */
async function planOf(walk: Walk, { protocol }: Client): Promise<InstallPlan> {
  const { guest, snapshot, services, machines, answers } = walk.parts
  const who = walk.who(protocol)
  const inputs = bootInputs({ snapshot, services, machines, who })
  const { plan, summary } = decideForGuest(
    guest,
    {},
    await answers.inputsFor(inputs, { guest, who, snapshot }),
  )
  if (plan.kind === 'install') return plan
  return walk.fail({
    what: 'plan',
    protocol: 'internal',
    asked: guest.name,
    why: withoutKind(summary),
    remedy: remedies.refused(guest.name),
  })
}

/** By which a loader fetches kernel and initrd: see the renderer of its configuration. */
function fileClient(loader: LoaderKind, client: Client, { urls }: InstallPlan): Client {
  if (loader !== 'ipxe') return client
  return fileBase(urls).startsWith('tftp:') ? clients.ipxe : byHttp('iPXE')
}

/** See `localBoot` in render/ipxe.ts. */
async function grubForDisk(walk: Walk): Promise<void> {
  const name = walk.parts.cpu === 'arm64' ? '/grubaa64.efi' : '/grubx64.efi'
  const client = fileBase(walk.urls).startsWith('tftp:') ? clients.ipxe : byHttp('iPXE')
  const without = 'iPXE cannot start a disk under UEFI: the firmware goes on to its next boot entry'
  const remedy = remedies.loader([name])
  const found = await walk.look({ what: 'loader', name, client, without, remedy })
  if (found) walk.add({ ...found.step, came: 'the GRUB that finds the loader of the disk' })
}
