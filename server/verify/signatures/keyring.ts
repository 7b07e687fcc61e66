import type { Key, PartialConfig, SignaturePacket, VerifyMessageResult } from 'openpgp'
import { failureMessage } from '../../core/failure.ts'
import { armourBlocks, isArmoured } from './armour.ts'

/** A key that the operator gave, for people. */
export interface GivenKey {
  /** Upper-case hex. */
  readonly fingerprint: string
  /** `Fedora (40) <fedora-40-primary@fedoraproject.org>`, or '' when it has no name. */
  readonly userId: string
  readonly file: string
}

/** What came of one signature file; several signatures in it are alternatives, of which one must hold. */
export type Verdict =
  | { readonly good: true; readonly key: GivenKey }
  /** `why` goes on after the name of the document: "was changed ...". */
  | { readonly good: false; readonly why: string }

/** Ubuntu's had two signers, Debian's stable has three. Each costs the hash of the document and a public-key operation. */
const maxSignatures = 32

/**
 * Stricter than gpgv(1) in one point, the same in the others: MD5 and SHA-1 digests are refused as everywhere today,
 * and so are DSA and RSA below 2047 bits. Certificates whose own signatures use SHA-1, have no key flags, or were
 * renewed after the document was signed (Debian extends its keys so) are good: of old distributions all have these.
 */
const config: PartialConfig = {
  allowInsecureVerificationWithReformattedKeys: true,
  allowMissingKeyFlags: true,
}

type Checked = VerifyMessageResult['signatures'][number]

interface Candidate {
  readonly key: Key
  readonly given: GivenKey
}

/** The keys that the operator trusts, and the judgement of signatures by them. Nothing that it is given makes it throw. */
export class Keyring {
  readonly #candidates: readonly Candidate[]

  constructor(keys: readonly { readonly key: Key; readonly file: string }[]) {
    this.#candidates = keys.map(({ key, file }) => {
      const fingerprint = key.getFingerprint().toUpperCase()
      return { key, given: { fingerprint, userId: key.getUserIDs()[0] ?? '', file } }
    })
  }

  get keys(): readonly GivenKey[] {
    return this.#candidates.map(({ given }) => given)
  }

  /** A detached signature, armoured or binary, of exactly these bytes. */
  async judgeDetached(document: Uint8Array, signature: Uint8Array): Promise<Verdict> {
    try {
      const { createMessage, readSignature, verify } = await import('openpgp')
      const [whole, ...more] = await Promise.all(
        isArmoured(signature)
          ? armourBlocks(Buffer.from(signature).toString('latin1'), 'SIGNATURE').map((block) =>
              readSignature({ armoredSignature: block, config }),
            )
          : [readSignature({ binarySignature: signature, config })],
      )
      if (!whole) return unreadable('there is no OpenPGP signature in it')
      for (const { packets } of more) whole.packets.push(...packets)
      return await this.#judge(async (keys) => {
        const message = await createMessage({ binary: document })
        const what = { message, signature: whole, verificationKeys: keys, format: 'binary', config } as const
        return (await verify(what)).signatures
      })
    } catch (error) {
      return unreadable(failureMessage(error))
    }
  }

  /**
   * A clearsigned message. `text` is what its signature covers, with `\n` at the ends of lines: that and nothing else
   * may be believed. Undefined when it cannot be read.
   */
  async openClearsigned(message: string): Promise<{ readonly verdict: Verdict; readonly text?: string }> {
    try {
      const { readCleartextMessage, verify } = await import('openpgp')
      const read = await readCleartextMessage({ cleartextMessage: message, config })
      const verdict = await this.#judge(
        async (keys) => (await verify({ message: read, verificationKeys: keys, config })).signatures,
      )
      return { verdict, text: read.getText() }
    } catch (error) {
      return { verdict: unreadable(failureMessage(error)) }
    }
  }

  /**
   * Each signature is tried with every given certificate that has its key: of one key there may be an expired and a
   * renewed certificate.
   */
  async #judge(verifyWith: (keys: Key[]) => Promise<readonly Checked[]>): Promise<Verdict> {
    const found = await verifyWith([])
    if (found.length === 0) return unreadable('no signature in it is of a version and algorithm that we know')
    if (found.length > maxSignatures)
      return unreadable(`it has ${found.length} signatures; at most ${maxSignatures} are read`)
    const faults: string[] = []
    const strangers: string[] = []
    for (const [at, { signature }] of found.entries()) {
      const packet = (await signature).packets[0]
      if (!packet) continue
      const candidates = this.#candidates.filter(({ key }) => key.getKeys(packet.issuerKeyID).length > 0)
      if (candidates.length === 0) strangers.push(issuerOf(packet))
      for (const { key, given } of candidates) {
        const result = (await verifyWith([key]))[at]
        const fault = result && (await faultOf(result, packet, key))
        if (result && fault === undefined) return { good: true, key: given }
        faults.push(`${fault} (key ${nameOf(given)}, from ${given.file})`)
      }
    }
    if (faults.length > 0) return bad([...new Set(faults)].join('; '))
    const by = `is signed by key ${strangers.join(' and ')}`
    return bad(`${by}, and none of the given keys is that: ${this.#listKeys()}`)
  }

  #listKeys(): string {
    const names = this.keys.slice(0, 5).map((given) => `${nameOf(given)}, from ${given.file}`)
    const more = this.keys.length > 5 ? `, and ${this.keys.length - 5} more` : ''
    return `${names.join('; ')}${more}`
  }
}

