import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { configurationLimits } from '../../core/limits/configuration.ts'
import { canonicalIp } from '../../core/net/address.ts'
import { Entries, type FoundEntry, identityOfDuid, macOf, macOfClientId, whyNoCard } from './entries.ts'

/**
 * `host` declarations of ISC dhcpd, wherever they stand: dhcpd.conf(5), tried with dhcpd 4.4.3. Keywords have no case, a
 * name is no text in quotes, and of one host the hardware address may be said once. What other statements mean is not
 * read, so a mistake in one of them is not found.
 */
export function parseIscHosts(text: string): readonly FoundEntry[] {
  const reader = new HostReader()
  for (const token of tokensOf(text)) reader.take(token)
  return reader.end()
}

interface Token {
  readonly line: number
  readonly text: string
  readonly kind: 'word' | 'text' | 'mark'
}

/** Words, texts in quotes, and `{`, `}`, `;`, `,`, `=`. `#` begins a comment. */
function* tokensOf(text: string): Generator<Token> {
  const form = /#[^\n]*|"((?:[^"\\\n]|\\.)*)"?|([{};,=()])|([^\s{};,=()"#]+)|\n/g
  let line = 1
  for (const [whole, quoted, mark, word] of text.matchAll(form)) {
    if (whole === '\n') line++
    else if (quoted !== undefined) yield { line, kind: 'text', text: quoted }
    else if (mark !== undefined) yield { line, kind: 'mark', text: mark }
    else if (word !== undefined) yield { line, kind: 'word', text: word }
  }
}

/** A `host` whose end has not come yet. */
interface Host {
  readonly line: number
  readonly name?: string
  mac?: string
  uuid?: string
  hasHardware: boolean
  readonly ips: string[]
  hostname?: string
  readonly notes: string[]
  fault?: { readonly line: number; readonly why: string }
  why?: string
}

const maxDepth = configurationLimits.guestsToImport.depth

class HostReader {
  readonly #entries = new Entries()
  readonly #names = new Set<string>()
  /** The blocks around the present place. */
  readonly #blocks: { readonly line: number; readonly host?: Host }[] = []
  #statement: Token[] = []

  take(token: Token): void {
    const isMark = token.kind === 'mark'
    if (isMark && token.text === '{') this.#open(token)
    else if (isMark && token.text === '}') this.#close(token)
    else if (isMark && token.text === ';') this.#endStatement(token)
    else this.#statement.push(token)
  }

  end(): readonly FoundEntry[] {
    const open = this.#blocks[0]
    if (open) this.#entries.faulty(open.line, undefined, 'the block that begins here has no end')
    return this.#entries.all
  }

  #open({ line }: Token): void {
    if (this.#blocks.length === maxDepth)
      throw new Failure('invalid-data', `line ${line}: blocks are nested more than ${maxDepth} deep`)
    const [keyword, name, extra] = this.#statement
    this.#statement = []
    if (keyword?.text.toLowerCase() !== 'host' || keyword.kind !== 'word') {
      this.#blocks.push({ line: keyword?.line ?? line })
      return
    }
    const host: Host = {
      line: keyword.line,
      hasHardware: false,
      ips: [],
      notes: [],
      ...defined({ name: name?.text }),
    }
    if (name?.kind !== 'word' || extra)
      host.fault = { line: keyword.line, why: 'expected one name without quotes behind host' }
    this.#blocks.push({ line: keyword.line, host })
  }

  #close({ line }: Token): void {
    const block = this.#blocks.pop()
    if (this.#statement.length > 0 && block?.host)
      block.host.fault ??= { line: this.#statement[0]?.line ?? line, why: 'a semicolon is missing' }
    this.#statement = []
    if (!block) this.#entries.faulty(line, undefined, 'a block ends here that has not begun')
    else if (block.host) this.#endHost(block.host)
  }

  #endStatement({ line }: Token): void {
    const [keyword, ...rest] = this.#statement
    const host = this.#blocks.at(-1)?.host
    this.#statement = []
    if (!host) return
    if (!keyword) host.fault ??= { line, why: 'a semicolon stands alone' }
    else readStatement(keyword, rest, host)
  }

