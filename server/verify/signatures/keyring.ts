import type { Key, PartialConfig, SignaturePacket, VerifyMessageResult } from 'openpgp'
import { failureMessage } from '../../core/failure.ts'
import { documentLimits } from '../../core/limits/documents.ts'
import { armourBlocks, isArmoured } from './armour.ts'

/** A key that the operator gave, as messages show it. */
export interface GivenKey {
  /** Upper-case hex. */
  readonly fingerprint: string
  /** `Fedora (40) <fedora-40-primary@fedoraproject.org>`, or '' when it has no name. */
  readonly userId: string
  readonly file: string
}

/**
 * The result of checking one signature file. When the file holds several signatures, one good signature is
 * enough.
 */
export type SignatureVerdict =
  | { readonly good: true; readonly key: GivenKey }
  /** `why` continues a sentence that begins with the name of the document: "was changed ...". */
  | { readonly good: false; readonly why: string }

/**
 * The most signatures that are read from one file. Ubuntu's files had two signers, Debian's stable has three.
 * Each costs a hash of the document and a public-key operation.
 */
const maxSignatures = documentLimits.signature.entries

/**
 * What we accept is what gpgv(1) accepts, except that we refuse signatures with MD5 and SHA-1 digests, DSA
 * keys, and RSA keys below 2047 bits, as the library does by default. The certificates of old distributions
 * need some tolerance. Their own signatures may use SHA-1, may have no key flags, and may be newer than the
 * document (Debian renews its keys in that way).
 */
const config: PartialConfig = {
  allowInsecureVerificationWithReformattedKeys: true,
  allowMissingKeyFlags: true,
}

/** How many keys a message lists. */
const mostListed = 5

type CheckedSignature = VerifyMessageResult['signatures'][number]

interface TrustedKey {
  readonly key: Key
  readonly given: GivenKey
}

/** Checks signatures with the keys that the operator trusts. No document or signature makes it throw. */
export class Keyring {
  readonly #trusted: readonly TrustedKey[]

  constructor(keys: readonly { readonly key: Key; readonly file: string }[]) {
    this.#trusted = keys.map(({ key, file }) => {
      const fingerprint = key.getFingerprint().toUpperCase()
      return { key, given: { fingerprint, userId: key.getUserIDs()[0] ?? '', file } }
    })
  }

  get keys(): readonly GivenKey[] {
    return this.#trusted.map(({ given }) => given)
  }

  /** Checks a detached signature, armoured or binary, of exactly these bytes. */
  async checkDetached(document: Uint8Array, signature: Uint8Array): Promise<SignatureVerdict> {
    try {
      const { createMessage, readSignature, verify } = await import('openpgp')
      const [whole, ...more] = await Promise.all(
        isArmoured(signature)
          ? armourBlocks(Buffer.from(signature).toString('latin1'), 'SIGNATURE').map((block) =>
              readSignature({ armoredSignature: block, config }),
            )
          : [readSignature({ binarySignature: signature, config })],
      )
      if (!whole) return unreadable('it does not hold an OpenPGP signature')
      for (const { packets } of more) whole.packets.push(...packets)
      return await this.#check(async (keys) => {
        const message = await createMessage({ binary: document })
        const request = {
          message,
          signature: whole,
          verificationKeys: keys,
          format: 'binary',
          config,
        } as const
        return (await verify(request)).signatures
      })
    } catch (error) {
      return unreadable(failureMessage(error))
    }
  }

  /**
   * Opens a clearsigned message. `text` is what its signature covers, with `\n` at the ends of lines; callers
   * must believe nothing else of the message. It is undefined when the message cannot be read.
   */
  async openClearsigned(
    message: string,
  ): Promise<{ readonly verdict: SignatureVerdict; readonly text?: string }> {
    try {
      const { readCleartextMessage, verify } = await import('openpgp')
      const read = await readCleartextMessage({ cleartextMessage: message, config })
      const verdict = await this.#check(
        async (keys) => (await verify({ message: read, verificationKeys: keys, config })).signatures,
      )
      return { verdict, text: read.getText() }
    } catch (error) {
      return { verdict: unreadable(failureMessage(error)) }
    }
  }

  /**
   * Tries each signature with every given certificate that has its key: an expired and a renewed certificate
   * of one key may both be given.
   */
  async #check(verifyWith: (keys: Key[]) => Promise<readonly CheckedSignature[]>): Promise<SignatureVerdict> {
    // Without a key none holds, but the result lists them, in the same order as with any key.
    const found = await verifyWith([])
    if (found.length === 0)
      return unreadable('its signatures have versions or algorithms that we do not know')
    if (found.length > maxSignatures)
      return unreadable(`it has ${found.length} signatures; at most ${maxSignatures} are read`)
    const faults: string[] = []
    const unknownKeys: string[] = []
    for (const [at, { signature }] of found.entries()) {
      const packet = (await signature).packets[0]
      if (!packet) continue
      const matching = this.#trusted.filter(({ key }) => key.getKeys(packet.issuerKeyID).length > 0)
      if (matching.length === 0) unknownKeys.push(issuerOf(packet))
      for (const { key, given } of matching) {
        const result = (await verifyWith([key]))[at]
        const fault = result && (await faultOf(result, packet, key))
        if (result && fault === undefined) return { good: true, key: given }
        faults.push(`${fault} (key ${nameOf(given)}, from ${given.file})`)
      }
    }
    if (faults.length > 0) return bad([...new Set(faults)].join('; '))
    const by = `is signed by key ${unknownKeys.join(' and ')}`
    return bad(`${by}, which is not among the given keys: ${this.#listKeys()}`)
  }

  #listKeys(): string {
    const names = this.keys.slice(0, mostListed).map((given) => `${nameOf(given)}, from ${given.file}`)
    const more = this.keys.length > mostListed ? `, and ${this.keys.length - mostListed} more` : ''
    return `${names.join('; ')}${more}`
  }
}

