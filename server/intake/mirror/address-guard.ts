import { type LookupAddress, lookup as lookUp } from 'node:dns'
import { lookup as lookUpLater } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { Failure } from '../../core/failure.ts'
import { canonicalIp } from '../../core/net/address.ts'
import { allowingLine, isBelowUrl } from '../../core/net/listed-url.ts'
import { reachOf } from '../../core/net/reach.ts'

/** A server at an address that may not be asked. No other mirror or later try helps: the whole fetch ends. */
export class RefusedAddress extends Failure {}

/**
 * Keeps fetches that a client of the API has begun from addresses that only this machine or its networks reach. Each
 * connection is checked by the address that it goes to, so a name that leads elsewhere at its second lookup (DNS
 * rebinding) or a redirect gains nothing. A private address is allowed to a URL that is listed, and one of this machine
 * or its link to a URL that names it itself, as `http://127.0.0.1:8080/` or `http://localhost/`.
 *
 * Through a proxy (`http_proxy`) the proxy makes the connection: then only addresses that stand in the URL are checked.
 */
export class AddressGuard {
  readonly #listed: readonly string[]

  /** @param listed URLs: what lies below them counts, too. */
  constructor(listed: readonly string[]) {
    this.#listed = listed
  }

  isListed(url: URL): boolean {
    return isBelowUrl(url, this.#listed)
  }

  /** @throws RefusedAddress when the URL names an address that may not be asked. */
  checkUrl(url: URL): void {
    const address = canonicalIp(url.hostname)
    if (address !== undefined) this.#check(url, address)
  }

  /** For `net.connect`: looks a name up, and gives only addresses that may be asked. */
  lookupFor(url: URL): LookupFunction {
    return (hostname, options, done) => {
      lookUp(hostname, { ...options, all: true }, (error, addresses) => {
        if (error) return done(error, '')
        try {
          const allowed = this.#allowed(url, addresses)
          const [first] = allowed
          if (options.all) done(null, allowed)
          else done(null, first.address, first.family)
        } catch (refusal) {
          done(refusal as Error, '')
        }
      })
    }
  }

  /**
   * The address to connect to, for clients that look names up themselves. IPv6 without brackets.
   *
   * @param tries How often that failed: a server may listen at one of its addresses only.
   */
  async addressOf(url: URL, tries = 0): Promise<string> {
    this.checkUrl(url)
    const literal = canonicalIp(url.hostname)
    if (literal !== undefined) return literal
    const allowed = this.#allowed(url, await lookUpLater(url.hostname, { all: true }))
    return (allowed[tries % allowed.length] ?? allowed[0]).address
  }

  #allowed(url: URL, addresses: readonly LookupAddress[]): [LookupAddress, ...LookupAddress[]] {
    const found = addresses.filter(({ address }) => this.#whyNot(url, address) === undefined)
    const [first, ...others] = found
    if (first) return [first, ...others]
    throw this.#refusal(url, addresses[0]?.address ?? '')
  }

  #check(url: URL, address: string): void {
    if (this.#whyNot(url, address) !== undefined) throw this.#refusal(url, address)
  }

  #whyNot(url: URL, address: string): string | undefined {
    const reach = reachOf(address)
    if (reach === 'public') return undefined
    const names = canonicalIp(url.hostname) !== undefined || url.hostname === 'localhost'
    if (this.isListed(url) && (reach === 'private' || names)) return undefined
    return reach === 'private' ? 'a private address' : 'an address of this machine or its link'
  }

  #refusal(url: URL, address: string): RefusedAddress {
    const { protocol, host, port } = url
    const what = this.#whyNot(url, address) ?? 'no address'
    const server = `${protocol}//${host}/`
    const plain = address.includes(':') ? `[${address}]` : address
    const own = `${protocol}//${plain}${port === '' ? '' : `:${port}`}/`
    // Listing the name of this machine or of its link is not enough: see above.
    const remedy =
      reachOf(address) === 'private' || server === own
        ? allowingLine(server)
        : `use the URL ${own} itself, and ${allowingLine(own)}`
    return new RefusedAddress('forbidden', `${server} is at ${address}, ${what}; if that is meant, ${remedy}`)
  }
}
