import { Failure } from '../core/failure.ts'
import type { GuestState } from '../core/guest/state.ts'
import { canonicalMac } from '../core/net/mac.ts'
import { canonicalUuid } from '../core/net/uuid.ts'
import type { BootMachines } from '../machines/boot-machines.ts'
import type { LoaderHistory, LoaderMemory } from '../machines/loader-memory.ts'
import type { NetworkBootParts } from '../machines/network-boot.ts'

/** What a dry boot reads of the machines' past. Every method of it changes nothing. */
export type MachinesToRead = Pick<
  BootMachines,
  'stateOf' | 'versionsOf' | 'whyNotWritable' | 'versionFor' | 'uuidOf' | 'shownByDhcp' | 'reportToken'
> & { readonly loaders: Pick<LoaderMemory, 'history' | 'lastBasis'> }

/** The machines as a dry boot sees them: for the namespace and for DHCP. */
export type DryMachines = BootMachines & NetworkBootParts['machines']

/** As long as a token, and the token of no installation. */
const noToken = 'A'.repeat(22)

/**
 * Machines that are read and never written. What a dry boot would have written goes nowhere, so nothing that it asks can
 * become an offer, a claim, a line of history or a machine of the inbox, whatever the code on its way does.
 *
 * No field of a request says that it belongs to a dry boot. What makes it one is that it is asked of a namespace over these
 * machines, which exist only inside of this process: a request from the network cannot reach them.
 *
 * @param assumed The guest whose boot is tried as if it were in another state than it is.
 */
export function dryMachines(
  machines: MachinesToRead,
  assumed?: { readonly guest: string; readonly state: GuestState },
): DryMachines {
  // Within one boot, as DHCP teaches a server (machines/machine-names.ts).
  const uuids = new Map<string, string>()
  // On what the offer rested, for the request on port 4011 that follows it.
  const bases = new Map<string, LoaderHistory>()
  return {
    // The caller has read the store. A probe of it would write.
    fresh: async () => {},
    stateOf: (guest) => (guest === assumed?.guest ? assumed.state : machines.stateOf(guest)),
    whyNotWritable: () => machines.whyNotWritable(),
    // An order to install ends what bound the machine to a version.
    versionsOf: (who) => (assumed ? new Map() : machines.versionsOf(who)),
    versionFor: (who, current, path) => (assumed ? current.version : machines.versionFor(who, current, path)),
    uuidOf: (mac) => uuids.get(canonicalMac(mac) ?? mac) ?? machines.uuidOf(mac),
    shownByDhcp: (facts) => machines.shownByDhcp(facts),
    reportToken: (guest) => (machines.reportToken(guest) === undefined ? undefined : noToken),
    claimAnswerFile: async () => {
      throw new Failure('internal', 'a boot that is only tried has asked for an answer file to be claimed')
    },
    learnNames: (mac, uuid) => void uuids.set(mac, canonicalUuid(uuid) ?? uuid),
    askedByDhcp: () => {},
    loaders: {
      history: (mac, xid) => machines.loaders.history(mac, xid),
      lastBasis: (mac) => bases.get(mac) ?? machines.loaders.lastBasis(mac),
      sent: (mac, xid) => void bases.set(mac, machines.loaders.history(mac, xid)),
      ran: () => {},
    },
  }
}