  #endHost(host: Host): void {
    const { line, name, mac, uuid, ips, notes, hostname, fault, why } = host
    if (fault) this.#entries.faulty(fault.line, name, fault.why)
    else if (name !== undefined && this.#names.has(name))
      this.#entries.faulty(line, name, `there is a host ${name} already`)
    else if (why !== undefined) this.#entries.skipped(line, name, why)
    else {
      const own = hostname === name ? undefined : hostname
      const macs = mac === undefined ? [] : [mac]
      this.#entries.found(line, { macs, ips, notes, ...defined({ name, uuid, hostname: own }) })
    }
    if (name !== undefined) this.#names.add(name)
  }
}

function readStatement({ line, text }: Token, rest: readonly Token[], host: Host): void {
  const words = rest.map((token) => token.text)
  switch (text.toLowerCase()) {
    case 'hardware':
      readHardware(line, rest, host)
      break
    case 'fixed-address':
    case 'fixed-address6':
      readAddresses(line, rest, host)
      break
    case 'option':
      if (/^host-name$/i.test(words[0] ?? '') && rest[1]?.kind === 'text' && rest.length === 2)
        host.hostname = words[1] ?? ''
      if (/^dhcp-client-identifier$/i.test(words[0] ?? '')) readClientId(words[1] ?? '', host)
      break
    case 'host-identifier':
      if (/^dhcp6\.client-id$/i.test(words[1] ?? '')) readDuid(words[2] ?? '', host)
      break
    case 'deleted':
      host.why = 'it is deleted'
  }
}

function readHardware(line: number, rest: readonly Token[], host: Host): void {
  const [type, address, extra] = rest
  const isAddress = address?.kind === 'word' && /^[0-9a-f]{1,2}(?::[0-9a-f]{1,2})*$/i.test(address.text)
  if (extra) host.fault ??= { line: extra.line, why: `a semicolon is missing before ${extra.text}` }
  else if (!/^(?:ethernet|token-ring|fddi|infiniband)$/i.test(type?.text ?? ''))
    host.fault ??= { line, why: `expected hardware ethernet, found hardware ${type?.text ?? ''}` }
  else if (!isAddress) host.fault ??= { line, why: `${address?.text ?? 'nothing'} is no hardware address` }
  else if (host.hasHardware) host.fault ??= { line, why: 'it has a hardware address already' }
  else if (!/^ethernet$/i.test(type?.text ?? '')) host.why = `its card is ${type?.text}`
  else {
    const mac = macOf(address.text)
    if (mac === undefined) host.why = whyNoCard(address.text)
    else host.mac = mac
  }
  host.hasHardware = true
}

function readAddresses(line: number, rest: readonly Token[], host: Host): void {
  for (const { text, kind } of rest) {
    if (kind === 'mark') continue
    const ip = canonicalIp(text)
    if (ip !== undefined) host.ips.push(ip)
    else if (/^[\d.]+$/.test(text) || text.includes(':'))
      host.fault ??= { line, why: `${text} is not an address` }
    else host.notes.push(`its address is left out: it is the name ${text}`)
  }
}

function readClientId(id: string, host: Host): void {
  const mac = macOfClientId(id)
  if (mac === undefined || host.hasHardware || host.mac !== undefined) return
  host.mac = mac
  host.notes.push('its MAC address is from its client identifier')
}

function readDuid(duid: string, host: Host): void {
  const { mac, uuid } = identityOfDuid(duid)
  if (uuid !== undefined) host.uuid = uuid
  if (mac === undefined || host.mac !== undefined) return
  host.mac = mac
  host.notes.push('its MAC address is from its DUID')
}
