import { defined } from '../defined.ts'
import type { Settings, Sourced, SourcedNetwork, VirtSettings } from './guest.ts'
import { oneInterfaceKeys } from './network.ts'

/** The settings that one profile or guest has itself, without inherited ones. */
export type OwnSettings = Partial<Omit<Settings, 'args' | 'removals' | 'vars' | 'virt'>> & {
  readonly args: readonly Sourced<string>[]
  readonly vars: Settings['vars']
  readonly virt: Partial<Settings['virt']>
}

export interface Resolution {
  readonly settings: Settings
  /** Removals (`-quiet`) that removed nothing of the operator's. */
  readonly idleRemovals: readonly Sourced<string>[]
}

/**
 * The default virtual machine. virt-install and xl can create it unchanged; every value can be configured.
 */
export const defaultVirt = {
  type: 'hvm',
  memory: 2048,
  vcpus: 2,
  disk: 20,
  network: 'network=default',
} as const

/**
 * Joins the layers of settings, from the root profile to the guest. For each value the layer nearest to the
 * guest wins: `vars`, `virt` and `network` key by key (a var that is a mapping is replaced as a whole), a tree selector
 * as a whole. `args` add up in the order of the layers; `-key` removes all earlier arguments with that key,
 * `-key=value` only that one argument, and both remove treeboot's own (core/boot/operator-args.ts). `---`, after which
 * debian-installer keeps arguments for the installed system, is an argument like any other.
 */
export function resolveSettings(layers: readonly OwnSettings[]): Resolution {
  const { args, removals, idleRemovals } = resolveArgs(layers)
  const vars = Object.fromEntries(layers.flatMap((layer) => Object.entries(layer.vars)))
  const tree = nearest(layers, (layer) => layer.tree)
  const template = nearest(layers, (layer) => layer.template)
  const loader = nearest(layers, (layer) => layer.loader)
  const loaderFrom = nearest(layers, (layer) => layer.loaderFrom)
  const network = resolveNetwork(layers)
  return {
    idleRemovals,
    settings: {
      ...defined({ tree, template, loader, loaderFrom, network }),
      ...(removals.length > 0 && { removals }),
      args,
      vars,
      virt: resolveVirt(layers),
      source: nearest(layers, (layer) => layer.source) ?? byDefault('http'),
      retry: nearest(layers, (layer) => layer.retry) ?? byDefault(false),
    },
  }
}

/** All arguments in the order of the layers, without those that a later line removes. */
function resolveArgs(
  layers: readonly OwnSettings[],
): Pick<Resolution, 'idleRemovals'> & Required<Pick<Settings, 'args' | 'removals'>> {
  const idleRemovals: Sourced<string>[] = []
  const removals: Sourced<string>[] = []
  let args: Sourced<string>[] = []
  for (const arg of layers.flatMap((layer) => layer.args)) {
    if (!isRemoval(arg.value)) {
      args.push(arg)
      continue
    }
    removals.push(arg)
    const kept = args.filter((earlier) => !removes(arg.value.slice(1), earlier.value))
    if (kept.length === args.length) idleRemovals.push(arg)
    args = kept
  }
  return { args, removals, idleRemovals }
}

function isRemoval(arg: string): boolean {
  return arg.startsWith('-') && !arg.startsWith('--') && arg.length > 1
}

function removes(pattern: string, arg: string): boolean {
  return pattern === arg || (!pattern.includes('=') && arg.startsWith(`${pattern}=`))
}

function nearest<T>(
  layers: readonly OwnSettings[],
  pick: (layer: OwnSettings) => T | undefined,
): T | undefined {
  for (let i = layers.length - 1; i >= 0; i--) {
    const layer = layers[i]
    const value = layer && pick(layer)
    if (value !== undefined) return value
  }
  return undefined
}

