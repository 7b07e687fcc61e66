import type { Snapshot } from '../catalog/snapshot.ts'
import type { ServerUrls } from '../core/boot/plan.ts'
import type { TestCpu, TestFirmware } from '../core/boot/test-firmware.ts'
import type { OpenServices } from '../core/boot/urls.ts'
import { defined } from '../core/defined.ts'
import { failureMessage } from '../core/failure.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { Protocol, Requester } from '../core/net/requester.ts'
import { type CleanPath, cleanPath } from '../files/path.ts'
import type { Entry, FileSource } from '../files/source.ts'
import { bootInputs } from '../machines/decide.ts'
import type { DecideNetworkBoot } from '../machines/network-boot.ts'
import type { Answers } from '../namespace/answers.ts'
import { parseTarget } from '../protocols/http/target.ts'
import { defaultOptionLimits, negotiate } from '../protocols/tftp/wire/options.ts'
import { decodePacket, encodePacket } from '../protocols/tftp/wire/packet.ts'
import { requestPath } from '../protocols/tftp/wire/request.ts'
import type { Client } from './clients.ts'
import type { DryMachines } from './dry-machines.ts'
import { headOf, isWebPage } from './file-heads.ts'
import { remedies } from './remedies.ts'
import type { Step, StepName } from './steps.ts'

/** The machine that is tried: what it says of itself on its way. */
export interface TriedMachine {
  /** Canonical. */
  readonly mac: string
  readonly uuid?: string
  readonly serial?: string
  /** '' when it will be told one that nobody knows yet. */
  readonly address: string
}

export interface WalkParts {
  readonly guest: Guest
  readonly machine: TriedMachine
  readonly firmware: TestFirmware
  readonly cpu: TestCpu
  readonly snapshot: Snapshot
  readonly services: OpenServices
  /** How the machine reaches us. */
  readonly reachedBy: Pick<Requester, 'localAddress' | 'isGuess'>
  /** A namespace over `machines`. */
  readonly source: FileSource
  readonly machines: DryMachines
  readonly answers: Answers
  readonly decide: DecideNetworkBoot
  /** Whether the firmware starts only what is signed. */
  readonly secureBoot: boolean
}

/** A file that a client asks for. */
export interface Wanted {
  readonly what: StepName
  /** As the client sends it: a TFTP file name, or the target of an HTTP request. */
  readonly name: string
  readonly client: Client
  /** Identities that the request carries. */
  readonly shows?: Pick<Requester, 'serial'>
  /** What to do when it is not there. */
  readonly remedy?: string
  /** Why the client does without it, where that is not plain. */
  readonly without?: string
  /** Whether the file must have bytes of its own kind: an empty one, or a web page, is none. */
  readonly isImage?: true
}

export interface Fetched {
  readonly entry: Entry
  readonly path: CleanPath
  readonly head: Uint8Array
  /** What is known of the step so far. The caller adds it when it knows the rest. */
  readonly step: Step & { readonly outcome: 'ok' }
}

/** A machine that goes no further. Its last step says why. */
export class WalkEnded extends Error {}

/** One boot that is tried: the steps so far, and the way to ask for the next file. It changes nothing anywhere. */
export class Walk {
  readonly parts: WalkParts
  readonly steps: Step[] = []

  constructor(parts: WalkParts) {
    this.parts = parts
  }

  /** The URLs by which the machine reaches us. */
  get urls(): ServerUrls {
    const { snapshot, services, machines } = this.parts
    return bootInputs({ snapshot, services, machines, who: this.who('http') }).urls
  }

  /** Who a service takes the machine for. */
  who(protocol: Protocol): Requester {
    const { machine, reachedBy } = this.parts
    return { protocol, address: machine.address, ...reachedBy }
  }

  add(step: Step): void {
    this.steps.push(step)
  }

  fail(step: Omit<Step, 'outcome'>): never {
    this.steps.push({ ...step, outcome: 'failed' })
    throw new WalkEnded(step.why)
  }

