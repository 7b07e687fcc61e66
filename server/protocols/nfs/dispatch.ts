import type { Requester } from '../../core/net/requester.ts'
import { accepted, beginReply, decodeMessage, type RpcCall, replyWriter } from './rpc.ts'
import { XdrError, type XdrReader, type XdrWriter } from './xdr.ts'

export type Transport = 'tcp' | 'udp'

/** The client that makes a call, and how the call came. */
export interface Caller {
  readonly who: Requester
  readonly transport: Transport
}

/**
 * Bytes that follow a reply's head, with their padding. `release` is called once: when they are sent, or will
 * not be sent.
 */
export interface Payload {
  readonly bytes: Buffer
  readonly release: () => void
}

/**
 * A procedure of a program: reads its arguments to the end, then writes its results to `out`. An XdrError
 * that it throws becomes the reply GARBAGE_ARGS.
 */
export type Procedure = (
  args: XdrReader,
  out: XdrWriter,
  caller: Caller,
) => Payload | undefined | Promise<Payload | undefined>

/** A program of RFC 5531: its procedures by version and number. Versions have no gaps. */
export interface Program {
  readonly number: number
  readonly versions: ReadonlyMap<number, ReadonlyMap<number, Procedure>>
}

/** A reply. Its head begins with room for a record mark. */
export interface RpcReply {
  readonly head: Buffer
  readonly payload?: Payload
}

/** Receives what the operator should learn about calls. */
export interface DispatchNotes {
  noise(caller: Caller, reason: string): void
  trouble(call: RpcCall, error: unknown): void
}

/** The reply to one RPC message; undefined for a message that is not a call. Never rejects. */
export async function dispatch(
  programs: readonly Program[],
  message: Buffer,
  caller: Caller,
  notes: DispatchNotes,
): Promise<RpcReply | undefined> {
  const decoded = decodeMessage(message)
  if (decoded.type !== 'call') {
    notes.noise(caller, decoded.reason)
    return decoded.type === 'refused' ? { head: decoded.reply } : undefined
  }
  const { call } = decoded
  const out = replyWriter()
  const procedure = findProcedure(programs, call, out)
  if (!procedure) return { head: out.bytes }
  try {
    beginReply(out, call.xid, accepted.success)
    const payload = await procedure(call.args, out, caller)
    return payload ? { head: out.bytes, payload } : { head: out.bytes }
  } catch (error) {
    if (error instanceof XdrError) {
      notes.noise(caller, `program ${call.program} procedure ${call.procedure}: ${error.message}`)
      beginReply(out, call.xid, accepted.garbageArguments)
    } else {
      notes.trouble(call, error)
      beginReply(out, call.xid, accepted.systemError)
    }
    return { head: out.bytes }
  }
}

/**
 * The procedure of a call; undefined when we do not have it, and then the reply is in `out`. PROG_MISMATCH
 * names the versions that we have: a client that tried NFSv4 first then tries the highest of them.
 */
function findProcedure(programs: readonly Program[], call: RpcCall, out: XdrWriter): Procedure | undefined {
  const program = programs.find(({ number }) => number === call.program)
  if (!program) {
    beginReply(out, call.xid, accepted.programUnavailable)
    return undefined
  }
  const version = program.versions.get(call.version)
  if (!version) {
    const versions = [...program.versions.keys()]
    beginReply(out, call.xid, accepted.programMismatch)
    out.u32(Math.min(...versions)).u32(Math.max(...versions))
    return undefined
  }
  const procedure = version.get(call.procedure)
  if (!procedure) beginReply(out, call.xid, accepted.procedureUnavailable)
  return procedure
}

/** Procedure 0 of every program: no arguments, no results. */
export const nullProcedure: Procedure = () => undefined
