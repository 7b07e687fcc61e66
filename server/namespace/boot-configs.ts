import type { Snapshot } from '../catalog/snapshot.ts'
import type { BootPlan } from '../core/boot/plan.ts'
import { type BootFacts, type BootInputs, planGuest } from '../core/boot/plan-boot.ts'
import type { OpenServices } from '../core/boot/urls.ts'
import { type LoaderName, parseLoaderName } from '../core/loader/boot-path.ts'
import { ipv4FromHex } from '../core/net/address.ts'
import { canonicalMac } from '../core/net/mac.ts'
import type { Requester } from '../core/net/requester.ts'
import { canonicalUuid, isNoUuid } from '../core/net/uuid.ts'
import { generatedSource } from '../files/generated.ts'
import { type CleanPath, cleanPath, rootPath } from '../files/path.ts'
import {
  bootInputs,
  type Decision,
  decideFor,
  decideForGuest,
  loaderOptions,
  renderForLoader,
} from '../machines/decide.ts'
import type { GuestMemory } from '../machines/machines.ts'
import type { TreeViews } from '../machines/views.ts'
import { renderGrub } from '../render/grub.ts'
import { ipxeEntryScript, renderIpxe } from '../render/ipxe.ts'
import type { RenderOptions } from '../render/options.ts'
import {
  bootFileOf,
  type Format,
  formatOfBootFile,
  formats,
  isForLoaders,
  renderPlan,
} from '../render/render.ts'
import type { Mount } from './mounts.ts'

/** A machine asked what to boot, and this is what it was told. */
export interface LoaderDecision {
  readonly who: Requester
  readonly path: string
  /** Absent for a machine that is no guest. */
  readonly guest?: string
  readonly facts: BootFacts
  readonly plan: BootPlan
  readonly summary: string
}

export interface LoaderOptions {
  readonly snapshot: () => Snapshot
  /** The services that are open now, with their real ports. */
  readonly services: () => OpenServices
  readonly decided?: (decision: LoaderDecision) => void
  readonly memory?: GuestMemory
  readonly views?: TreeViews
  /** The UUID that belongs to a MAC, where a machine has said both when it asked by DHCP. */
  readonly uuidOf?: (mac: string) => string | undefined
}

/** Scripts for an iPXE that was told nothing but our address; EFI builds since 2023 look for `autoexec.ipxe` beside themselves. */
const ipxeEntries: ReadonlySet<string> = new Set(['boot.ipxe', 'autoexec.ipxe'])

/**
 * Below these nothing is made up: they belong to others, and a tree is served as it is. Were the shared grub.cfg also to
 * be found below `/boot/by`, where it sends machines, a GRUB would read it for ever.
 */
const foreign = /^\/(trees|ks|api|boot\/by)\//

/**
 * The boot configurations that loaders ask for, made for the one who asks:
 *
 *     /pxelinux.cfg/<uuid|01-mac|IPHEX>, /grub.cfg-<uuid|01-mac|IPHEX>   that guest's; declined for anybody else, at once, so
 *                                                                        that the loader goes on to its next name
 *     /pxelinux.cfg/default                      the plan of the guest at the asking address, else what unknown machines get
 *     /grub.cfg                                  a script that reads /boot/by/<its own MAC>/grub.cfg, then as above
 *     /boot.ipxe, /autoexec.ipxe                 a script that reads /boot/by/<its own MAC>/<its own UUID>/ipxe
 *     /boot/by/<mac|uuid>.../{ipxe,grub.cfg,pxelinux.cfg}   the plan of the machine with these identities, known or not
 *     /boot/<guest>/{ipxe,grub.cfg,virt-install.sh,...}     what this guest would boot
 *
 * The first four are answered in any folder: each loader looks below the one that it came from.
 */
