import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Transfer } from '../../../../server/protocols/tftp/transfer/transfer.ts'
import { runs } from '../../../support/fuzz.ts'
import { terms } from './terms.ts'

/** What happens to a packet on the way. */
const lost = 0
const late = 1
const doubled = 2
const onTime = 3

/** A model client and network on a scripted clock: packets take 1 ms, and each has a fate. */
class Simulation {
  readonly got: number[] = []
  sent = 0
  readonly #server: Transfer
  readonly #fates: readonly number[]
  readonly #retryMs: number
  readonly #flying: { at: number; to: 'server' | 'client'; n: number }[] = []
  #nowMs = 0
  #launched = 0
  /** The last block that the client has in order; -1 before the OACK. */
  #received: number
  #clientDeadline: number
  #inWindow = 0
  /** `#received` when the last gap was acknowledged; -2 before the first gap. */
  #gapAcked = -2

  constructor(server: Transfer, fates: readonly number[], retryMs: number) {
    this.#server = server
    this.#fates = fates
    this.#retryMs = retryMs
    this.#received = server.firstToSend === 0 ? -1 : 0
    this.#clientDeadline = retryMs
  }

  /** Runs until the server is done or gives up. */
  run(): this {
    if (this.#serverActs('send')) return this
    for (; this.#nowMs < 10_000_000; this.#nowMs++) {
      if (this.#deliver()) return this
      if (this.#nowMs >= this.#clientDeadline && this.#received >= 0) this.#clientAcks()
      if (this.#serverActs(this.#server.timer(this.#nowMs))) return this
      if (this.#flying.length === 0) this.#skipToNextTimer()
    }
    throw new Error('the transfer does not end')
  }

  /** Delivers the packets that are due; true when the server has ended. */
  #deliver(): boolean {
    for (const packet of this.#flying.filter(({ at }) => at <= this.#nowMs)) {
      this.#flying.splice(this.#flying.indexOf(packet), 1)
      if (packet.to === 'client') this.#clientTakes(packet.n)
      else if (packet.n >= 0 && this.#serverActs(this.#server.ack(packet.n & 0xffff, this.#nowMs)))
        return true
    }
    return false
  }

  #serverActs(action: string): boolean {
    const { firstToSend, lastToSend } = this.#server
    if (action === 'send')
      for (let n = firstToSend; n <= lastToSend; n++, this.sent++) this.#launch('client', n)
    return action === 'done' || action === 'silent' || action === 'unconfirmed'
  }

  /** RFC 7440: the client acknowledges a full window, the last block, and the block before a gap, once. */
  #clientTakes(n: number): void {
    if (n === this.#received + 1) {
      this.#received = n
      if (n > 0) this.got.push(n)
      this.#inWindow++
      if (this.#inWindow >= this.#server.windowsize || n === this.#server.blocks || n === 0)
        this.#clientAcks()
    } else if (this.#gapAcked !== this.#received && this.#received >= 0) {
      this.#gapAcked = this.#received
      this.#clientAcks()
    }
  }

  #clientAcks(): void {
    this.#clientDeadline = this.#nowMs + this.#retryMs
    this.#inWindow = 0
    this.#launch('server', this.#received)
  }

  #launch(to: 'server' | 'client', n: number): void {
    const fate = this.#fates[this.#launched++ % this.#fates.length] ?? onTime
    if (fate === lost) return
    this.#flying.push({ at: this.#nowMs + (fate === late ? 7 : 1), to, n })
    if (fate === doubled) this.#flying.push({ at: this.#nowMs + 2, to, n })
  }

  #skipToNextTimer(): void {
    const next = Math.min(this.#clientDeadline, this.#server.deadlineMs)
    this.#nowMs = Math.max(this.#nowMs, next - 1)
  }
}

function simulate(server: Transfer, fates: readonly number[], retryMs: number): Simulation {
  return new Simulation(server, fates, retryMs).run()
}

describe('with packets lost, doubled and late', () => {
  const weather = fc.array(fc.constantFrom(lost, late, doubled, onTime, onTime, onTime, onTime, onTime), {
    minLength: 20,
    maxLength: 60,
  })

  test('the file arrives whole and in order if enough packets pass', () => {
    fc.assert(
      fc.property(
        weather.filter((fates) => fates.filter((one) => one === lost).length < fates.length / 5),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 0, max: 40 }),
        fc.boolean(),
        (fates, windowsize, blocks, oack) => {
          const machine = new Transfer(terms({ size: blocks * 512, windowsize: oack ? windowsize : 1, oack }))
          machine.start(0)
          const { got } = simulate(machine, fates, 400)
          const whole = Array.from({ length: machine.blocks }, (_, i) => i + 1)
          // The last ACK may be lost. The client never gets a block out of order or twice.
          expect(got).toEqual(whole.slice(0, got.length))
          if (machine.ackedBlock === machine.blocks) expect(got).toEqual(whole)
        },
      ),
      { numRuns: runs(200) },
    )
  })

  test('with one packet in ten lost the file is complete after less than three times its packets', () => {
    for (let seed = 0; seed < 10; seed++) {
      const fates = Array.from({ length: 97 }, (_, i) => ((i * 31 + seed * 7) % 10 === 0 ? lost : onTime))
      const machine = new Transfer(terms({ size: 512 * 400, windowsize: 8, oack: true }))
      machine.start(0)
      const { got, sent } = simulate(machine, fates, 400)
      expect(got.length).toBe(401)
      expect(sent).toBeLessThan(401 * 3)
    }
  })

  test('with every packet doubled on the way, no block is sent more than twice', () => {
    const machine = new Transfer(terms({ size: 512 * 400, oack: true }))
    machine.start(0)
    const { got, sent } = simulate(machine, [doubled], 400)
    expect(got.length).toBe(401)
    expect(sent).toBeLessThan(2 * (1 + 401)) // the OACK and 401 blocks
  })
})
