import type { Snapshot } from '../catalog/snapshot.ts'
import type { BootFacts, BootInputs } from '../core/boot/plan-boot.ts'
import { fileBase, type OpenServices } from '../core/boot/urls.ts'
import { defined } from '../core/defined.ts'
import type { Guest } from '../core/guest/guest.ts'
import { type BootPath, parseBootPath } from '../core/loader/boot-path.ts'
import type { LoaderKind } from '../core/loader/loaders.ts'
import type { Requester } from '../core/net/requester.ts'
import { type GeneratedText, generatedSource } from '../files/generated.ts'
import { type CleanPath, cleanPath, joinPath, rootPath } from '../files/path.ts'
import { lru } from '../host/lru.ts'
import type { BootMachines } from '../machines/boot-machines.ts'
import { bootDecision, bootInputs, type Decision, decideBoot, decideForGuest } from '../machines/decide.ts'
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
import type { Answers } from './answers.ts'
import { factsOf, isLeftToNext, recognise, shownBy } from './asking-machine.ts'
import { type AutoOfferParts, autoOffer, whyNotConfirmed } from './auto-offer.ts'
import type { Mount } from './mounts.ts'
import { loaderOptions, planAs, renderForLoader } from './render-boot.ts'

export interface BootConfigOptions {
  readonly snapshot: () => Snapshot
  /** The services that are open now, with their real ports. */
  readonly services: () => OpenServices
  readonly machines: BootMachines
  readonly answers: Answers
  readonly autoGuests?: AutoOfferParts['autoGuests']
}

/**
 * The paths that a listing shows at the root. File names with a MAC, UUID or address are left out: every
 * machine has its own.
 */
const rootPaths = ['/boot.ipxe', '/autoexec.ipxe']

/**
 * The mounts with generated boot configurations. At the paths of `bootPathForms` (core/loader/boot-path.ts)
 * each loader gets the configuration for its machine. Below `/boot/<guest>/` anyone can read what that guest
 * would boot, in the format of every loader and hypervisor.
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
        // Everybody may list, and the names of guests are nobody's business.
        hidesRoot: true,
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

/**
 * How many menus are kept. Real clients need few: one for each loader and each of our addresses. Clients
 * choose the `Host` header, and must not fill memory with it.
 */
const mostMenus = 64

type MaybeText = Promise<GeneratedText | undefined>

class BootConfigs {
  readonly #options: BootConfigOptions
  /**
   * Rendered menus, which are long with many trees and the same for all machines that reach us the same way.
   */
  readonly #menus = lru<string, string>(mostMenus)

  constructor(options: BootConfigOptions) {
    this.#options = options
  }

  /** The paths below `/boot` that a listing shows. */
  listed(): readonly string[] {
    const { guests } = this.#options.snapshot()
    return guests.all.flatMap(({ name }) => formats.map((as) => `/${name}/${bootFileOf(as)}`))
  }

  /** The text at `/boot/<guest>/...` or `/boot/by/...`. */
  async belowBoot(path: CleanPath, who: Requester): MaybeText {
    const asked = parseBootPath(path)
    // `form` is the pattern that the path has, `owner` whom it names. Only the form `guest` names a guest.
    if (asked?.owner.kind === 'guest') {
      const guest = this.#options.snapshot().guests.byName(asked.owner.name)
      return guest && this.#preview(guest, asked.loader, who)
    }
    if (asked?.form === 'identity') return this.#byIdentity(asked, who)
    // Any other form, such as `/boot/x/grub.cfg-01-...`, is no description either: `anywhere` serves it.
    return this.#description(path, who)
  }

  /** The text at a path that loaders ask for by themselves, in any folder. */
  async anywhere(path: CleanPath, who: Requester): MaybeText {
    const asked = parseBootPath(path)
    if (!asked) return undefined
    switch (asked.form) {
      // Only `belowBoot` serves these paths.
      case 'identity':
        return undefined
      case 'script':
        return this.#script(who)
      case 'grub':
        return asked.owner.kind === 'everybody' ? this.#sharedGrub(who) : this.#named(asked, who)
      case 'guest':
        // No guest has that name, or `belowBoot` would have served the path. GRUB was loaded from this
        // folder, and asks there for the file that every machine gets.
        return asked.loader === 'grub' ? this.#sharedGrub(who) : undefined
      default:
        return this.#named(asked, who)
    }
  }

