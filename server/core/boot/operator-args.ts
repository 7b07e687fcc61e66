import { isReadOnce } from '../distro/argument-keys.ts'
import type { Sourced } from '../guest/guest.ts'
import { parseKernelArgs } from './kernel-args.ts'
import type { KernelArg } from './plan.ts'
import { isRepeatable } from './repeatable-args.ts'

/** An argument with its origin (`from`), and the origin of the later argument that replaced it, if any. */
export interface PlannedArg extends Sourced<KernelArg> {
  readonly overruledBy?: string
}

/** What the operator says about arguments, in the order of the profiles, from the root to the guest. */
export interface OperatorArgs {
  readonly args: readonly Sourced<string>[]
  /** Removals such as `-ip` or `-ip=dhcp`, for our own arguments; `args` has nothing any more that they remove. */
  readonly removals?: readonly Sourced<string>[]
}

/**
 * Joins the installer's arguments (`ours`) with the operator's, which begin with those of the root profile. A
 * later origin wins: the operator's `inst.repo=` replaces ours, and a guest's replaces that of its profile.
 * Ours are replaced even if the key may be repeated. Of what may be repeated, a nearer origin replaces only what it
 * says again (`saysAgain`). In one origin the same twice stands there once, and of two that surely contradict each other
 * the last one stays (`contradicts`).
 */
export function mergeArgs(
  ours: readonly Sourced<KernelArg>[],
  { args: operators, removals = [] }: OperatorArgs,
): PlannedArg[] {
  const all: Sourced<KernelArg>[] = [
    ...ours,
    ...operators.flatMap(({ value, from }) => parseKernelArgs(value).map((arg) => ({ value: arg, from }))),
  ]
  const generated = new Set(ours)
  return all.map((arg, at) => {
    const { key } = arg.value
    const isOurs = generated.has(arg)
    const removal = isOurs ? removals.find(({ value }) => removes(value, arg.value)) : undefined
    if (removal) return { ...arg, overruledBy: removal.from }
    const mayStay = !isOurs && isRepeatable(key)
    const later = all.slice(at + 1).find((other, i) => {
      if (other.value.key !== key) return false
      const between = all.slice(at + 1, at + 1 + i)
      if (other.from === arg.from)
        return !between.some(isSeparator) && (isSame(arg.value, other.value) || contradicts(arg, other, all))
      return !mayStay || (saysAgain(arg.value, other.value) && !between.some(isSeparator))
    })
    return later ? { ...arg, overruledBy: later.from } : arg
  })
}

/** `-quiet` removes every argument with that key, `-console=tty0` that one. */
function removes(removal: string, { key, value }: KernelArg): boolean {
  const [pattern] = parseKernelArgs(removal.slice(1))
  return pattern?.key === key && (pattern.value === undefined || pattern.value === value)
}

/** The kernel reads nothing behind `--`, and debian-installer gives to the new system what stands behind `---`. */
function isSeparator({ value: { key } }: Sourced<KernelArg>): boolean {
  return key === '--' || key === '---'
}

/**
 * Whether a later argument with the same key leaves nothing for an earlier one to say: one console twice, one device
 * that is configured twice.
 */
function saysAgain(earlier: KernelArg, later: KernelArg): boolean {
  if (earlier.key === 'ip') return replacesIp(earlier.value ?? '', later.value ?? '')
  return isSame(earlier, later)
}

/**
 * Whether of two different arguments of one origin only one can count. Two `ip=` of two families may both be meant for one
 * device: NetworkManager's nm-initrd-generator takes them.
 */
function contradicts(
  { value: earlier, from }: Sourced<KernelArg>,
  { value: later }: Sourced<KernelArg>,
  all: readonly Sourced<KernelArg>[],
): boolean {
  const { key } = earlier
  if (key === 'ip')
    return (
      replacesIp(earlier.value ?? '', later.value ?? '') && familyOf(earlier.value) === familyOf(later.value)
    )
  return isReadOnce(key) && !all.some((arg) => arg.from === from && arg.value.key === `${key}.all`)
}

/**
 * What of the operator's arguments contradicts itself in one origin, as a sentence for each key: what was left out
 * for it, and the `ip=` of two families that stay. Only the values of `ip=` are shown: others may be secret.
 */
export function contradictions(args: readonly PlannedArg[]): string[] {
  const texts = args.flatMap((arg, at) => {
    const rival = args
      .slice(at + 1)
      .find(
        ({ from, value, overruledBy }) =>
          from === arg.from && value.key === arg.value.key && overruledBy === undefined,
      )
    return rival && !isSame(arg.value, rival.value) ? (contradictionText(arg, rival.value) ?? []) : []
  })
  return [...new Set(texts)]
}

/** @param rival A later argument with the same key and origin, which stays. */
function contradictionText({ from, value, overruledBy }: PlannedArg, rival: KernelArg): string | undefined {
  const { key, value: said = '' } = value
  const { value: later = '' } = rival
  if (overruledBy === from && key !== 'ip')
    return `${from}: ${key} stands there more than once, and only the last one stays: keep one of them`
  if (key !== 'ip') return undefined
  if (overruledBy === from)
    return `${from}: ip=${said} and ip=${later} contradict each other, and only the last one stays: keep one of them`
  if (overruledBy !== undefined || !replacesIp(said, later)) return undefined
  return `${from}: ip=${said} and ip=${later} are not for two devices: NetworkManager takes both, and an initrd with dracut's own network scripts, as of Enterprise Linux 8, ends there`
}

/** `hugepages` count for the `hugepagesz` before them, and separators for what stands behind them: each of them stays. */
function isSame(a: KernelArg, b: KernelArg): boolean {
  return a.key === b.key && a.value === b.value && !/^(?:hugepages|-)/.test(a.key)
}

/**
 * dracut ends in `die` when two `ip=` are for one device, or one of several that ask for an address has no device
 * (parse-ip-opts.sh). `ibft` configures what the firmware booted from, and stands beside others.
 */
function replacesIp(earlier: string, later: string): boolean {
  if (earlier === later) return true
  if (earlier === 'ibft' || later === 'ibft') return false
  const [device, other] = [deviceOf(earlier), deviceOf(later)]
  return device === '' || other === '' || device === other
}

/** The family that an `ip=` sets up: by its address, else by its method. */
function familyOf(ip = ''): 4 | 6 {
  return ip.startsWith('[') || /(?:^|:)(?:dhcp6|auto6|either6|link6)(?::|$)/.test(ip) ? 6 : 4
}

/**
 * The device of an `ip=`, or '': `DEVICE:METHOD`, or the sixth part of `ADDRESS:PEER:GATEWAY:MASK:NAME:DEVICE:METHOD`
 * (dracut.cmdline(7)).
 */
function deviceOf(ip: string): string {
  const [first = '', second = '', , , , sixth = ''] = ip.replace(/\[[^\]]*\]/g, 'address').split(':')
  return /^(?:dhcp6?|on|any|both|single-dhcp|auto6|either6|link6|link-local|off|none|ibft)$/.test(second)
    ? first
    : sixth
}

export function effectiveArgs(args: readonly PlannedArg[]): KernelArg[] {
  return args.filter((arg) => arg.overruledBy === undefined).map((arg) => arg.value)
}
