import { resolve } from 'node:path'
import { Option } from 'commander'
import type { Config } from '../../config/schema.ts'
import type { SignatureNote } from '../../verify/expected-file.ts'
import { readSignaturePolicy, type SignaturePolicy } from '../../verify/signatures/key-files.ts'
import type { CliIo } from './io.ts'
import { count } from './table.ts'

/** Options and output about signatures, which `verify`, `import` and `mirror` share. */

export interface SignatureOptions {
  readonly key?: readonly string[]
  readonly requireSignature?: boolean
}

export const signatureOptions = (): readonly Option[] => [
  new Option(
    '--key <file>',
    'check signatures with this OpenPGP key instead of those of the configuration; can be repeated',
  ).argParser((file: string, earlier: readonly string[] = []) => [...earlier, file]),
  new Option('--require-signature', 'a document without a signature by one of the keys is an error'),
]

/** Reads the keys at once, so that a wrong one fails before anything is fetched. */
export function policyOf(
  { key, requireSignature }: SignatureOptions,
  { verify }: Config,
  io: CliIo,
): Promise<SignaturePolicy | undefined> {
  return readSignaturePolicy({
    keys: key?.map((file) => resolve(io.cwd, file)) ?? verify.keys,
    requireSignature: requireSignature ?? verify.requireSignature,
  })
}

const mostLines = 20

/**
 * Who signed what, and one line for all signatures that were not checked. A bad signature is a finding, not
 * listed here.
 */
export function describeSignatures(signatures: readonly SignatureNote[]): string {
  const good = signatures.filter(({ outcome }) => outcome === 'good')
  const lines = good
    .slice(0, mostLines)
    .map(
      ({ document, key, signer }) => `signed   ${document} by ${signer || 'a key without a name'} (${key})\n`,
    )
  if (good.length > mostLines) lines.push(`signed   and ${good.length - mostLines} more\n`)
  const unchecked = signatures.filter(({ outcome }) => outcome === 'unchecked')
  const [first] = unchecked
  if (first) {
    const more = unchecked.length > 1 ? ` and ${unchecked.length - 1} more` : ''
    const what = count(unchecked.length, 'signature')
    lines.push(
      `note     ${what} not checked, because no key was given (--key FILE): ${first.signature}${more}\n`,
    )
  }
  return lines.join('')
}