/** Names in keys and signatures are other people's text, and this goes to terminals. */
function bad(why: string): Verdict {
  return { good: false, why: why.replace(/[\x00-\x1f\x7f-\x9f]/g, '?') }
}

function unreadable(what: string): Verdict {
  return bad(`has a signature that cannot be read: ${what}`)
}

function nameOf({ fingerprint, userId }: GivenKey): string {
  return userId === '' ? fingerprint : `${fingerprint} ${userId}`
}

function issuerOf({ issuerFingerprint, issuerKeyID }: SignaturePacket): string {
  const hex = issuerFingerprint ? Buffer.from(issuerFingerprint).toString('hex') : issuerKeyID.toHex()
  return hex.toUpperCase()
}

/** Undefined when it holds by this key, now and when it was made. */
async function faultOf(result: Checked, packet: SignaturePacket, key: Key): Promise<string | undefined> {
  const { enums, config: defaults } = await import('openpgp')
  const { binary, text } = enums.signature
  if (packet.signatureType !== binary && packet.signatureType !== text)
    return 'has a signature of a kind that is not for documents'
  const now = new Date()
  try {
    await result.verified
    // The library asks whether the key was good when the signature says that it was made. Whoever got hold of a key
    // after its end writes any date he likes, so it must be good now, too.
    await key.getSigningKey(packet.issuerKeyID, now, undefined, { ...defaults, ...config })
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

function reasonOf(message: string, packet: SignaturePacket, ended: string): string {
  const made = packet.created ? dayOf(packet.created) : 'an unknown day'
  if (/digest did not match|verification failed/i.test(message))
    return 'does not fit its signature: one of the two was changed'
  if (/revoked/i.test(message)) return 'is signed by a key that was revoked'
  if (/signature is expired/i.test(message)) return `has a signature of ${made} that has expired`
  if (/key is expired/i.test(message))
    return `is signed (on ${made}) by a key that expired${ended}; perhaps its owner renewed it: get it again`
  if (/insecure (?:message )?hash/i.test(message))
    return `has a signature that can be forged: ${message.replace(/^.*: /s, '')} is too weak a digest`
  if (/too weak|disabled|not supported/i.test(message))
    return `is signed by a key that can be forged: ${message}`
  if (/creation time is in the future/i.test(message))
    return `has a signature of ${made}, which is still to come: look at the clock of this machine`
  return `has a signature that does not hold: ${message}`
}

function dayOf(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'an unknown day' : date.toISOString().slice(0, 10)
}
