import { readKeyFile } from './key-files.ts'

/** A key by which documents of trees are verified, without anything that is secret. */
export interface PublicKey {
  readonly fingerprint: string
  /** Who it belongs to, as the key says it. */
  readonly users: readonly string[]
  /** The certificate in ASCII armour (RFC 9580, 6.2), as `rpm --import` and apt read it. */
  readonly armored: string
}

/** Reading a key costs some milliseconds, and everybody may ask. */
const keptMs = 60_000

/** The keys of `verify.keys`. A renewed file counts within a minute. */
export class PublicKeys {
  #kept: { readonly files: string; readonly untilMs: number; readonly keys: Promise<PublicKey[]> } | undefined

  /** The keys in these files. A file without a key is left out: problems name it. */
  of(files: readonly string[]): Promise<readonly PublicKey[]> {
    const now = performance.now()
    const key = JSON.stringify(files)
    if (this.#kept?.files !== key || this.#kept.untilMs < now)
      this.#kept = { files: key, untilMs: now + keptMs, keys: readAll(files) }
    return this.#kept.keys
  }
}

async function readAll(files: readonly string[]): Promise<PublicKey[]> {
  const keys: PublicKey[] = []
  for (const file of files) {
    const read = await readKeyFile(file)
    if (!Array.isArray(read)) continue
    for (const key of read) {
      const open = key.toPublic()
      keys.push({ fingerprint: open.getFingerprint(), users: open.getUserIDs(), armored: open.armor() })
    }
  }
  return keys
}
