import { LRUCache } from 'lru-cache'
import type { Snapshot } from '../catalog/snapshot.ts'
import type { BootDecision } from '../core/boot/decision.ts'
import type { BootFacts, BootInputs } from '../core/boot/plan-boot.ts'
import type { OpenServices } from '../core/boot/urls.ts'
import { defined } from '../core/defined.ts'
import type { Guest } from '../core/guest/guest.ts'
import { type BootPath, parseBootPath } from '../core/loader/boot-path.ts'
import type { LoaderKind } from '../core/loader/loaders.ts'
import type { Requester } from '../core/net/requester.ts'
import { isPlaceholderUuid } from '../core/net/uuid.ts'
import { type GeneratedText, generatedSource } from '../files/generated.ts'
import { type CleanPath, cleanPath, joinPath, rootPath } from '../files/path.ts'
import { bootDecision, bootInputs, type Decision, decideBoot, decideForGuest } from '../machines/decide.ts'
import type { BootMachines } from '../machines/machines.ts'
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
import { loaderOptions, planAs, renderForLoader } from './render-boot.ts'

export interface BootConfigOptions {
  readonly snapshot: () => Snapshot
  /** The services that are open now, with their real ports. */
  readonly services: () => OpenServices
  readonly machines: BootMachines
}

/**
 * What a listing shows at the root. Not the names that stand for one machine: there is one for every machine.
 */
const rootPaths = ['/boot.ipxe', '/autoexec.ipxe']

/**
 * The boot configurations that loaders ask for, made for the one that asks, at the paths of `bootPathForms`
 * (core/loader/boot-path.ts); and below `/boot/<guest>/` what this guest would boot, for every loader and
 * hypervisor.
 */
export function bootConfigMounts(options: BootConfigOptions): readonly Mount[] {
  const configs = new BootConfigs(options)
  const boot = cleanPath('/boot')
  return [
    {
      at: boot,
      source: generatedSource({
        text: (path, who) => configs.belowBoot(joinPath(boot, path), who),
        paths: () => configs.listed(),
      }),
      why: 'what each guest would boot, for every loader and hypervisor',
    },
    {
      at: rootPath,
      source: generatedSource({
        text: (path, who) => configs.anywhere(path, who),
        paths: () => rootPaths,
      }),
      why: 'the names that loaders ask for by themselves; after tftpboot, so that hand-written files win',
    },
  ]
}

/** Menus kept: a few loaders, a few addresses of ours. What clients claim in `Host` must not fill memory. */
const mostMenus = 64

type Made = Promise<GeneratedText | undefined>

class BootConfigs {
  readonly #options: BootConfigOptions
  /**
   * Menus of unknown machines: the same text for all that reach us the same way, and long with many trees.
   */
  readonly #menus = new LRUCache<string, string>({ max: mostMenus })

  constructor(options: BootConfigOptions) {
    this.#options = options
  }

  listed(): readonly string[] {
    const { guests } = this.#options.snapshot()
    return guests.all.flatMap(({ name }) => formats.map((as) => `/${name}/${bootFileOf(as)}`))
  }

  /** `/boot/<guest>/...` and `/boot/by/...`. */
  async belowBoot(path: CleanPath, who: Requester): Made {
    const asked = parseBootPath(path)
    if (asked?.owner.kind === 'guest') {
      const guest = this.#options.snapshot().guests.byName(asked.owner.name)
      return guest && this.#preview(guest, asked.loader, who)
    }
    if (asked?.form === 'identity') return this.#byIdentity(asked, who)
    return this.#description(path, who)
  }

  /** The names that loaders ask for by themselves, in any folder. */
  async anywhere(path: CleanPath, who: Requester): Made {
    const asked = parseBootPath(path)
    if (!asked) return undefined
    switch (asked.form) {
      // `belowBoot` has declined it, so it stays declined.
      case 'identity':
        return undefined
      case 'script':
        return this.#script(who)
      case 'grub':
        return asked.owner.kind === 'everybody' ? this.#sharedGrub(who) : this.#named(asked, who)
      case 'guest':
        // No guest of that name: GRUB takes this folder for its own and asks for the file that is
        // everybody's.
        return asked.loader === 'grub' ? this.#sharedGrub(who) : undefined
      default:
        return this.#named(asked, who)
    }
  }

