import { defined } from '../../core/defined.ts'
import { failureMessage } from '../../core/failure.ts'
import { documentLimits } from '../../core/limits/documents.ts'
import { internalRequester } from '../../core/net/requester.ts'
import { baseName, type CleanPath, joinPath, parentPath } from '../../files/path.ts'
import { readWhole } from '../../files/read-whole.ts'
import type { FileSource } from '../../files/source.ts'
import type { Finding, SignatureNote } from '../expected-file.ts'
import { relativeTo } from '../relative-path.ts'
import { type Clearsigned, findClearsigned, isSameSignedText } from './armour.ts'
import type { Keyring, SignatureVerdict } from './keyring.ts'

/** A document, and how much of it may be believed. */
export interface OpenedDocument {
  /** What to read. When keys are given and only a part of the document is signed, it is only that part. */
  readonly text: string
  /** The signed part, when it is not the whole file. */
  readonly signedText?: string
  /** Whether one of the given keys signed it. */
  readonly isSigned: boolean
}

/** A document that was read and not checked yet. */
interface ReadDocument {
  readonly path: CleanPath
  readonly text: string
  readonly bytes: Uint8Array
}

/**
 * The most bytes of signatures in a file. Debian's `Release.gpg` of three signers has 3 KiB; a clearsigned
 * copy has the signatures and the document, whose lines get longer in it (`\r`, `- `).
 */
const maxSignatureBytes = documentLimits.signature.bytes

/**
 * `.gpg` and `.sign` are Debian's and Ubuntu's, `.sig` is Rocky's (`CHECKSUM.sig`), `.asc` is everybody
 * else's.
 */
const endings = ['.asc', '.gpg', '.sign', '.sig']

/**
 * Opens documents that name checksums, and checks their signatures: inline (Fedora's `*-CHECKSUM`,
 * `InRelease`), detached (`SHA256SUMS.sign`, `repomd.xml.asc`, `Release.gpg`), or on a clearsigned copy
 * beside the document (CentOS' `sha256sum.txt.asc`, `InRelease` beside `Release`). Without keys it only notes
 * that signatures are there.
 */
export class SignedDocuments {
  readonly signatures: SignatureNote[] = []
  readonly #source: FileSource
  readonly #at: CleanPath
  readonly #findings: Finding[]
  readonly #keyring: Keyring | undefined

  /** @param findings A finding is added to it for everything that is wrong. */
  constructor(source: FileSource, at: CleanPath, findings: Finding[], keyring: Keyring | undefined) {
    this.#source = source
    this.#at = at
    this.#findings = findings
    this.#keyring = keyring
  }

  /** Decodes a document and checks its signatures. `bytes` is the whole file, which is not read again. */
  async open(path: CleanPath, bytes: Uint8Array): Promise<OpenedDocument> {
    const text = new TextDecoder().decode(bytes)
    const inline = findClearsigned(text)
    const signatures = inline ? [path] : await this.#signaturesBeside(path)
    if (!this.#keyring) {
      for (const signature of signatures) this.#note(path, signature)
      return { text, isSigned: false }
    }
    if (inline) return this.#openInline(path, inline, this.#keyring)
    return this.#openDetached({ path, text, bytes }, signatures, this.#keyring)
  }

  async #openInline(path: CleanPath, inline: Clearsigned, keyring: Keyring): Promise<OpenedDocument> {
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
    if (inline.around.trim() !== '') fault('warning', 'has text outside of the signed part, which is ignored')
    return { text, signedText: text, isSigned: verdict.good }
  }

  async #openDetached(
    { path, text, bytes }: ReadDocument,
    signatures: readonly CleanPath[],
    keyring: Keyring,
  ): Promise<OpenedDocument> {
    let signedText: string | undefined
    const faults: Omit<Finding, 'severity'>[] = []
    let isSigned = false
    for (const signature of signatures) {
      const checked = await this.#check(signature, bytes, keyring)
      this.#note(path, signature, checked.verdict)
      // `with`: the damaged file may be the signature.
      const fault = (message: string): void =>
        void faults.push({ path: relativeTo(this.#at, path), with: relativeTo(this.#at, signature), message })
      if (!checked.verdict.good) fault(`${checked.verdict.why} (signature ${baseName(signature)})`)
      else if (checked.text !== undefined && !isSameSignedText(checked.text, text)) {
        fault(`differs from ${baseName(signature)}, which is signed`)
        // What a key vouches for is read, and the file as it lies here does not count as signed.
        signedText = checked.text
      } else isSigned = true
    }
    // One good signature is enough: a document may have several signers, each with a signature file of its
    // own.
    const severity = isSigned ? 'warning' : 'error'
    for (const fault of faults) this.#findings.push({ severity, ...fault })
    return defined({ text: signedText ?? text, signedText, isSigned })
  }

  async #check(
    path: CleanPath,
    document: Uint8Array,
    keyring: Keyring,
  ): Promise<{ verdict: SignatureVerdict; text?: string }> {
    let signature: Uint8Array
    try {
      const entry = await this.#source.stat(path, internalRequester)
      const limit = maxSignatureBytes + 2 * document.length
      if (entry && entry.size > limit) {
        const why = `has a signature of ${entry.size} bytes; at most ${limit} are read`
        return { verdict: { good: false, why } }
      }
      signature = entry ? await readWhole(entry, limit) : new Uint8Array()
    } catch (error) {
      const why = `has a signature that cannot be read: ${failureMessage(error)}`
      return { verdict: { good: false, why } }
    }
    const inline = findClearsigned(new TextDecoder().decode(signature))
    if (!inline) return { verdict: await keyring.checkDetached(document, signature) }
    if (inline.message !== undefined) return keyring.openClearsigned(inline.message)
    return { verdict: { good: false, why: 'has a signed copy that is cut off' } }
  }

  /** Finds the signature files beside a document. */
  async #signaturesBeside(path: CleanPath): Promise<readonly CleanPath[]> {
    const name = baseName(path)
    const names = endings.map((ending) => `${name}${ending}`)
    if (name === 'Release') names.push('InRelease')
    const paths = names.map((each) => joinPath(parentPath(path), each))
    const entries = await Promise.all(paths.map((each) => this.#source.stat(each, internalRequester)))
    return paths.filter((_, at) => entries[at]?.kind === 'file')
  }

  #note(path: CleanPath, signature: CleanPath, verdict?: SignatureVerdict): void {
    this.signatures.push({
      document: relativeTo(this.#at, path),
      signature: relativeTo(this.#at, signature),
      outcome: outcomeOf(verdict),
      ...(verdict?.good && { key: verdict.key.fingerprint, signer: verdict.key.userId }),
    })
  }
}

function outcomeOf(verdict: SignatureVerdict | undefined): SignatureNote['outcome'] {
  if (!verdict) return 'unchecked'
  return verdict.good ? 'good' : 'bad'
}
