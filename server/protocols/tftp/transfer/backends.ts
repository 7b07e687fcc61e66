import { Failure } from '../../../core/failure.ts'
import { type NativeCarrier, openNativeCarrier } from '../native/native-backend.ts'
import { PlainCarrier } from '../node/node-backend.ts'
import type { Carriage, Carrier, Job } from './backend.ts'

/** Round trips that are over before a transfer is handed to another thread and its end is heard of. */
const fewWindows = 4

/** Chooses who carries a transfer: the fast one as soon as there is one, and as long as it lives; the plain one otherwise. */
export class Carriers implements Carrier {
  readonly #native: 'auto' | 'off' | 'required'
  readonly #plain = new PlainCarrier()
  #fast: NativeCarrier | undefined
  #opening: Promise<void> | undefined

  constructor(native: 'auto' | 'off' | 'required') {
    this.#native = native
  }

  /** @throws Failure `unsupported` when the fast one is required and cannot be had. */
  async open(): Promise<void> {
    if (this.#native !== 'required') return
    await this.#openFast()
    if (!this.#fast)
      throw new Failure('unsupported', 'tftp: no system calls: this needs Linux and the package koffi')
  }

  carry(job: Job): Carriage {
    if (isShort(job)) return this.#plain.carry(job)
    if (this.#fast?.alive) return this.#fast.carry(job)
    // The thread is started by the first long transfer, which does not wait for it: many servers never see one.
    if (this.#native === 'auto') void this.#openFast()
    return this.#plain.carry(job)
  }

  async close(): Promise<void> {
    await this.#plain.close()
    await this.#opening
    await this.#fast?.close()
  }

  #openFast(): Promise<void> {
    this.#opening ??= openNativeCarrier().then((carrier) => {
      this.#fast = carrier
    })
    return this.#opening
  }
}

function isShort({ content, agreed }: Job): boolean {
  return content.size < fewWindows * agreed.windowsize * agreed.blksize
}
