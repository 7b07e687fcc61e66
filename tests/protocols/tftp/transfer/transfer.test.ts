import { describe, expect, test } from 'vitest'
import { Transfer } from '../../../../server/protocols/tftp/transfer/transfer.ts'
import { terms } from './terms.ts'

/** An action, with the packets that it says to send. */
const described = (machine: Transfer, action: string): string =>
  action === 'send' ? `send ${machine.firstToSend}..${machine.lastToSend}` : action

describe('a transfer without loss', () => {
  test('without options: block by block, the last one short', () => {
    const machine = new Transfer(terms())
    expect(described(machine, machine.start(0))).toBe('send 1..1')
    expect(described(machine, machine.ack(1, 1))).toBe('send 2..2')
    expect(described(machine, machine.ack(2, 2))).toBe('send 3..3')
    expect(machine.ack(3, 3)).toBe('done')
    expect(machine.ackedBytes).toBe(1300)
  })

  test('with options: the OACK is packet 0, and its ACK opens the window', () => {
    const machine = new Transfer(terms({ oack: true, windowsize: 2 }))
    expect(described(machine, machine.start(0))).toBe('send 0..0')
    expect(machine.ack(1, 1)).toBe('wait')
    expect(described(machine, machine.ack(0, 1))).toBe('send 1..2')
    expect(described(machine, machine.ack(2, 2))).toBe('send 3..3')
    expect(machine.ack(3, 3)).toBe('done')
  })

  test.each([
    [0, 1],
    [511, 1],
    [512, 2],
    [1024, 3],
  ])('a file of %i octets takes %i blocks: a full block is never the last', (size, blocks) => {
    expect(new Transfer(terms({ size })).blocks).toBe(blocks)
  })

  test('block numbers wrap from 65535 to 0', () => {
    const machine = new Transfer(terms({ size: 512 * 70_000 }))
    machine.start(0)
    for (let block = 1; block <= 70_000; block++) {
      expect(machine.firstToSend).toBe(block)
      machine.ack(block & 0xffff, block)
    }
    expect(machine.ack(70_001 & 0xffff, 0)).toBe('done') // the empty last block
  })
})

test('without options, a client that never sends an ACK gets its first block twice', () => {
  const machine = new Transfer(terms({ size: 10_000 }))
  machine.start(0)
  const sent = [1]
  let nowMs = 0
  do nowMs = machine.deadlineMs
  while (machine.timer(nowMs) === 'send' && sent.push(machine.lastToSend))
  expect(sent).toEqual([1, 1])
  // Firmware repeats a request after four seconds: it must find the transfer ended.
  expect(nowMs).toBeLessThan(4000)
})

test.each([1000, 255_000])(
  'a client that never sends an ACK is given up soon, with a timeout of %i ms',
  (timeoutMs) => {
    const machine = new Transfer(terms({ oack: true, timeoutMs }))
    machine.start(0)
    let [nowMs, sent] = [0, 1]
    for (;;) {
      nowMs = machine.deadlineMs
      const action = machine.timer(nowMs)
      if (action !== 'send') break
      sent++
    }
    // The first packet and three repeats, each with a wait of at most 4 s.
    expect(sent).toBe(4)
    expect(nowMs).toBeLessThanOrEqual(4 * 4000)
  },
)

describe('repeated and late ACKs', () => {
  test('the window is sent again for the first repetition of an ACK, not for the second', () => {
    const machine = new Transfer(terms())
    machine.start(0)
    machine.ack(1, 1)
    expect(described(machine, machine.ack(1, 300))).toBe('send 2..2')
    expect(machine.ack(1, 600)).toBe('wait')
  })

  test('one late duplicate does not double the rest of the transfer (Sorcerer’s Apprentice)', () => {
    const machine = new Transfer(terms({ size: 512 * 50 }))
    machine.start(0)
    machine.ack(1, 1)
    let sent = 0
    const count = (action: string): void => {
      if (action === 'send') sent++
    }
    // ACK 1 comes twice, so block 2 is sent again. The client acknowledges both copies of block 2; the second of
    // these ACKs sends nothing, and from block 3 to 51 each block is sent once.
    count(machine.ack(1, 2))
    count(machine.ack(2, 2))
    count(machine.ack(2, 2))
    for (let block = 3; block <= 51; block++) count(machine.ack(block, block))
    expect(sent).toBe(1 + 49)
  })

  test('an ACK from before or after the window changes nothing', () => {
    const machine = new Transfer(terms({ size: 100_000, windowsize: 4 }))
    machine.start(0)
    machine.ack(4, 1)
    expect(machine.ack(3, 2)).toBe('wait')
    expect(machine.ack(0, 2)).toBe('wait')
    expect(machine.ack(9, 2)).toBe('wait')
    expect(described(machine, machine.ack(8, 3))).toBe('send 9..12')
  })

  test('after a gap the window begins behind the last block that arrived', () => {
    const machine = new Transfer(terms({ size: 100_000, windowsize: 4 }))
    machine.start(0)
    expect(described(machine, machine.ack(2, 1))).toBe('send 3..6')
    expect(machine.ack(2, 2)).toBe('wait')
    expect(described(machine, machine.ack(6, 3))).toBe('send 7..10')
  })
})