export function loaderMounts(options: LoaderOptions): readonly Mount[] {
  const loaders = createLoaders(options)
  return [
    {
      at: cleanPath('/boot'),
      source: generatedSource({ text: loaders.bootText, paths: loaders.bootPaths }),
      why: 'what each guest would boot, for every loader and hypervisor',
    },
    {
      at: rootPath,
      source: generatedSource({ text: loaders.rootText, paths: () => rootPaths }),
      why: 'the names that loaders ask for by themselves; after tftpboot, so that hand-written files win',
    },
  ]
}

/** What a listing shows. Not the names that stand for a machine's decision: looking at a folder is no boot. */
const rootPaths = ['/boot.ipxe', '/autoexec.ipxe']

/** Menus kept: a few loaders, a few addresses of ours. What clients claim in `Host` must not fill memory. */
const mostMenus = 64

function createLoaders({ snapshot, services, decided, memory, views, uuidOf }: LoaderOptions) {
  /** Menus of unknown machines: the same text for all that reach us the same way, and long with many trees. */
  const menus = new Map<string, string>()

  function write(
    decision: Decision,
    as: Format,
    how: RenderOptions,
    inputs: BootInputs,
    generation: number,
  ): string {
    if (decision.plan.kind !== 'menu') return renderForLoader(decision.plan, as, how)
    const { http, tftp } = inputs.urls
    const key = JSON.stringify([generation, http, tftp, as, how])
    const known = menus.get(key)
    if (known !== undefined) return known
    const text = renderForLoader(decision.plan, as, how)
    if (menus.size >= mostMenus) menus.clear()
    menus.set(key, text)
    return text
  }

  /** Debian's signed GRUB says its MAC alone, also for a guest that is known by its UUID. */
  function withUuid(facts: BootFacts): BootFacts {
    if (facts.uuid !== undefined || snapshot().guests.match(facts)) return facts
    const uuid = facts.macs?.map((mac) => uuidOf?.(mac)).find((each) => each !== undefined)
    return uuid === undefined ? facts : { ...facts, uuid }
  }

  async function answer(
    said: BootFacts,
    as: Format,
    path: CleanPath,
    who: Requester,
    folder = '',
  ): Promise<string | undefined> {
    await memory?.fresh()
    const now = snapshot()
    const facts = withUuid(said)
    const inputs = bootInputs(now, services(), who, memory?.stateOf, views)
    const decision = decideFor(facts, inputs)
    if (!decision) {
      memory?.unknown(facts, who)
      return undefined
    }
    await tell(decision, facts, path, who)
    return write(decision, as, loaderOptions(who, inputs, folder), inputs, now.generation)
  }

  async function tell(
    { guest, plan, summary }: Decision,
    facts: BootFacts,
    path: string,
    who: Requester,
  ): Promise<void> {
    const decision = { who, path, facts, plan, summary, ...(guest !== undefined && { guest }) }
    decided?.(decision)
    await memory?.decided(decision)
  }

  /** For the names that mean one machine: its plan if we know it, else silence. */
  async function known(
    facts: BootFacts,
    name: LoaderName,
    path: CleanPath,
    who: Requester,
  ): Promise<string | undefined> {
    if (!snapshot().guests.match(withUuid(facts))) {
      memory?.unknown(facts, who)
      return undefined
    }
    return answer(facts, name.loader, path, who, name.folder)
  }

  async function loaderText(name: LoaderName, path: CleanPath, who: Requester): Promise<string | undefined> {
    const { lookup } = name
    switch (lookup.kind) {
      case 'mac':
        return known({ macs: [lookup.mac] }, name, path, who)
      case 'uuid':
        return known({ uuid: lookup.uuid }, name, path, who)
      case 'ip-prefix': {
        // A shortened name means a network, and guests have addresses.
        const ip = ipv4FromHex(lookup.hex)
        return ip === undefined ? undefined : known({ ip }, name, path, who)
      }
      case 'default':
        if (name.loader === 'grub') return sharedGrub(path, who)
        return answer(factsOf(who), 'pxelinux', path, who, name.folder)
    }
  }

  /**
   * Debian's signed GRUB asks for this one file and no other, so the file sends each machine on to its own. GRUBs that lost
   * their prefix under ProxyDHCP end here as well. A GRUB without `$net_default_mac`, or one that we have no answer
   * for, goes on with what the asking address is good for.
   */
  async function sharedGrub(path: CleanPath, who: Requester): Promise<string> {
    const rest = (await answer(factsOf(who), 'grub', path, who)) ?? renderGrub(ignored)
    return [
      '# One file for every machine: each goes on to its own.',
      'if [ -n "$net_default_mac" ]; then',
      '  configfile /boot/by/$net_default_mac/grub.cfg',
      'fi',
      '',
      rest,
    ].join('\n')
  }

  function ipxeEntry(who: Requester): string {
    const open = services()
    const { urls } = bootInputs(snapshot(), open, who)
    return ipxeEntryScript(open.http || urls.tftp === undefined ? urls.http : urls.tftp)
  }

  return {
    rootText: async (path: CleanPath, who: Requester): Promise<string | undefined> => {
      if (foreign.test(path)) return undefined
      if (ipxeEntries.has(path.slice(path.lastIndexOf('/') + 1))) return ipxeEntry(who)
      const name = parseLoaderName(path)
      return name && loaderText(name, path, who)
    },

    /** `path` is below `/boot`. */
    bootText: async (path: CleanPath, who: Requester): Promise<string | undefined> => {
      const parts = path.split('/').slice(1)
      const file = parts.pop() ?? ''
      const as = formatOfBootFile(file)
      if (!as) return undefined
      const [name = '', ...more] = parts
      const guest = more.length === 0 ? snapshot().guests.byName(name) : undefined
      if (guest) {
        await memory?.fresh()
        const inputs = bootInputs(snapshot(), services(), who, memory?.stateOf, views)
        // Who asks for a machine's description wants to install it; a loader is to do what is its turn.
        return isForLoaders(as)
          ? renderForLoader(decideForGuest(guest, {}, inputs).plan, as, loaderOptions(who, inputs))
          : renderPlan(planGuest(guest, {}, inputs), as)
      }
      const facts = name === 'by' && isForLoaders(as) ? identitiesIn(more, who) : undefined
      if (!facts) return undefined
      const plan = await answer(facts, as, path, who)
      if (plan !== undefined || as !== 'ipxe') return plan
      return renderIpxe(ignored, loaderOptions(who, bootInputs(snapshot(), services(), who)))
    },

    bootPaths: (): readonly string[] =>
      snapshot().guests.all.flatMap((guest) => formats.map((as) => `/${guest.name}/${bootFileOf(as)}`)),
  }
}

const ignored = { kind: 'local-disk', why: 'this machine is no guest here' } as const

/** What a request says of its sender besides the path. LPXELINUX sends a cookie, scripts of ours a query. */
function factsOf(who: Requester): BootFacts {
  return {
    ...(who.macs && { macs: who.macs }),
    ...(who.uuid !== undefined && !isNoUuid(who.uuid) && { uuid: who.uuid }),
    ...(who.serial !== undefined && { serial: who.serial }),
    ...(who.address !== '' && { ip: who.address }),
  }
}

/** MACs and UUIDs in any order; undefined when a part is neither. */
function identitiesIn(parts: readonly string[], who: Requester): BootFacts | undefined {
  const macs: string[] = []
  let uuid: string | undefined
  for (const part of parts) {
    const mac = canonicalMac(part)
    if (mac !== undefined) macs.push(mac)
    else if (isNoUuid(part)) continue
    else if (canonicalUuid(part) !== undefined) uuid = part
    else return undefined
  }
  const said = factsOf(who)
  return {
    ...said,
    ...(macs.length > 0 && { macs: [...macs, ...(said.macs ?? [])] }),
    ...(uuid !== undefined && { uuid }),
  }
}
