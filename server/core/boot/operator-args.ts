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
    const replaces = (other: Sourced<KernelArg>): boolean =>
      other.value.key === key && other.from !== arg.from && (!mayStay || saysAgain(arg.value, other.value))
    const later = all.slice(at + 1).find(replaces)
    return later ? { ...arg, overruledBy: later.from } : arg
  })
}

/**
 * Whether a later argument with the same key leaves nothing for an earlier one to say. That is so for the same value,
 * except of separators, which divide what stands around them. It is also so for `ip=` when one of the two names no
 * device: dracut ends in `die` when one of several has none (parse-ip-opts.sh).
 */
function saysAgain(earlier: KernelArg, later: KernelArg): boolean {
  if (earlier.key === 'ip' && !(namesDevice(earlier.value) && namesDevice(later.value))) return true
  return earlier.value === later.value && !/^-+$/.test(earlier.key)
}

/** `ip=DEVICE:METHOD`, or the sixth part of `ip=ADDRESS:PEER:GATEWAY:MASK:NAME:DEVICE:METHOD` (dracut.cmdline(7)). */
function namesDevice(ip = ''): boolean {
  const parts = ip.replace(/\[[^\]]*\]/g, 'address').split(':')
  return parts.length > 1 && (parts.length < 6 || parts[5] !== '')
}

export function effectiveArgs(args: readonly PlannedArg[]): KernelArg[] {
  return args.filter((arg) => arg.overruledBy === undefined).map((arg) => arg.value)
}
