import { connect } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memorySource } from '../../../server/files/memory.ts'
import { decodeHandle, encodeHandle, maxHandleBytes } from '../../../server/protocols/nfs/handle.ts'
import { RecordReader, writeRecordMark } from '../../../server/protocols/nfs/record.ts'
import { decodeMessage, decodeReply, encodeCall } from '../../../server/protocols/nfs/rpc.ts'
import { XdrError, XdrReader, XdrWriter } from '../../../server/protocols/nfs/xdr.ts'
import { runs } from '../../support/fuzz.ts'
import { NfsClient } from '../../support/nfs-client.ts'
import {
  callMessage,
  mountd,
  nfs,
  opaque,
  portmapper,
  RpcError,
  TcpWire,
  UdpWire,
  word,
} from '../../support/nfs-wire.ts'
import { openListener } from './support.ts'

type Item =
  | { readonly type: 'u32'; readonly value: number }
  | { readonly type: 'u64'; readonly value: bigint }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'opaque'; readonly value: Buffer }
  | { readonly type: 'string'; readonly value: string }

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((value) => Buffer.from(value))
const item: fc.Arbitrary<Item> = fc.oneof(
  fc.record({ type: fc.constant('u32' as const), value: fc.integer({ min: 0, max: 0xffff_ffff }) }),
  fc.record({ type: fc.constant('u64' as const), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
  fc.record({ type: fc.constant('bool' as const), value: fc.boolean() }),
  fc.record({ type: fc.constant('opaque' as const), value: bytes(40) }),
  fc.record({ type: fc.constant('string' as const), value: fc.string({ unit: 'grapheme', maxLength: 20 }) }),
)

function write(out: XdrWriter, each: Item): void {
  if (each.type === 'u32') out.u32(each.value)
  else if (each.type === 'u64') out.u64(each.value)
  else if (each.type === 'bool') out.bool(each.value)
  else if (each.type === 'opaque') out.opaque(each.value)
  else out.string(each.value)
}

function readBack(reader: XdrReader, { type }: Item): Item['value'] {
  if (type === 'u32') return reader.u32()
  if (type === 'u64') return reader.u64()
  if (type === 'bool') return reader.bool()
  return type === 'opaque' ? Buffer.from(reader.opaque(1000)) : reader.string(1000)
}

describe('XDR', () => {
  test('values are read back as they were written, to the last byte, in multiples of four', () => {
    fc.assert(
      fc.property(fc.array(item), (items) => {
        const out = new XdrWriter(8)
        for (const each of items) write(out, each)
        expect(out.bytes.length % 4).toBe(0)
        const reader = new XdrReader(out.bytes)
        expect(items.map((each) => readBack(reader, each))).toEqual(items.map(({ value }) => value))
        reader.end()
      }),
    )
  })

  test('XDR that is cut anywhere is an XdrError and no other error', () => {
    fc.assert(
      fc.property(fc.array(item, { minLength: 1 }), fc.nat(), (items, cut) => {
        const out = new XdrWriter()
        for (const each of items) write(out, each)
        const reader = new XdrReader(out.bytes.subarray(0, cut % out.bytes.length))
        expect(() => items.map((each) => readBack(reader, each))).toThrow(XdrError)
      }),
    )
  })

  test('limits hold from both sides, numbers above 32 bits are read, and junk is refused', () => {
    expect(new XdrReader(opaque('abcd')).opaque(4).toString()).toBe('abcd')
    expect(() => new XdrReader(opaque('abcde')).opaque(4)).toThrow(XdrError)
    expect(() => new XdrReader(word(0xffff_ffff)).opaque(0xffff_ffff)).toThrow(XdrError)
    expect(() => new XdrReader(word(2)).bool()).toThrow(XdrError)
    expect(() => new XdrReader(opaque(Buffer.of(0xff))).string(10)).toThrow(XdrError)
    expect(() => new XdrReader(word(1)).end()).toThrow(XdrError)
    for (const value of [0, 2 ** 32 - 1, 2 ** 32, 5 * 2 ** 30, Number.MAX_SAFE_INTEGER])
      expect(new XdrReader(new XdrWriter().u64(value).bytes).u64()).toBe(BigInt(value))
  })
})

describe('records', () => {
  const record = (data: Buffer): Buffer => {
    const framed = Buffer.concat([Buffer.alloc(4), data])
    writeRecordMark(framed)
    return framed
  }

  test('records come out whole, however the stream and the fragments are cut', () => {
    const fragmented = fc.array(fc.array(bytes(30), { minLength: 1, maxLength: 5 }), { maxLength: 6 })
    fc.assert(
      fc.property(fragmented, fc.integer({ min: 1, max: 50 }), (records, step) => {
        const stream = Buffer.concat(
          records.flatMap((fragments) =>
            fragments.flatMap((data, i) => [
              word((data.length | (i === fragments.length - 1 ? 0x8000_0000 : 0)) >>> 0),
              data,
            ]),
          ),
        )
        const reader = new RecordReader(1000)
        const got: Buffer[] = []
        for (let at = 0; at < stream.length; at += step)
          got.push(...reader.push(stream.subarray(at, at + step)))
        expect(got.map((each) => Buffer.from(each))).toEqual(records.map((each) => Buffer.concat(each)))
      }),
    )
  })

  test('a record over the limit, whole or in sum, is refused before it is kept', () => {
    expect(new RecordReader(8).push(record(Buffer.alloc(8)))).toHaveLength(1)
    // The mark of a last fragment of 9 bytes; then fragments of 5 and 4 bytes; then 100 empty ones.
    expect(() => new RecordReader(8).push(word(0x8000_0009))).toThrow(XdrError)
    const reader = new RecordReader(8)
    reader.push(Buffer.concat([word(5), Buffer.alloc(5)]))
    expect(() => reader.push(word(4))).toThrow(XdrError)
    const empty = new RecordReader(8)
    expect(() => empty.push(Buffer.alloc(4 * 100))).toThrow(XdrError)
  })
})

describe('handles as bytes', () => {
  const digest = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((value) => Buffer.from(value))

  test('a handle is decoded as it was encoded, within 64 bytes', () => {
    const path = fc.string({ maxLength: 47 })
    fc.assert(
      fc.property(digest, path, (made, text) => {
        for (const handle of [
          { type: 'path', digest: made, isLink: false, path: text },
          { type: 'table', digest: made, isLink: false }, // its path is too long, and is in the server's table
          { type: 'path', digest: made, isLink: true, path: text },
          { type: 'table', digest: made, isLink: true },
        ] as const) {
          expect(encodeHandle(handle).length).toBeLessThanOrEqual(maxHandleBytes)
          expect(decodeHandle(encodeHandle(handle))).toEqual(handle)
        }
      }),
    )
  })

  test('any bytes are not a handle, or a handle that encodes to the same bytes', () => {
    fc.assert(
      fc.property(bytes(80), (junk) => {
        const handle = decodeHandle(junk)
        if (handle) expect(encodeHandle(handle)).toEqual(junk)
      }),
    )
  })
})

describe('calls', () => {
  test('a call is decoded as it was encoded, and arbitrary bytes never crash the decoder', () => {
    const call = decodeMessage(
      encodeCall(7, { program: nfs, version: 3, procedure: 1, args: opaque('handle') }),
    )
    expect(call).toMatchObject({ type: 'call', call: { xid: 7, program: nfs, version: 3, procedure: 1 } })
    fc.assert(
      fc.property(bytes(200), (junk) => {
        expect(['call', 'refused', 'noise']).toContain(decodeMessage(junk).type)
        try {
          decodeReply(junk, 1)
        } catch (error) {
          expect(error).toBeInstanceOf(XdrError)
        }
      }),
    )
  })

  const source = memorySource({ '/f': 'x' })
  const wordsOf = (promise: Promise<unknown>): Promise<readonly number[]> =>
    promise.then(
      () => [],
      (error: unknown) => {
        if (error instanceof RpcError) return error.words
        throw error
      },
    )

  test.each(['tcp', 'udp'] as const)(
    'a call that cannot be carried out gets the reason of RFC 5531: %s',
    async (transport) => {
      const service = await openListener({ source })
      const { wire } = service[transport]
      // `accept_stat`. A mismatch is followed by the lowest and the highest version that we have.
      const [programUnavailable, programMismatch, procedureUnavailable, garbageArguments] = [1, 2, 3, 4]
      expect(await wordsOf(wire.call([nfs, 4, 0]))).toEqual([programMismatch, 3, 3])
      expect(await wordsOf(wire.call([nfs, 2, 0]))).toEqual([programMismatch, 3, 3])
      expect(await wordsOf(wire.call([mountd, 1, 0]))).toEqual([programMismatch, 3, 3])
      const nfsAcl = 100227
      expect(await wordsOf(wire.call([nfsAcl, 3, 0]))).toEqual([programUnavailable])
      expect(await wordsOf(wire.call([nfs, 3, 22]))).toEqual([procedureUnavailable]) // the last is COMMIT, 21
      const getattr = [nfs, 3, 1] as const
      const tooMuch = Buffer.concat([opaque('x'), word(0)])
      const handleOf65Bytes = opaque(Buffer.alloc(65))
      for (const args of [undefined, tooMuch, handleOf65Bytes])
        expect(await wordsOf(wire.call(getattr, args))).toEqual([garbageArguments])
      // `reject_stat` and its reason.
      const [rpcMismatch, authError] = [0, 1]
      const [badCredential, tooWeak] = [1, 5]
      const [authUnix, rpcsecGss] = [1, 6]
      expect(await wordsOf(wire.call([nfs, 3, 0], undefined, { rpcVersion: 3 }))).toEqual([rpcMismatch, 2, 2])
      expect(await wordsOf(wire.call([nfs, 3, 0], undefined, { flavor: rpcsecGss }))).toEqual([
        authError,
        tooWeak,
      ])
      // Stamp, machine name, uid, gid, and a list of one gid.
      const whole = Buffer.concat([word(0), opaque('client'), word(0), word(0), word(1), word(0)])
      const asUnix = (credential: Buffer) =>
        wordsOf(wire.call([nfs, 3, 0], undefined, { flavor: authUnix, credential }))
      expect(await asUnix(whole)).toEqual([])
      expect(await asUnix(whole.subarray(0, 12))).toEqual([authError, badCredential])
    },
  )

  test('a call in many fragments gets the same reply as any other', async () => {
    const { wire } = await openListener({ source })
    const reply = await wire.send(callMessage([mountd, 3, 1], opaque('/')), { fragmentBytes: 3 })
    // The status of MNT is behind six words: xid, REPLY, MSG_ACCEPTED, an empty verifier (two), SUCCESS.
    expect(reply.readUInt32BE(6 * 4)).toBe(0)
  })

  test('arbitrary bytes over TCP and UDP do no harm', async () => {
    const { port, tcp, udp } = await openListener({ source })
    const handle = await tcp.walk('/f')
    // Every procedure of NFS, and one more than it has.
    const junkCall = fc
      .tuple(fc.constantFrom(nfs, mountd), fc.integer({ min: 0, max: 22 }), bytes(120), fc.boolean())
      .map(([program, procedure, junk, withHandle]) => {
        const args = withHandle ? Buffer.concat([opaque(handle), junk]) : junk
        return callMessage([program, 3, procedure], args).message
      })
    const junk = fc.oneof(bytes(200), junkCall)
    await fc.assert(
      fc.asyncProperty(fc.array(junk, { maxLength: 5 }), fc.boolean(), async (messages, framed) => {
        const socket = connect(port, '127.0.0.1')
        await new Promise((resolve) => socket.once('connect', resolve))
        socket.on('error', () => undefined).resume()
        for (const message of messages)
          socket.write(
            framed ? Buffer.concat([word((message.length | 0x8000_0000) >>> 0), message]) : message,
          )
        const closed = new Promise((resolve) => socket.once('close', resolve))
        socket.end()
        await closed
      }),
      { numRuns: runs(150) },
    )
    const sender = new UdpWire(port)
    const samples = fc.sample(junk, 200)
    await Promise.all(samples.map((message) => sender.toss(message)))
    expect((await tcp.getattr(handle)).size).toBe(1)
    expect((await udp.getattr(handle)).size).toBe(1)
  })
})

describe('the port mapper', () => {
  const source = memorySource({ '/f': 'x' })

  test.each(['TCP', 'UDP'])(
    'the port mapper names the ports of NFS and MOUNT, in version 2, 3 and 4, over %s',
    async (transport) => {
      const { service, port } = await openListener({ source, portmap: 0 })
      const mapper = service.portmapPort ?? 0
      const [tcp, udp] = [6, 17]
      const wire = transport === 'TCP' ? await TcpWire.open(mapper) : new UdpWire(mapper)
      // Procedure 3 is GETPORT in version 2, and GETADDR in versions 3 and 4. Procedure 4 is DUMP.
      const getPort = async (program: number, protocol: number): Promise<number> =>
        (await wire.call([portmapper, 2, 3], Buffer.concat([program, 3, protocol, 0].map(word)))).word()
      for (const program of [nfs, mountd])
        for (const protocol of [tcp, udp]) expect(await getPort(program, protocol)).toBe(port)
      const lockManager = 100021
      expect(await getPort(lockManager, tcp)).toBe(0)
      const netid = (name: string) =>
        Buffer.concat([word(nfs), word(3), opaque(name), opaque(''), opaque('')])
      const address = `127.0.0.1.${port >> 8}.${port & 255}`
      for (const version of [3, 4]) {
        expect((await wire.call([portmapper, version, 3], netid('tcp'))).opaque().toString()).toBe(address)
        expect((await wire.call([portmapper, version, 3], netid('sctp'))).opaque().toString()).toBe('')
      }
      const dump = await wire.call([portmapper, 2, 4])
      const lines: number[][] = []
      while (dump.word() === 1) lines.push([dump.word(), dump.word(), dump.word(), dump.word()])
      expect(lines).toContainEqual([portmapper, 2, tcp, mapper])
      expect(lines).toContainEqual([mountd, 3, udp, port])
      // Three versions of the port mapper, NFS and MOUNT; each over TCP and UDP.
      expect(lines).toHaveLength((3 + 1 + 1) * 2)
      const [set, unset, callIt] = [1, 2, 5]
      for (const procedure of [set, unset])
        expect((await wire.call([portmapper, 2, procedure], Buffer.alloc(16))).word()).toBe(0)
      // PROC_UNAVAIL.
      await expect(wire.call([portmapper, 2, callIt], Buffer.alloc(16))).rejects.toMatchObject({ words: [3] })
      wire.close()
    },
  )

  test('the port of the port mapper does not answer NFS calls, nor the NFS port its calls', async () => {
    const { service, wire } = await openListener({ source, portmap: 0 })
    const tcp = await TcpWire.open(service.portmapPort ?? 0)
    // PROG_UNAVAIL.
    await expect(new NfsClient(tcp).mount('/')).rejects.toMatchObject({ words: [1] })
    await expect(wire.call([portmapper, 2, 0])).rejects.toMatchObject({ words: [1] })
    tcp.close()
  })
})
