import { failureMessage } from '../../core/failure.ts'
import { baseName, type CleanPath, joinPath, parentPath } from '../../files/path.ts'
import { readWhole } from '../../files/read-whole.ts'
import type { FileSource } from '../../files/source.ts'
import type { Finding, SignatureNote } from '../expected-file.ts'
import { relativeTo, self } from '../walk.ts'
import { type Clearsigned, findClearsigned, isSameSignedText } from './armour.ts'
import type { Keyring, Verdict } from './keyring.ts'

/** A document as far as it may be believed. */
export interface Opened {
  /** What to read: when keys were given, of a text of which a part is signed only that part. */
  readonly text: string
  /** That part, when it is not the whole file as it lies there. */
  readonly signedText?: string
  /** By one of the given keys. */
  readonly isSigned: boolean
}

/** Debian's `Release.gpg` of three signers has 3 KiB; a clearsigned copy has that and the document. */
const maxSignatureBytes = 256 * 1024

/** Debian's and Ubuntu's media, SUSE's and everyone's `.asc`, Rocky's `CHECKSUM.sig`. */
const endings = ['.asc', '.gpg', '.sign', '.sig']

/**
 * Opens documents that name checksums, and judges their signatures: inline (Fedora's `*-CHECKSUM`, `InRelease`),
 * detached (`SHA256SUMS.sign`, `repomd.xml.asc`, `Release.gpg`), or on a clearsigned copy beside (CentOS'
 * `sha256sum.txt.asc`). Without keys it only notes that signatures are there.
 */
export class SignedDocuments {
  readonly signatures: SignatureNote[] = []
  readonly #source: FileSource
  readonly #at: CleanPath
  readonly #findings: Finding[]
  readonly #keyring: Keyring | undefined

  /** @param findings Where to put what is wrong. */
  constructor(source: FileSource, at: CleanPath, findings: Finding[], keyring: Keyring | undefined) {
    this.#source = source
    this.#at = at
    this.#findings = findings
    this.#keyring = keyring
  }

  /** @param bytes All of the document; the text comes from these and no second look at the file. */
  async open(path: CleanPath, bytes: Uint8Array): Promise<Opened> {
    const text = new TextDecoder().decode(bytes)
    const inline = findClearsigned(text)
    const beside = inline ? [] : await this.#beside(path)
    if (!this.#keyring) {
      for (const place of inline ? [path] : beside) this.#note(path, place)
      return { text, isSigned: false }
    }
    return inline
      ? this.#openInline(path, inline, this.#keyring)
      : this.#openBeside(path, text, bytes, beside, this.#keyring)
  }

  async #openInline(path: CleanPath, inline: Clearsigned, keyring: Keyring): Promise<Opened> {
    const document = relativeTo(this.#at, path)
    const fault = (severity: Finding['severity'], message: string): void =>
      void this.#findings.push({ severity, path: document, message })
    if (inline.message === undefined) {
      fault('error', 'is cut off before the end of its signature')
      return { text: '', signedText: '', isSigned: false }
    }
    const { verdict, text = '' } = await keyring.openClearsigned(inline.message)
    this.#note(path, path, verdict)
    if (!verdict.good) fault('error', verdict.why)
    if (inline.around.trim() !== '')
      fault('warning', 'has text outside of what is signed, which is passed over')
    return { text, signedText: text, isSigned: verdict.good }
  }

  async #openBeside(
    path: CleanPath,
    ownText: string,
    bytes: Uint8Array,
    beside: readonly CleanPath[],
    keyring: Keyring,
  ): Promise<Opened> {
    let signedText: string | undefined
    const faults: Omit<Finding, 'severity'>[] = []
    let isSigned = false
    for (const place of beside) {
      const opened = await this.#judge(place, bytes, keyring)
      this.#note(path, place, opened.verdict)
      const fault = (message: string): void =>
        void faults.push({ path: relativeTo(this.#at, path), with: relativeTo(this.#at, place), message })
      if (!opened.verdict.good) fault(`${opened.verdict.why} (signature ${baseName(place)})`)
      else if (opened.text !== undefined && !isSameSignedText(opened.text, ownText)) {
        fault(`says something else than ${baseName(place)}, which is signed`)
        signedText = opened.text
      } else isSigned = true
    }
    // One signature that holds is enough: a document may be signed by several, each in a file of its own.
    const severity = isSigned ? 'warning' : 'error'
    for (const fault of faults) this.#findings.push({ severity, ...fault })
    return { text: signedText ?? ownText, ...(signedText !== undefined && { signedText }), isSigned }
  }

  async #judge(
    place: CleanPath,
    document: Uint8Array,
    keyring: Keyring,
  ): Promise<{ verdict: Verdict; text?: string }> {
    let signature: Uint8Array
    try {
      const entry = await this.#source.stat(place, self)
      const limit = maxSignatureBytes + 2 * document.length
      if (entry && entry.size > limit) {
        const why = `has a signature of ${entry.size} bytes; at most ${limit} are read`
        return { verdict: { good: false, why } }
      }
      signature = entry ? await readWhole(entry) : new Uint8Array()
    } catch (error) {
      const why = `has a signature that cannot be read: ${failureMessage(error)}`
      return { verdict: { good: false, why } }
    }
    const inline = findClearsigned(new TextDecoder().decode(signature))
    if (!inline) return { verdict: await keyring.judgeDetached(document, signature) }
    if (inline.message !== undefined) return keyring.openClearsigned(inline.message)
    return { verdict: { good: false, why: 'has a signed copy that is cut off' } }
  }

  /** Signatures of a document that lie beside it. */
  async #beside(path: CleanPath): Promise<readonly CleanPath[]> {
    const name = baseName(path)
    const names = endings.map((ending) => `${name}${ending}`)
    if (name === 'Release') names.push('InRelease')
    const places = names.map((each) => joinPath(parentPath(path), each))
    const entries = await Promise.all(places.map((place) => this.#source.stat(place, self)))
    return places.filter((_, at) => entries[at]?.kind === 'file')
  }

  #note(path: CleanPath, place: CleanPath, verdict?: Verdict): void {
    this.signatures.push({
      document: relativeTo(this.#at, path),
      signature: relativeTo(this.#at, place),
      outcome: verdict ? (verdict.good ? 'good' : 'bad') : 'unchecked',
      ...(verdict?.good && { key: verdict.key.fingerprint, signer: verdict.key.userId }),
    })
  }
}