  /**
   * What a guest would boot, asked for by the guest's name. It carries no decision, because it is not a boot.
   */
  async #preview(guest: Guest, loader: LoaderKind, who: Requester): MaybeText {
    await this.#options.machines.fresh()
    const snapshot = this.#options.snapshot()
    const inputs = await this.#options.answers.inputsFor(this.#inputs(who, snapshot), {
      guest,
      who,
      snapshot,
    })
    // No machine asks, so there are no facts of one.
    const { plan } = decideForGuest(guest, {}, inputs)
    return { text: renderForLoader(plan, loader, loaderOptions(who, inputs)) }
  }

  /** A guest's plan for a hypervisor or a person: a format that no loader reads. */
  async #description(path: CleanPath, who: Requester): MaybeText {
    const [, , name = '', file = '', ...more] = path.split('/')
    const as = formatOfBootFile(file)
    const snapshot = this.#options.snapshot()
    const guest = more.length === 0 ? snapshot.guests.byName(name) : undefined
    if (!guest || !as || isForLoaders(as)) return undefined
    await this.#options.machines.fresh()
    const inputs = await this.#options.answers.inputsFor(this.#inputs(who, snapshot), {
      guest,
      who,
      snapshot,
    })
    return { text: renderPlan(planAs(guest, as, inputs), as) }
  }

  /** `/boot/by/...`: every machine gets a plan there, guest or not. */
  async #byIdentity({ owner, loader }: BootPath, who: Requester): MaybeText {
    if (owner.kind !== 'machine') return undefined // for the compiler: this form names a machine
    const sender = factsOf(who)
    // The path's MACs and its UUID come before those that the request itself carries.
    const macs = owner.macs.length > 0 ? [...owner.macs, ...(sender.macs ?? [])] : undefined
    const facts = { ...sender, ...defined({ macs, uuid: owner.uuid }) }
    const config = await this.#configFor(facts, loader, who, { makesGuests: true })
    // Without a file, GRUB goes on in the shared one (`#sharedGrub`); the entry script of iPXE would fail.
    if (config || loader !== 'ipxe') return config
    const text = renderIpxe(ignored, loaderOptions(who, this.#inputs(who)))
    // The machine is ignored, but its request still counts for `treeboot inbox`.
    return { text, decision: bootDecision({ plan: ignored, summary: ignored.why }, facts, loader) }
  }

  /**
   * `pxelinux.cfg/<name>` and `grub.cfg-<name>`: a name with a MAC, UUID or address is 404 unless it is a
   * guest's.
   */
  async #named({ owner, loader, folder }: BootPath, who: Requester): MaybeText {
    switch (owner.kind) {
      case 'everybody':
        return this.#configFor(factsOf(who), loader, who, { folder })
      case 'machine':
        return this.#configFor(defined({ macs: owner.macs, uuid: owner.uuid }), loader, who, {
          folder,
          unknown: 'selected',
          makesGuests: true,
        })
      case 'address':
        return this.#configFor({ ip: owner.ip }, loader, who, { folder, unknown: 'none' })
      // A shortened address: its loader goes on to shorter names, and then to the one for everybody.
      default:
        return undefined
    }
  }

  /**
   * The `grub.cfg` that every machine gets. Debian's signed GRUB asks for no other file, so this file first
   * loads `/boot/by/<MAC>/grub.cfg`. GRUBs that lost their prefix under ProxyDHCP also ask for it. A GRUB
   * without `$net_default_mac`, or a GRUB that finds no file there, executes the rest: the plan for the address
   * that asks.
   */
  async #sharedGrub(who: Requester): Promise<GeneratedText> {
    const config = await this.#configFor(factsOf(who), 'grub', who)
    const text = [
      '# Every machine gets this file, and then loads its own.',
      'if [ -n "$net_default_mac" ]; then',
      '  configfile /boot/by/$net_default_mac/grub.cfg',
      'fi',
      '',
      config?.text ?? renderGrub(ignored),
    ].join('\n')
    return { text, ...defined({ decision: config?.decision }) }
  }

  /** The script with which iPXE begins. It goes on by HTTP; by TFTP when only that is open. */
  #script(who: Requester): GeneratedText {
    const inputs = this.#inputs(who)
    return { text: ipxeEntryScript(fileBase(inputs.urls), loaderOptions(who, inputs).server) }
  }

  /**
   * The boot configuration of the machine with these facts. Of unknown machines `selected` serves only those that a
   * profile selects, and `none` serves none: their loaders go on to the next name.
   * `folder`: the loader's own, see `BootPath`. `makesGuests`: the path names a machine, which may become a guest.
   */
  async #configFor(
    asked: BootFacts,
    loader: LoaderKind,
    who: Requester,
    { folder = '', unknown = 'all', makesGuests = false }: ConfigOptions = {},
  ): MaybeText {
    await this.#options.machines.fresh()
    const why = await this.#whyNoAnswerFile(asked, who)
    // Rendering may take seconds. Meanwhile the guest may have been installed or held, or the configuration changed; so
    // the decision is made after it, from what holds then.
    await this.#options.machines.fresh()
    const snapshot = this.#options.snapshot()
    const { guest, facts: known } = recognise(this.#options.machines, asked, snapshot)
    if (unknown === 'none' && !guest) return undefined
    const shownFacts = { ...known, shown: shownBy(this.#options.machines, known, who) }
    const facts = guest ? known : shownFacts
    const usual = this.#inputs(who, snapshot)
    const whyNoInstall = await whyNotConfirmed(this.#options, guest, {
      facts: shownFacts,
      who,
      inputs: usual,
    })
    const inputs = { ...usual, ...defined({ whyNoAnswerFile: asFunction(why), whyNoInstall }) }
    // PXELINUX and GRUB ask by UUID, and then by MAC: the guest is known by its MAC.
    const isStranger = makesGuests && !guest && (asked.macs ?? []).length > 0
    const auto = isStranger && (await autoOffer(this.#options, { facts, who, inputs, snapshot }))
    const offer = auto && 'decision' in auto ? auto : undefined
    const whyNoGuest = auto && 'whyNoGuest' in auto ? { whyNoGuest: auto.whyNoGuest } : {}
    const decision = offer?.decision ?? decideBoot(guest, facts, { ...inputs, ...whyNoGuest })
    if (!decision || (unknown === 'selected' && isLeftToNext(decision.selected, facts))) return undefined
    const text = this.#write(decision, loader, loaderOptions(who, inputs, folder), { inputs, snapshot })
    const claim = offer && { claim: offer.claim }
    return { text, decision: bootDecision(decision, facts, loader), ...claim }
  }

  /**
   * Why the guest with these facts gets no answer file from its installer. A guest is sent into its installer only when
   * the answer file that this asks for can be made; so it is made now, and kept for the installer. For a machine that
   * boots its disk nothing is rendered.
   */
  async #whyNoAnswerFile(asked: BootFacts, who: Requester): Promise<string | undefined> {
    const snapshot = this.#options.snapshot()
    const { guest, facts } = recognise(this.#options.machines, asked, snapshot)
    if (!guest) return undefined
    const { plan } = decideForGuest(guest, facts, this.#inputs(who, snapshot))
    if (plan.kind !== 'install' || plan.answerFile === undefined) return undefined
    return this.#options.answers.whyNone({ guest, who, snapshot })
  }

  #write(
    { plan, selected }: Decision,
    as: Format,
    options: RenderOptions,
    { inputs, snapshot }: { readonly inputs: BootInputs; readonly snapshot: Snapshot },
  ): string {
    // A client that still sees earlier versions of trees has a menu of its own.
    const isShared = plan.kind === 'menu' && selected?.kind !== 'profile' && inputs.trees === snapshot.trees
    if (!isShared) return renderForLoader(plan, as, options)
    const { http, tftp } = inputs.urls
    const key = JSON.stringify([snapshot.generation, http, tftp, as, options])
    const cached = this.#menus.get(key)
    if (cached !== undefined) return cached
    const text = renderForLoader(plan, as, options)
    this.#menus.set(key, text)
    return text
  }

  #inputs(who: Requester, snapshot = this.#options.snapshot()): BootInputs {
    const { services, machines } = this.#options
    return bootInputs({ snapshot, services: services(), who, machines })
  }
}

interface ConfigOptions {
  readonly folder?: string
  /** Which unknown machines a file is served to. */
  readonly unknown?: 'all' | 'selected' | 'none'
  readonly makesGuests?: boolean
}

function asFunction(why: string | undefined): (() => string) | undefined {
  return why === undefined ? undefined : () => why
}

/** What a machine does that `unknown: ignore` ignores, when its loader must be given a file all the same. */
const ignored = { kind: 'local-disk', why: 'this machine is not a guest here' } as const