  /** Asks for a file that the client cannot do without. */
  async need(wanted: Wanted): Promise<Fetched> {
    const found = await this.#fetch(wanted)
    if (found) return found
    const { what, client, name, remedy } = wanted
    const path = pathOf(client, name)
    return this.fail({
      what,
      protocol: client.protocol,
      asked: name,
      path,
      why: `${path} is not there`,
      ...defined({ remedy: remedy ?? remedies.copyFile(path) }),
    })
  }

  /** Asks for a file without which the client goes on, and notes that it is absent. */
  async look(wanted: Wanted): Promise<Fetched | undefined> {
    const found = await this.#fetch(wanted)
    const { what, client, name, without: why, remedy } = wanted
    const asked = { what, protocol: client.protocol, asked: name, path: pathOf(client, name) }
    if (!found) this.add({ ...asked, outcome: 'absent', ...defined({ why, remedy }) })
    return found
  }

  /** Why neither a file nor a folder can be had at a path, which is asked for by no step; undefined when one can. */
  async whyNotThere(path: CleanPath): Promise<string | undefined> {
    try {
      return (await this.parts.source.stat(path, this.who('http'))) ? undefined : `${path} is not there`
    } catch (error) {
      return failureMessage(error)
    }
  }

  /** Asks for a file, and notes nothing: which of two names a client asks for depends on it. */
  fetchQuietly(wanted: Wanted): Promise<Fetched | undefined> {
    return this.#fetch(wanted)
  }

  async #fetch(wanted: Wanted): Promise<Fetched | undefined> {
    const { what, name, client } = wanted
    const path = pathOf(client, name)
    const asked = { what, protocol: client.protocol, asked: name, path }
    const fail = (why: string, remedy?: string) => this.fail({ ...asked, why, ...defined({ remedy }) })
    let entry: Entry | undefined
    let head: Uint8Array = new Uint8Array()
    try {
      entry = await this.parts.source.stat(path, { ...this.who(client.protocol), ...wanted.shows })
      if (entry?.kind !== 'file') return undefined
      head = await headOf(entry)
    } catch (error) {
      return fail(failureMessage(error), remedies.unreadable(path))
    }
    const { size } = entry
    if (wanted.isImage && size === 0) fail(`${path} is empty`, remedies.copyFile(path))
    if (head.length === 0 && size > 0) fail(`${path} ends before its first byte`, remedies.copyFile(path))
    if (wanted.isImage && isWebPage(head)) fail(`${path} is a web page`, remedies.copyFile(path))
    const tooLong = client.protocol === 'tftp' ? whyTooLong(client, size) : undefined
    if (tooLong !== undefined) fail(`${path} ${tooLong}`, remedies.tooLong)
    return { entry, path, head, step: { ...asked, bytes: size, outcome: 'ok' } }
  }
}

/** The path that a service makes of what the client sends. */
function pathOf(client: Client, name: string): CleanPath {
  if (client.protocol === 'http') return parseTarget(name).path
  if (client.protocol !== 'tftp') return cleanPath(name)
  const bytes = encodePacket({
    type: 'rrq',
    filename: name,
    mode: 'octet',
    options: client.options ?? new Map(),
  })
  const packet = decodePacket(bytes)
  return requestPath(packet.type === 'rrq' ? packet.filename : name)
}

/** Block numbers have 16 bits (RFC 1350 section 5). */
const mostBlocks = 65_535

/** Why a client cannot fetch a file of this size by TFTP; undefined when it can. */
function whyTooLong({ name, options = new Map(), wraps }: Client, size: number): string | undefined {
  const { blksize } = negotiate(options, size, defaultOptionLimits)
  const blocks = Math.floor(size / blksize) + 1
  if (wraps || blocks <= mostBlocks) return undefined
  return `has ${size} bytes: in blocks of ${blksize} these are ${blocks}, and ${name} counts to ${mostBlocks}`
}
