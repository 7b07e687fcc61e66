import { resolve } from 'node:path'
import { Option } from 'commander'
import type { Config } from '../../config/schema.ts'
import type { ReportedSignature } from '../../intake/tree-report.ts'
import { readSignaturePolicy, type SignaturePolicy } from '../../verify/signatures/key-files.ts'
import type { CliIo } from './io.ts'
import { count } from './table.ts'

/** The options and the output for signatures, which the commands `verify`, `import` and `mirror` share. */

export interface SignatureOptions {
  readonly key?: readonly string[]
  readonly requireSignature?: boolean
}

export const signatureOptions = (): readonly Option[] => [
  new Option(
    '--key <file>',
    'check signatures with this OpenPGP key instead of the keys in the configuration; can be repeated',
  ).argParser((file: string, earlier: readonly string[] = []) => [...earlier, file]),
  new Option(
    '--require-signature',
    'make it an error when a checksum list or descriptor is not signed by one of the keys',
  ),
]

/**
 * Reads the keys before anything is fetched, so that a wrong key fails early. Undefined when there are no
 * keys.
 */
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

/** At most this many good signatures are printed; further ones are only counted. */
const mostLines = 20

/**
 * One line for each good signature, and one line for all signatures that were not checked. Bad signatures are
 * not listed here: they are findings.
 */
export function describeSignatures(signatures: readonly ReportedSignature[]): string {
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
