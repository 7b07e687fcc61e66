import type { VmFirmware } from '../core/boot/test-firmware.ts'
import type { BootTestResult, Reach } from '../core/boottest/result.ts'

/** What a boot test is asked, as JSON on the standard input of its process. */
export interface BootTestRequest {
  /** The id that the version is, or is to be, published under; for names of logs. */
  readonly id: string
  /** The folder, or the image. It is only read. */
  readonly path: string
  readonly kind: 'folder' | 'iso'
  /** Paths of trees below `path`; `.` is `path` itself. The first that boots is tested. */
  readonly trees: readonly string[]
  /** Those that no machine of the tree's architecture has are passed over. */
  readonly firmware: readonly VmFirmware[]
  readonly reach: Reach
  /** How long one machine may take; `auto`: by the reference boot. */
  readonly timeoutMs: number | 'auto'
  /** `user`: QEMU's own, without treeboot's DHCP and TFTP. Default: a network with both where that can be made. */
  readonly network?: 'auto' | 'user'
  /** Where tickets, logs and the reference boot are kept: see `bootTestFolder`. */
  readonly folder: string
}

/**
 * What the process of a boot test says, one JSON line each. `may-boot`: it waits for a line `go` before it switches a
 * machine on.
 */
export type BootTestMessage =
  | { readonly event: 'waiting'; readonly place: number; readonly waiting: number }
  | { readonly event: 'may-boot' }
  | { readonly event: 'booting'; readonly firmware: VmFirmware; readonly timeoutMs: number }
  | { readonly event: 'result'; readonly result: BootTestResult }
  | { readonly event: 'end' }
  | { readonly event: 'error'; readonly message: string }