function resolveVirt(layers: readonly OwnSettings[]): Settings['virt'] {
  const nearestValue = <K extends keyof VirtSettings>(key: K) => nearest(layers, (layer) => layer.virt[key])
  const type = nearestValue('type') ?? byDefault(defaultVirt.type)
  const hypervisor: Settings['virt']['hypervisor'] =
    type.value === 'pv' ? { value: 'xen', from: 'default for type pv' } : byDefault('kvm')
  return {
    type,
    hypervisor: nearestValue('hypervisor') ?? hypervisor,
    memory: nearestValue('memory') ?? byDefault(defaultVirt.memory),
    vcpus: nearestValue('vcpus') ?? byDefault(defaultVirt.vcpus),
    disk: nearestValue('disk') ?? byDefault(defaultVirt.disk),
    network: nearestValue('network') ?? byDefault(defaultVirt.network),
  }
}

/** What `Sourced.from` says of a value that nobody has set. */
export const fromDefault = 'default'

/**
 * Key by key. `interfaces` and the keys that stand for one interface exclude each other: the nearer of them removes the
 * inherited ones.
 */
function resolveNetwork(layers: readonly OwnSettings[]): SourcedNetwork | undefined {
  let network: SourcedNetwork | undefined
  for (const { network: own } of layers) {
    if (!own) continue
    const { interfaces, ...others } = network ?? {}
    const saysOne = oneInterfaceKeys.some((key) => own[key] !== undefined)
    const inherited = { ...others, ...defined({ interfaces: saysOne ? undefined : interfaces }) }
    if (own.interfaces)
      for (const key of oneInterfaceKeys) delete (inherited as Partial<typeof inherited>)[key]
    network = { ...inherited, ...own }
  }
  return network
}

function byDefault<T>(value: T): Sourced<T> {
  return { value, from: fromDefault }
}

/** Profile name -> the profiles it inherits, as written. */
export type Parents = ReadonlyMap<string, readonly string[]>

/**
 * The profiles that apply when `names` are inherited, from the root, each once. In a list the later name is
 * nearer to the heir, so it wins. Unknown names are left out, and a cycle ends where it would begin again.
 */
export function inheritanceOrder(names: readonly string[], parents: Parents): string[] {
  return walk(names, parents).order
}

/** All profiles that these lead to, themselves included, also names that are not defined. */
export function allInherited(names: readonly string[], parents: Parents): ReadonlySet<string> {
  const found = new Set(names)
  // A set is walked to its end also where it grows meanwhile.
  for (const name of found) for (const parent of parents.get(name) ?? []) found.add(parent)
  return found
}

/** Every cycle, as the names along it: `[a, b, a]`. */
export function inheritanceCycles(parents: Parents): string[][] {
  return walk([...parents.keys()], parents).cycles
}

/**
 * Walks the profiles depth first, parents before heirs. Its stack is an array, so that a long chain of
 * profiles cannot overflow the call stack.
 */
function walk(names: readonly string[], parents: Parents): { order: string[]; cycles: string[][] } {
  const order: string[] = []
  const cycles: string[][] = []
  const done = new Set<string>()
  /** Profiles that are being walked -> their place in `stack`. */
  const open = new Map<string, number>()
  const stack: { name: string; pending: string[] }[] = []

  function enter(name: string): void {
    const inherits = parents.get(name)
    if (inherits === undefined || done.has(name)) return
    if (open.has(name)) {
      cycles.push([...stack.slice(open.get(name)).map((step) => step.name), name])
      return
    }
    open.set(name, stack.length)
    // Reversed, because `pop` takes the last one.
    stack.push({ name, pending: [...inherits].reverse() })
  }

  for (const name of names) {
    enter(name)
    for (let step = stack.at(-1); step; step = stack.at(-1)) {
      const next = step.pending.pop()
      if (next !== undefined) {
        enter(next)
        continue
      }
      stack.pop()
      open.delete(step.name)
      done.add(step.name)
      order.push(step.name)
    }
  }
  return { order, cycles }
}