/** Replaces control characters: names in keys are other people's text, and messages go to terminals. */
function bad(why: string): SignatureVerdict {
  return { good: false, why: why.replace(/[\x00-\x1f\x7f-\x9f]/g, '?') }
}

function unreadable(fault: string): SignatureVerdict {
  return bad(`has a signature that cannot be read: ${fault}`)
}

function nameOf({ fingerprint, userId }: GivenKey): string {
  return userId === '' ? fingerprint : `${fingerprint} ${userId}`
}

function issuerOf({ issuerFingerprint, issuerKeyID }: SignaturePacket): string {
  const hex = issuerFingerprint ? Buffer.from(issuerFingerprint).toString('hex') : issuerKeyID.toHex()
  return hex.toUpperCase()
}

/** Why a signature does not hold; undefined when it holds by this key, now and when it was made. */
async function faultOf(
  result: CheckedSignature,
  packet: SignaturePacket,
  key: Key,
): Promise<string | undefined> {
  const { enums, config: defaults } = await import('openpgp')
  const { binary, text } = enums.signature
  if (packet.signatureType !== binary && packet.signatureType !== text)
    return 'has a signature of a kind that is not for documents'
  const now = new Date()
  try {
    await result.verified
    // The library checks that the key was good at the date in the signature. A thief of an expired key may
    // write any date, so the key must be good now, too.
    const anyUser = undefined
    await key.getSigningKey(packet.issuerKeyID, now, anyUser, { ...defaults, ...config })
    return undefined
  } catch (error) {
    return reasonOf(failureMessage(error), packet, await expiryOf(key, packet, now))
  }
}

async function expiryOf(key: Key, { issuerKeyID }: SignaturePacket, now: Date): Promise<string> {
  const [part] = key.getSubkeys(issuerKeyID)
  const ends = [await key.getExpirationTime(), await part?.getExpirationTime(now)]
  const end = ends.find((each): each is Date => each instanceof Date && each <= now)
  return end ? ` on ${dayOf(end)}` : ''
}

/** Puts an error of the library into our words. Only its message tells what kind of error it is. */
function reasonOf(message: string, packet: SignaturePacket, ended: string): string {
  const madeOn = packet.created ? dayOf(packet.created) : 'an unknown day'
  if (/digest did not match|verification failed/i.test(message))
    return 'does not fit its signature: one of the two was changed'
  if (/revoked/i.test(message)) return 'is signed by a key that was revoked'
  if (/signature is expired/i.test(message)) return `has a signature of ${madeOn} that has expired`
  if (/key is expired/i.test(message))
    return `is signed (on ${madeOn}) by a key that expired${ended}; perhaps its owner renewed it: get it again`
  if (/insecure (?:message )?hash/i.test(message))
    return `has a signature that can be forged: ${message.replace(/^.*: /s, '')} is too weak a digest`
  if (/too weak|disabled|not supported/i.test(message))
    return `is signed by a key that can be forged: ${message}`
  if (/creation time is in the future/i.test(message))
    return `has a signature of ${madeOn}, which is in the future: check the clock of this machine`
  return `has a signature that does not hold: ${message}`
}

function dayOf(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'an unknown day' : date.toISOString().slice(0, 10)
}
