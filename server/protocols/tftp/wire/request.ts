import { defined } from '../../../core/defined.ts'
import { plainAddress } from '../../../core/net/address.ts'
import type { Requester } from '../../../core/net/requester.ts'
import { type CleanPath, cleanPath } from '../../../files/path.ts'
import { isWildcard } from '../../listen-addresses.ts'

/** A read request in the terms of a FileSource: its path and its requester. */

/**
 * The path that a request's file name means. `x`, `/x` and `//x` are one file: iPXE and curl strip a slash,
 * GRUB sends one, shim two. A backslash counts as a slash: shim copies the style of the DHCP boot file.
 * Nothing is percent-decoded: GRUB means `%20` literally, and iPXE decodes before it asks.
 *
 * @throws Failure `bad-request` for control characters and names that are too long.
 */
export function requestPath(filename: string): CleanPath {
  return cleanPath(filename.replaceAll('\\', '/'))
}

/**
 * The client at `remoteAddress`, which sent its request to `localAddress`. A wildcard says nothing about our
 * address, so it is left out.
 */
export function requesterOf(remoteAddress: string, localAddress: string): Requester {
  return defined({
    protocol: 'tftp' as const,
    address: plainAddress(remoteAddress),
    localAddress: isWildcard(localAddress) ? undefined : plainAddress(localAddress),
  })
}
