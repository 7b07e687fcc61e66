import type { TestFirmware } from '../core/boot/test-firmware.ts'
import type { Protocol } from '../core/net/requester.ts'

/** What a step of a boot is for. */
export type StepName =
  | 'dhcp'
  | 'loader'
  | 'configuration'
  | 'plan'
  | 'kernel'
  | 'initrd'
  | 'second stage'
  | 'argument'
  | 'answer file'
  | 'repository'

/**
 * How a step ended.
 *
 * - `ok`: what was asked for came, and it is right as far as it was looked at.
 * - `absent`: a file is not there that the client does without: it asks for the next name.
 * - `skipped`: it was not tried, and `why` says why.
 * - `failed`: the machine goes no further; `why` and `remedy` say why and what to do.
 */
export type Outcome = 'ok' | 'absent' | 'skipped' | 'failed'

/** One thing that a machine asks for on its way, and what it gets. */
export interface Step {
  readonly what: StepName
  /** The service that is asked; `internal` for a decision that no request asks for. */
  readonly protocol: Protocol
  /** The path, the URL or the packet in words, as the client says it. */
  readonly asked: string
  readonly outcome: Outcome
  /** The path in the namespace; absent where no file is asked for. */
  readonly path?: string
  /** The size of the file. */
  readonly bytes?: number
  /** What came, in words. Never a part of an answer file. */
  readonly came?: string
  readonly why?: string
  readonly remedy?: string
  /** What does not end this boot, and may end another: a loader that Secure Boot refuses, for example. */
  readonly notes?: readonly string[]
}

/** What a boot of a guest with one kind of firmware would be. */
export interface TriedBoot {
  readonly guest: string
  readonly firmware: TestFirmware
  /** `next-boot`: as the guest's state is. `install`: as if the operator had ordered its installation now. */
  readonly as: 'next-boot' | 'install'
  readonly ok: boolean
  /** What the machine does at the end, in words; for one that fails, where it stops. */
  readonly end: string
  /** In the order in which they happen; of a boot that fails, the last is the one that failed. */
  readonly steps: readonly Step[]
}