describe('a client that does not respond', () => {
  const silence = (machine: Transfer, fromMs: number): number[] => {
    const times: number[] = []
    for (let nowMs = fromMs; ; nowMs += 100) {
      const action = machine.timer(nowMs)
      if (action === 'send') times.push(nowMs)
      if (action === 'silent' || action === 'unconfirmed') return times
    }
  }

  test('may have the whole file if it has responded before and the last block was sent', () => {
    const endOf = (machine: Transfer): string => {
      for (;;) {
        const action = machine.timer(machine.deadlineMs)
        if (action !== 'send') return action
      }
    }
    const oneBlock = new Transfer(terms({ size: 100, oack: true }))
    oneBlock.start(0)
    oneBlock.ack(0, 1)
    expect(endOf(oneBlock)).toBe('unconfirmed')
    expect(oneBlock.ackedBytes).toBe(100)
    const twoBlocks = new Transfer(terms({ size: 600, oack: true }))
    twoBlocks.start(0)
    twoBlocks.ack(0, 1)
    expect(endOf(twoBlocks)).toBe('silent')
    // Anyone can send a request in another's name, so the request alone proves nothing.
    const neverHeard = new Transfer(terms({ size: 100 }))
    neverHeard.start(0)
    expect(endOf(neverHeard)).toBe('silent')
  })

  test('the first packet is repeated three times, with growing waits', () => {
    const machine = new Transfer(terms({ oack: true }))
    machine.start(0)
    expect(silence(machine, 0)).toEqual([1000, 3000, 7000])
  })

  test('after an ACK a window is repeated five times, at most 8 s apart', () => {
    const machine = new Transfer(terms())
    machine.start(0)
    machine.ack(1, 0)
    expect(silence(machine, 0)).toEqual([1000, 3000, 7000, 15_000, 23_000])
  })

  test('an agreed timeout above 8 s is the length of every wait', () => {
    const machine = new Transfer(terms({ timeoutMs: 20_000 }))
    machine.start(0)
    machine.ack(1, 0)
    expect(silence(machine, 0)).toEqual([20_000, 40_000, 60_000, 80_000, 100_000])
  })

  test('the waits do not grow for a client that repeats its ACK', () => {
    const machine = new Transfer(terms())
    machine.start(0)
    machine.ack(1, 0)
    expect(machine.ack(1, 500)).toBe('send')
    expect(machine.timer(1500)).toBe('send')
    expect(machine.ack(1, 1600)).toBe('wait')
    expect(machine.timer(2500)).toBe('send')
  })

  test('the timer stands still while we read the file', () => {
    const machine = new Transfer(terms())
    machine.start(0)
    machine.ack(1, 0)
    machine.stopTimer()
    expect(machine.timer(1_000_000)).toBe('wait')
    machine.restartTimer(1_000_000)
    expect(machine.timer(1_000_999)).toBe('wait')
    expect(machine.timer(1_001_000)).toBe('send')
  })
})

describe('an ERROR from the client', () => {
  test('code 0 or 8 instead of the ACK of an OACK ends a size probe', () => {
    for (const code of [0, 8]) {
      const machine = new Transfer(terms({ oack: true }))
      machine.start(0)
      expect(machine.error(code)).toBe('probed')
    }
  })

  test('any other code, or any later ERROR, is an abort', () => {
    const early = new Transfer(terms({ oack: true }))
    early.start(0)
    expect(early.error(3)).toBe('aborted')
    const late = new Transfer(terms({ oack: true }))
    late.start(0)
    late.ack(0, 1)
    expect(late.error(0)).toBe('aborted')
  })
})