  /** What a guest would boot, for somebody who asks by the guest's name. That is not a boot. */
  async #preview(guest: Guest, loader: LoaderKind, who: Requester): Made {
    await this.#options.machines.fresh()
    const inputs = this.#inputs(who)
    const { plan } = decideForGuest(guest, {}, inputs)
    return { text: renderForLoader(plan, loader, loaderOptions(who, inputs)) }
  }

  async #description(path: CleanPath, who: Requester): Made {
    const [, , name = '', file = '', ...more] = path.split('/')
    const as = formatOfBootFile(file)
    const guest = more.length === 0 ? this.#options.snapshot().guests.byName(name) : undefined
    if (!guest || !as || isForLoaders(as)) return undefined
    await this.#options.machines.fresh()
    return { text: renderPlan(planAs(guest, as, this.#inputs(who)), as) }
  }

  /** `/boot/by/...`: every machine has a plan there, known or not. */
  async #byIdentity({ owner, loader }: BootPath, who: Requester): Made {
    if (owner.kind !== 'machine') return undefined
    const said = factsOf(who)
    const macs = owner.macs.length > 0 ? [...owner.macs, ...(said.macs ?? [])] : undefined
    const facts = { ...said, ...defined({ macs, uuid: owner.uuid }) }
    const told = await this.#tell(facts, loader, who)
    if (told || loader !== 'ipxe') return told
    const text = renderIpxe(ignored, loaderOptions(who, this.#inputs(who)))
    // Ignored, and shown to the operator all the same.
    return { text, decision: bootDecision({ plan: ignored, summary: ignored.why }, facts, loader) }
  }

  /**
   * `pxelinux.cfg/<name>` and `grub.cfg-<name>`: a name that means one machine is declined unless that is a
   * guest.
   */
  async #named({ owner, loader, folder }: BootPath, who: Requester): Made {
    switch (owner.kind) {
      case 'everybody':
        return this.#tell(factsOf(who), loader, who, { folder })
      case 'machine':
        return this.#tell(defined({ macs: owner.macs, uuid: owner.uuid }), loader, who, {
          folder,
          known: true,
        })
      case 'address':
        return this.#tell({ ip: owner.ip }, loader, who, { folder, known: true })
      default:
        return undefined
    }
  }

  /**
   * Debian's signed GRUB asks for this one file and no other, so the file sends each machine on to its own.
   * GRUBs that lost their prefix under ProxyDHCP end here as well. A GRUB without `$net_default_mac`, or one
   * that is declined there, goes on with the plan of the asking address.
   */
  async #sharedGrub(who: Requester): Promise<GeneratedText> {
    const told = await this.#tell(factsOf(who), 'grub', who)
    const text = [
      '# One file for every machine: each goes on to its own.',
      'if [ -n "$net_default_mac" ]; then',
      '  configfile /boot/by/$net_default_mac/grub.cfg',
      'fi',
      '',
      told?.text ?? renderGrub(ignored),
    ].join('\n')
    return { text, ...defined({ decision: told?.decision }) }
  }

  #script(who: Requester): GeneratedText {
    const { urls } = this.#inputs(who)
    const base = this.#options.services().http || urls.tftp === undefined ? urls.http : urls.tftp
    return { text: ipxeEntryScript(base) }
  }

  /** The plan of the machine with these facts. `known`: only if it is a guest. */
  async #tell(
    said: BootFacts,
    loader: LoaderKind,
    who: Requester,
    { folder = '', known = false }: { readonly folder?: string; readonly known?: boolean } = {},
  ): Promise<{ readonly text: string; readonly decision: BootDecision } | undefined> {
    await this.#options.machines.fresh()
    const now = this.#options.snapshot()
    const { guest, facts } = this.#recognise(said, now)
    if (known && !guest) return undefined
    const inputs = this.#inputs(who, now)
    const decision = decideBoot(guest, facts, inputs)
    if (!decision) return undefined
    const text = this.#write(decision, loader, loaderOptions(who, inputs, folder), { inputs, now })
    return { text, decision: bootDecision(decision, facts, loader) }
  }

  /** Debian's signed GRUB says its MAC alone, also on a machine that is known by its UUID. */
  #recognise(facts: BootFacts, { guests }: Snapshot): { guest: Guest | undefined; facts: BootFacts } {
    const guest = guests.match(facts)?.guest
    if (guest || facts.uuid !== undefined) return { guest, facts }
    const { machines } = this.#options
    const uuid = facts.macs?.map((mac) => machines.uuidOf(mac)).find((each) => each !== undefined)
    if (uuid === undefined) return { guest, facts }
    const more = { ...facts, uuid }
    return { guest: guests.match(more)?.guest, facts: more }
  }

  #write(
    { plan }: Decision,
    as: Format,
    options: RenderOptions,
    { inputs, now }: { readonly inputs: BootInputs; readonly now: Snapshot },
  ): string {
    if (plan.kind !== 'menu') return renderForLoader(plan, as, options)
    const { http, tftp } = inputs.urls
    const key = JSON.stringify([now.generation, http, tftp, as, options])
    const known = this.#menus.get(key)
    if (known !== undefined) return known
    const text = renderForLoader(plan, as, options)
    this.#menus.set(key, text)
    return text
  }

  #inputs(who: Requester, snapshot = this.#options.snapshot()): BootInputs {
    const { services, machines } = this.#options
    return bootInputs({ snapshot, services: services(), who, machines })
  }
}

const ignored = { kind: 'local-disk', why: 'this machine is not a guest here' } as const

/** What a request says of its sender besides the path. LPXELINUX sends a cookie, scripts of ours a query. */
function factsOf({ macs, uuid, serial, address }: Requester): BootFacts {
  return defined({
    macs,
    uuid: uuid !== undefined && isPlaceholderUuid(uuid) ? undefined : uuid,
    serial,
    ip: address === '' ? undefined : address,
  })
}
