import { recordMarkBytes } from './record.ts'
import { XdrError, XdrReader, XdrWriter } from './xdr.ts'

/** A well-formed call of RFC 5531. */
export interface RpcCall {
  readonly xid: number
  readonly program: number
  readonly version: number
  readonly procedure: number
  readonly args: XdrReader
}

/** A decoded message: a call, a call that is refused at once, or noise that gets no reply. */
export type RpcMessage =
  | { readonly type: 'call'; readonly call: RpcCall }
  | { readonly type: 'refused'; readonly reply: Buffer; readonly reason: string }
  | { readonly type: 'noise'; readonly reason: string }

/** `accept_stat` of RFC 5531 section 9. */
export const accepted = {
  success: 0,
  programUnavailable: 1,
  programMismatch: 2,
  procedureUnavailable: 3,
  garbageArguments: 4,
  systemError: 5,
} as const

export const authNone = 0
export const authUnix = 1

/** The longest body of a credential or verifier (RFC 5531 section 8.2). */
const maxAuthBytes = 400
const maxMachineName = 255
const maxGroups = 16
const [typeCall, typeReply] = [0, 1]
const [messageAccepted, messageDenied] = [0, 1]
const [rpcMismatch, authError] = [0, 1]
const [authBadCredential, authTooWeak] = [1, 5]
const rpcVersion = 2

/**
 * Decodes a message. Credentials of AUTH_NONE and AUTH_UNIX are accepted and not used: every client may read
 * everything. Others are refused as too weak, and a client that tried Kerberos first then tries AUTH_UNIX.
 */
export function decodeMessage(bytes: Buffer): RpcMessage {
  const reader = new XdrReader(bytes)
  let xid: number | undefined
  try {
    xid = reader.u32()
    const type = reader.u32()
    if (type !== typeCall) return { type: 'noise', reason: `message type ${type} where a call is expected` }
    const version = reader.u32()
    if (version !== rpcVersion)
      return refused(denied(xid, rpcMismatch, rpcVersion, rpcVersion), `RPC version ${version}`)
    const [program, programVersion, procedure] = [reader.u32(), reader.u32(), reader.u32()]
    const flavor = reader.u32()
    const credential = reader.opaque(maxAuthBytes)
    reader.u32() // the verifier, which both flavors leave empty
    reader.opaque(maxAuthBytes)
    if (flavor !== authNone && flavor !== authUnix)
      return refused(denied(xid, authError, authTooWeak), `credentials of flavor ${flavor}`)
    if (flavor === authUnix && !isUnixCredential(credential))
      return refused(denied(xid, authError, authBadCredential), 'malformed AUTH_UNIX credentials')
    return { type: 'call', call: { xid, program, version: programVersion, procedure, args: reader } }
  } catch (error) {
    if (!(error instanceof XdrError)) throw error
    return { type: 'noise', reason: `not an RPC call: ${error.message}` }
  }
}

/**
 * Whether these bytes are AUTH_UNIX credentials: stamp, machine name, uid, gid, 0 to 16 gids (RFC 5531
 * appendix A).
 */
function isUnixCredential(bytes: Buffer): boolean {
  const reader = new XdrReader(bytes)
  try {
    reader.u32()
    reader.opaque(maxMachineName)
    reader.u32()
    reader.u32()
    const groups = reader.u32()
    if (groups > maxGroups) return false
    reader.fixed(groups * 4)
    return true
  } catch {
    return false
  }
}

function refused(reply: Buffer, reason: string): RpcMessage {
  return { type: 'refused', reply, reason }
}

/** A denial: `words` are its reject_stat and the reason; for RPC_MISMATCH the lowest and highest version. */
function denied(xid: number, ...words: readonly number[]): Buffer {
  const out = replyWriter()
  out.u32(xid).u32(typeReply).u32(messageDenied)
  for (const word of words) out.u32(word)
  return out.bytes
}

/** A writer for one reply, which begins with room for a record mark. */
export function replyWriter(): XdrWriter {
  return new XdrWriter().u32(0)
}

/**
 * Begins an accepted reply. The results follow, if `status` has any. Everything written before is dropped.
 */
export function beginReply(out: XdrWriter, xid: number, status: number): XdrWriter {
  out.rewind(recordMarkBytes)
  out.u32(xid).u32(typeReply).u32(messageAccepted)
  return out.u32(authNone).u32(0).u32(status) // an empty verifier, then the status
}

/** A call of ours to another server. */
export interface OutgoingCall {
  readonly program: number
  readonly version: number
  readonly procedure: number
  readonly args: Uint8Array
}

/** Encodes a call to another server (rpcbind), without credentials and without a record mark. */
export function encodeCall(xid: number, { program, version, procedure, args }: OutgoingCall): Buffer {
  const out = new XdrWriter()
  out.u32(xid).u32(typeCall).u32(rpcVersion).u32(program).u32(version).u32(procedure)
  out.u32(authNone).u32(0).u32(authNone).u32(0) // credential, verifier
  return Buffer.concat([out.bytes, args])
}

/**
 * The results of a reply to our call `xid`; undefined when the reply belongs to another call.
 * @throws XdrError when the call was refused or the reply makes no sense.
 */
export function decodeReply(bytes: Buffer, xid: number): XdrReader | undefined {
  const reader = new XdrReader(bytes)
  if (reader.u32() !== xid) return undefined
  if (reader.u32() !== typeReply) throw new XdrError('not a reply')
  if (reader.u32() !== messageAccepted) throw new XdrError('the call was denied')
  reader.u32() // the verifier
  reader.opaque(maxAuthBytes)
  const status = reader.u32()
  if (status !== accepted.success) throw new XdrError(`the call was not carried out: accept_stat ${status}`)
  return reader
}
