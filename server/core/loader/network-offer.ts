import type { ClientFacts, Firmware } from '../boot/firmware.ts'
import { loadsByHttp, runsIpxe } from '../boot/firmware.ts'
import { defined } from '../defined.ts'
import { bootFileName, type LoaderCandidate } from './choice.ts'
import { restartSecondsOf } from './loaders.ts'

/** One DHCP packet by which a machine asks for network boot. */
export interface NetworkBootRequest {
  readonly client: ClientFacts
  /** Our address on the interface that the packet came by, or may have come by. */
  readonly serverAddress: string
  /** The client's address; '' while it has none. */
  readonly clientAddress: string
  /** Transaction id: a packet that is sent again has the same. */
  readonly xid: number
  /**
   * The machine has our offer and now asks the boot server (port 4011) for it: it gets the same once more.
   */
  readonly isFollowUp: boolean
  /** The same packet was already decided for another interface, so the machine is not counted again. */
  readonly isRepeat?: boolean
}

/** The content of a reply to a machine. The DHCP service writes it into a packet. */
export interface NetworkOffer {
  readonly firmware: Firmware
  /** What the client expects in option 60 and how it searches: HTTP Boot without PXE's vendor options. */
  readonly style: 'pxe' | 'http' | 'raspberry-pi'
  /** TFTP path or URL; '' for a Raspberry Pi, which asks for files by fixed names. */
  readonly bootFile: string
  /** See `Loader` in loaders.ts. */
  readonly restartSeconds?: number
}

/** What a machine that asked for network boot gets, and why. */
export type NetworkReply =
  | { readonly kind: 'offer'; readonly offer: NetworkOffer; readonly guest?: string; readonly why: string }
  /** The machine asked for network boot and gets no reply. */
  | { readonly kind: 'silence'; readonly guest?: string; readonly why: string }

/** What an offer depends on. */
export interface OfferInputs {
  readonly firmware: Firmware
  /** The first loader of `loaderCandidates` that exists. */
  readonly loader?: LoaderCandidate
  /** URL of our HTTP service, without a slash at the end. */
  readonly httpBase: string
  /** URL of the script for a running iPXE; absent while neither HTTP nor TFTP is open. */
  readonly scriptUrl?: string
  /** Whether the TFTP service is where firmware asks: on port 69, which no DHCP option can change. */
  readonly tftp: 'open' | 'closed' | 'other-port'
  readonly http: 'open' | 'closed'
}

/** Decides what a machine is offered, or why it gets no reply. */
export function decideOffer(
  inputs: OfferInputs,
): { offer: NetworkOffer; loader?: LoaderCandidate; why: string } | { why: string } {
  const { firmware, loader, scriptUrl, httpBase } = inputs
  if (runsIpxe(firmware) && !loader) {
    // Never iPXE itself, which would load itself for ever.
    if (scriptUrl === undefined)
      return { why: 'iPXE wants a script, and neither the http nor the tftp service is open' }
    return { offer: { firmware, style: 'pxe', bootFile: scriptUrl }, why: 'iPXE is running: its script' }
  }
  if (firmware === 'u-boot')
    return {
      why: 'U-Boot takes the first offer it hears and wants an address in it: set next-server in the DHCP server',
    }
  const wrong = closedService(inputs)
  if (wrong !== undefined) return { why: wrong }
  if (firmware === 'raspberry-pi')
    return {
      offer: { firmware, style: firmware, bootFile: '' },
      why: 'a Raspberry Pi asks for its files by fixed names',
    }
  if (!loader) return { why: whyNoLoader(firmware) }
  const style = loadsByHttp(firmware) ? 'http' : 'pxe'
  const bootFile = bootFileName(firmware, loader.urlPath, httpBase)
  const restartSeconds = restartSecondsOf(loader.urlPath)
  return { offer: { firmware, style, bootFile, ...defined({ restartSeconds }) }, loader, why: loader.why }
}

/** Why a machine gets no loader when nothing else speaks against it. */
export function whyNoLoader(firmware: Firmware): string {
  return `no loader for ${firmware} is there; treeboot loaders says what is missing`
}

function closedService({ firmware, tftp, http }: OfferInputs): string | undefined {
  if (loadsByHttp(firmware)) return http === 'open' ? undefined : 'the http service is closed'
  if (tftp === 'closed') return 'the tftp service is closed, and firmware loads by TFTP'
  return tftp === 'other-port' ? 'the tftp service is not on port 69, where firmware looks for it' : undefined
}
