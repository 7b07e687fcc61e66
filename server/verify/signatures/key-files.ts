import type { Key } from 'openpgp'
import { Failure, failureMessage } from '../../core/failure.ts'
import { configurationLimits } from '../../core/limits/configuration.ts'
import { readAtMost } from '../../host/read-at-most.ts'
import { armourBlocks, isArmoured } from './armour.ts'
import { Keyring } from './keyring.ts'

/** Why a file gives no key, in the two parts of a configuration message. */
export interface KeyFileFault {
  readonly found: string
  readonly remedy: string
}

/** The largest key file that is read: the certificates of all distributions together have 2 MB. */
const maxBytes = configurationLimits.keyFile.bytes
const exportHint = 'export one with "gpg --export --armor KEY-ID > FILE"'

/**
 * Reads the key files. This is done for each use, so that a renewed key counts from the next use on.
 *
 * @throws Failure `invalid-data` that names the file without a key, and the remedy.
 */
export async function readKeyring(files: readonly string[]): Promise<Keyring> {
  const trusted: { key: Key; file: string }[] = []
  for (const file of files) {
    const read = await readKeyFile(file)
    if (!Array.isArray(read))
      throw new Failure('invalid-data', `key file ${file} ${read.found}; ${read.remedy}`)
    trusted.push(...read.map((key) => ({ key, file })))
  }
  return new Keyring(trusted)
}

/**
 * Reads OpenPGP certificates as `gpg --export` writes them and distributions publish them: armoured or
 * binary, one or many.
 */
export async function readKeyFile(file: string): Promise<Key[] | KeyFileFault> {
  let bytes: Buffer | undefined
  try {
    bytes = await readAtMost(file, maxBytes)
    if (!bytes) return { found: `has more than ${maxBytes} bytes`, remedy: exportHint }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR')
      return { found: 'is not there', remedy: `correct the path, or ${exportHint}` }
    if (code === 'EISDIR') return { found: 'is a folder', remedy: 'name the key files in it one by one' }
    return { found: `cannot be read: ${failureMessage(error)}`, remedy: 'make it readable for treeboot' }
  }
  return keysIn(bytes)
}

async function keysIn(bytes: Buffer): Promise<Key[] | KeyFileFault> {
  const { readKeys } = await import('openpgp')
  try {
    const keys: Key[] = []
    if (isArmoured(bytes)) {
      const text = bytes.toString('utf8')
      if (text.includes('-----BEGIN PGP PRIVATE KEY BLOCK-----')) return secretFault
      for (const block of armourBlocks(text, 'PUBLIC KEY BLOCK'))
        keys.push(...(await readKeys({ armoredKeys: block })))
    } else if (bytes.length > 0) keys.push(...(await readKeys({ binaryKeys: bytes })))
    if (keys.some((key) => key.isPrivate())) return secretFault
    if (keys.length > 0) return keys
    return { found: 'does not hold an OpenPGP key', remedy: exportHint }
  } catch (error) {
    return {
      found: `does not hold an OpenPGP key that can be read (${failureMessage(error)})`,
      remedy: exportHint,
    }
  }
}

const secretFault: KeyFileFault = {
  found: 'holds a secret key, which does not belong here',
  remedy: 'give the public one: "gpg --export --armor KEY-ID > FILE"',
}

/** How signatures are checked. */
export interface SignaturePolicy {
  readonly keyring: Keyring
  /**
   * Whether a document without a signature is an error, unless a signed document names its digest. A boot
   * file that no signed document names is then an error, too.
   */
  readonly required: boolean
}

/**
 * Reads the keys. Callers do so before a long download, so that a wrong key is reported first. Undefined when
 * no keys are given.
 *
 * @throws Failure as `readKeyring`; `bad-request` when signatures are required and there are no keys.
 */
export async function readSignaturePolicy(wanted: {
  readonly keys: readonly string[]
  readonly requireSignature: boolean
}): Promise<SignaturePolicy | undefined> {
  const { keys, requireSignature: required } = wanted
  if (keys.length > 0) return { keyring: await readKeyring(keys), required }
  if (required)
    throw new Failure(
      'bad-request',
      'signatures are required, and no key to check them with is given; give --key FILE, or set verify.keys',
    )
  return undefined
}
