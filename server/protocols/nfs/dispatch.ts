import type { Requester } from '../../core/net/requester.ts'
import { accepted, beginReply, decodeMessage, type RpcCall, replyWriter } from './rpc.ts'
import { XdrError, type XdrReader, type XdrWriter } from './xdr.ts'

export type Transport = 'tcp' | 'udp'

/** The client that makes a call. */
export interface Caller {
  readonly who: Requester
  readonly transport: Transport
}

/**
 * Bytes that follow a reply's head, with their padding. `release` is called once, after they were sent or
 * given up.
 */
export interface Payload {
  readonly bytes: Buffer
  readonly release: () => void
}

/** Reads its arguments to the end, then writes its results. An XdrError means GARBAGE_ARGS. */
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

/** What the operator is told besides the reply. */
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
  const found = findProcedure(programs, call, out)
  if (!found) return { head: out.bytes }
  try {
    beginReply(out, call.xid, accepted.success)
    const payload = await found(call.args, out, caller)
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
 * The procedure, or undefined with the reason written to `out`. PROG_MISMATCH names the versions that we
 * have: a client that tried NFSv4 first then tries the highest of them.
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
