import { describe, expect, test } from 'vitest'
import {
  accepted,
  beginReply,
  decodeMessage,
  decodeReply,
  replyWriter,
} from '../../../server/protocols/nfs/rpc.ts'
import { XdrError } from '../../../server/protocols/nfs/xdr.ts'
import { callMessage, nfs, opaque, word } from '../../support/nfs-wire.ts'

const words = (...values: readonly number[]): Buffer => Buffer.concat(values.map(word))
const [call, reply] = [0, 1]
const [messageAccepted, messageDenied] = [0, 1]
const noVerifier = words(0, 0)

describe('messages that are not calls to carry out', () => {
  test('a reply is noise and gets no reply, so that two servers cannot answer each other forever', () => {
    const { message } = callMessage([nfs, 3, 0], Buffer.alloc(0))
    expect(decodeMessage(message).type).toBe('call')
    message.writeUInt32BE(reply, 4)
    expect(decodeMessage(message).type).toBe('noise')
    // Not even one of another RPC version, which would get RPC_MISMATCH.
    message.writeUInt32BE(3, 8)
    expect(decodeMessage(message).type).toBe('noise')
    message.writeUInt32BE(call, 4)
    expect(decodeMessage(message).type).toBe('refused')
  })

  // RFC 5531, appendix A: stamp, machine name, uid, gid, and at most 16 gids.
  const unix = (name: string, groups: number, sent = groups) =>
    Buffer.concat([word(0), opaque(name), words(0, 0, groups), Buffer.alloc(4 * sent)])

  test.each([
    { title: 'no gids', credential: unix('client', 0), type: 'call' },
    { title: '16 gids', credential: unix('client', 16), type: 'call' },
    { title: '17 gids', credential: unix('client', 17), type: 'refused' },
    { title: 'a gid that is not sent', credential: unix('client', 16, 15), type: 'refused' },
    { title: 'a name of 255 bytes', credential: unix('x'.repeat(255), 16), type: 'call' },
    { title: 'a name of 256 bytes', credential: unix('x'.repeat(256), 0), type: 'refused' },
  ])('credentials of AUTH_UNIX are checked: $title', ({ credential, type }) => {
    const authUnix = 1
    const { message } = callMessage([nfs, 3, 0], Buffer.alloc(0), { flavor: authUnix, credential })
    expect(decodeMessage(message).type).toBe(type)
  })

  test('a credential has at most 400 bytes (RFC 5531, 8.2)', () => {
    const withCredential = (length: number) =>
      decodeMessage(callMessage([nfs, 3, 0], Buffer.alloc(0), { credential: Buffer.alloc(length) }).message)
    expect(withCredential(400).type).toBe('call')
    expect(withCredential(401).type).toBe('noise')
  })
})

describe('replies to our calls', () => {
  const results = (bytes: Buffer): number | undefined => decodeReply(bytes, 7)?.u32()

  test('the results are behind xid, REPLY, MSG_ACCEPTED, a verifier and SUCCESS', () => {
    expect(results(words(7, reply, messageAccepted, 0, 0, accepted.success, 2049))).toBe(2049)
    const verifier = Buffer.concat([word(0), opaque('abcde')])
    expect(results(Buffer.concat([words(7, reply, messageAccepted), verifier, words(0, 2049)]))).toBe(2049)
  })

  test('a reply of ours is read, behind the room for its record mark', () => {
    const out = beginReply(replyWriter(), 7, accepted.success).u32(2049)
    expect(results(out.bytes.subarray(4))).toBe(2049)
    beginReply(out, 7, accepted.systemError)
    expect(out.length).toBe(out.bytes.length)
    expect(() => results(out.bytes.subarray(4))).toThrow(/accept_stat 5/)
  })

  test('a reply to another call is passed over', () => {
    expect(decodeReply(words(8, reply, messageAccepted, 0, 0, 0, 2049), 7)).toBeUndefined()
    expect(decodeReply(words(8, call), 7)).toBeUndefined()
  })

  test.each([
    // The words behind the third would be an empty verifier and SUCCESS.
    { title: 'a call instead of a reply', bytes: words(7, call, 0, 0, 0, 0) },
    { title: 'MSG_DENIED', bytes: words(7, reply, messageDenied, 0, 0, 0) },
    {
      title: 'a verifier of 401 bytes',
      bytes: Buffer.concat([words(7, reply, 0, 0), opaque(Buffer.alloc(401)), words(0, 1)]),
    },
    ...[1, 2, 3, 4, 5].map((status) => ({
      title: `accept_stat ${status}`,
      bytes: Buffer.concat([words(7, reply, messageAccepted), noVerifier, words(status, 2049)]),
    })),
  ])('a call that was not carried out is an XdrError: $title', ({ bytes }) => {
    expect(() => decodeReply(bytes, 7)).toThrow(XdrError)
  })
})
