import type { Sourced } from '../guest/guest.ts'
import { parseKernelArgs } from './kernel-args.ts'
import type { KernelArg } from './plan.ts'

/** An argument with its origin (`from`), and the origin of the later argument that replaced it, if any. */
export interface PlannedArg extends Sourced<KernelArg> {
  readonly overruledBy?: string
}

/**
 * Keys that may occur several times on a command line. For any other key, an argument from an origin nearer
 * to the guest replaces the earlier ones. `--` and `---` are separators of debian-installer.
 */
const repeatable =
  /^(console|earlycon|ip|nameserver|ifname|bond|bridge|vlan|team|route|rd\..*|inst\.addrepo|inst\.dd|inst\.updates|inst\.ks\.all|inst\.stage2\.all|inst\.script|dd|modprobe\.blacklist|module_blacklist|initcall_blacklist|systemd\.(wants|mask|set_credential|setenv)|driverupdate|addon|ptoptions|BOOT_DEBUG|fips|memmap|hugepages(z|sz)?|pci|-{2,3})$/

/**
 * Joins the installer's arguments (`ours`) with the operator's, which begin with those of the root profile. A
 * later origin wins: the operator's `inst.repo=` replaces ours, and a guest's replaces that of its profile.
 * Ours are replaced even if the key may be repeated. Of what may be repeated, a nearer origin replaces only what it
 * says again (`saysAgain`). Arguments of one origin never replace each other.
 */
export function mergeArgs(
  ours: readonly Sourced<KernelArg>[],
  operators: readonly Sourced<string>[],
): PlannedArg[] {
  const all: Sourced<KernelArg>[] = [
    ...ours,
    ...operators.flatMap(({ value, from }) => parseKernelArgs(value).map((arg) => ({ value: arg, from }))),
  ]
  const generated = new Set(ours)
  return all.map((arg, at) => {
    const { key } = arg.value
    const mayStay = !generated.has(arg) && repeatable.test(key)
    const later = all.slice(at + 1).find((other, i) => {
      if (other.value.key !== key || other.from === arg.from) return false
      const between = all.slice(at + 1, at + 1 + i)
      return !mayStay || (saysAgain(arg.value, other.value) && !between.some(isSeparator))
    })
    return later ? { ...arg, overruledBy: later.from } : arg
  })
}

/** The kernel reads nothing behind `--`, and debian-installer gives to the new system what stands behind `---`. */
function isSeparator({ value: { key } }: Sourced<KernelArg>): boolean {
  return key === '--' || key === '---'
}

/**
 * Whether a later argument with the same key leaves nothing for an earlier one to say: one console twice, one device
 * that is configured twice. `hugepages` count for the `hugepagesz` before them, so both stay.
 */
function saysAgain(earlier: KernelArg, later: KernelArg): boolean {
  if (earlier.key === 'ip') return replacesIp(earlier.value ?? '', later.value ?? '')
  return earlier.value === later.value && !/^(?:hugepages|-)/.test(earlier.key)
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
