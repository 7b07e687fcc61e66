import { nullProcedure, type Procedure, type Program, type Transport } from './dispatch.ts'
import type { XdrReader, XdrWriter } from './xdr.ts'

export const portmapProgram = 100000
export const portmapPort = 111

/** One service in the port mapper's list. */
export interface Mapping {
  readonly program: number
  readonly version: number
  readonly transport: Transport
  readonly port: number
}

/** IP protocol numbers, as RFC 1833 section 3 uses them. */
export const protocolNumbers: Record<Transport, number> = { tcp: 6, udp: 17 }
/** More than any netid, address or owner that a client sends. */
const maxStringBytes = 255

/**
 * RFC 1833: the port mapper (version 2) and the parts of rpcbind (3, 4) that clients use. It lists only our
 * own services: the reply to SET and UNSET is FALSE. CALLIT is not implemented, because it lets any client
 * make us call other servers. `mappings` is a function, because the port mapper itself is one of them and knows
 * its port only when it is open.
 */
export function portmapProgramOf(mappings: () => readonly Mapping[]): Program {
  const addressProcedure: Procedure = (args, out, { who }) =>
    getAddress(mappings(), args, out, who.localAddress ?? '0.0.0.0')
  const version3 = new Map<number, Procedure>([
    [0, nullProcedure],
    [1, refuse], // SET
    [2, refuse], // UNSET
    [3, addressProcedure],
    [4, (args, out, { who }) => dumpAddresses(mappings(), args, out, who.localAddress ?? '0.0.0.0')],
  ])
  const version4 = new Map(version3).set(9, addressProcedure) // GETVERSADDR
  const version2 = new Map<number, Procedure>([
    [0, nullProcedure],
    [1, refuse], // SET
    [2, refuse], // UNSET
    [3, (args, out) => getPort(mappings(), args, out)],
    [4, (args, out) => dump(mappings(), args, out)],
  ])
  return {
    number: portmapProgram,
    versions: new Map([
      [2, version2],
      [3, version3],
      [4, version4],
    ]),
  }
}

/** The mappings of the port mapper itself: `rpcinfo -p` looks for them before it asks for the others. */
export function portmapMappings(port = portmapPort): Mapping[] {
  return [2, 3, 4].flatMap((version) =>
    (['tcp', 'udp'] as const).map((transport) => ({ program: portmapProgram, version, transport, port })),
  )
}

function refuse(_: XdrReader, out: XdrWriter): undefined {
  out.bool(false)
}

/**
 * PMAPPROC_GETPORT: the port, or 0. As with rpcbind, a client that asks for a version that we do not
 * implement gets the port. The client then learns our versions from PROG_MISMATCH.
 */
function getPort(mappings: readonly Mapping[], args: XdrReader, out: XdrWriter): undefined {
  const [program, , protocol] = [args.u32(), args.u32(), args.u32(), args.u32()]
  args.end()
  const found = mappings.find(
    (each) => each.program === program && protocolNumbers[each.transport] === protocol,
  )
  out.u32(found?.port ?? 0)
}

function dump(mappings: readonly Mapping[], args: XdrReader, out: XdrWriter): undefined {
  args.end()
  for (const { program, version, transport, port } of mappings)
    out.bool(true).u32(program).u32(version).u32(protocolNumbers[transport]).u32(port)
  out.bool(false)
}

/** RPCBPROC_GETADDR: a universal address such as `192.0.2.1.8.1` for the netid of the client, or ''. */
function getAddress(
  mappings: readonly Mapping[],
  args: XdrReader,
  out: XdrWriter,
  localAddress: string,
): undefined {
  const program = args.u32()
  args.u32() // the version: see `getPort`
  const netid = args.opaque(maxStringBytes).toString('latin1')
  args.opaque(maxStringBytes) // address
  args.opaque(maxStringBytes) // owner
  args.end()
  const found = mappings.find(
    (each) => each.program === program && (netid === each.transport || netid === `${each.transport}6`),
  )
  out.string(found ? universalAddress(localAddress, found.port) : '')
}

function dumpAddresses(
  mappings: readonly Mapping[],
  args: XdrReader,
  out: XdrWriter,
  localAddress: string,
): undefined {
  args.end()
  const suffix = localAddress.includes(':') ? '6' : ''
  for (const { program, version, transport, port } of mappings) {
    out.bool(true).u32(program).u32(version).string(`${transport}${suffix}`)
    out.string(universalAddress(localAddress, port)).string('superuser')
  }
  out.bool(false)
}

/** RFC 5665 section 5.2.3: the address, a dot, and the two bytes of the port in decimal. */
export function universalAddress(address: string, port: number): string {
  return `${address}.${port >> 8}.${port & 0xff}`
}
