import { gatherEvidence } from '../catalog/scan/gather.ts'
import { Failure, failureMessage } from '../core/failure.ts'
import { bootFiles } from '../core/tree/boot-files.ts'
import { concludeTree } from '../core/tree/conclude.ts'
import type { Description } from '../core/tree/tree.ts'
import { type CleanPath, cleanPath } from '../files/path.ts'
import type { Entry, FileSource } from '../files/source.ts'
import { Hasher } from './digests/hasher.ts'
import type { Digests } from './digests/message.ts'
import { EntryLookup } from './entry-lookup.ts'
import type { Claim, Finding, SignatureNote } from './expected-file.ts'
import { type CollectOptions, collectClaims, impossiblePath } from './expected-files.ts'
import { relativeTo, self } from './walk.ts'

export interface AuditOptions extends CollectOptions {
  /** Called as bytes are read; `totalBytes` of everything that will be. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  readonly signal?: AbortSignal
  /** Only part of the tree is meant to be here: a named file that is missing is worth a warning, unless a boot rests on it. */
  readonly partial?: boolean
}

/** What came of checking every file of a tree that a document speaks of. */
export interface AuditReport {
  /** Undefined: no installation tree was recognised. */
  readonly description: Description | undefined
  /** Files whose size or digest was checked, and their bytes. */
  readonly files: number
  readonly bytes: number
  /** The documents that spoke, relative to the tree. */
  readonly documents: readonly string[]
  readonly signatures: readonly SignatureNote[]
  /** Errors first, then by path. */
  readonly findings: readonly Finding[]
}

/** Looked up or hashed; how many are read at once is the hasher's business. More would keep the thread pool from everyone else. */
const concurrentFiles = 12

export function hasErrors(report: AuditReport): boolean {
  return report.findings.some((finding) => finding.severity === 'error')
}

/**
 * Checks a tree from its descriptors down to its packages: everything that must be there to boot is there, and every
 * file has the size and the digest that some document names. Reads each file once, however many documents speak of it.
 */
export async function auditTree(
  source: FileSource,
  at: CleanPath,
  name: string,
  options: AuditOptions,
): Promise<AuditReport> {
  const evidence = await gatherEvidence(source, at, name)
  const description = evidence && concludeTree(evidence)
  const collected = await collectClaims(source, at, evidence, description, options)
  const findings: Finding[] = [...collected.findings]
  if (description) findings.push(...(await missingBootFiles(source, at, description)))
  const claimed = groupByPath(collected.claims)
  const lookup = new EntryLookup(source, claimed.keys())
  const hasher = new Hasher(options)
  for (const said of claimed.values()) hasher.expect(claimedBytes(said))
  let files = 0
  const left = claimed.entries()
  // Looking up the next files goes on while these are hashed: of 60,000 either takes seconds.
  const worker = async (): Promise<void> => {
    for (const [path, said] of left) {
      options.signal?.throwIfAborted()
      const name = relativeTo(at, path)
      try {
        const entry = await lookup.entry(path)
        if (entry?.kind === 'file') {
          files++
          findings.push(...(await checkFile(entry, name, said, hasher)))
          continue
        }
        findings.push(...missing(name, said, options.partial ?? false))
      } catch (error) {
        findings.push(unreadable(name, error))
      }
      hasher.expect(-claimedBytes(said))
    }
  }
  await Promise.all(Array.from({ length: concurrentFiles }, worker)).finally(() => hasher.stop())
  return {
    description,
    files,
    bytes: hasher.totalBytes,
    documents: collected.documents,
    signatures: collected.signatures,
    findings: sorted(findings),
  }
}

async function missingBootFiles(
  source: FileSource,
  at: CleanPath,
  description: Description,
): Promise<Finding[]> {
  const { required, optional } = bootFiles(description)
  const findings: Finding[] = []
  for (const [paths, severity] of [
    [required, 'error'],
    [optional, 'warning'],
  ] as const) {
    for (const path of paths) {
      const finding = await missingBootFile(source, at, path, severity)
      if (finding) findings.push(finding)
    }
  }
  return findings
}

async function missingBootFile(
  source: FileSource,
  at: CleanPath,
  path: string,
  severity: Finding['severity'],
): Promise<Finding | undefined> {
  let place: CleanPath
  try {
    place = cleanPath(`${at}/${path}`)
  } catch (error) {
    return { ...impossiblePath('the descriptor', path, error), severity }
  }
  try {
    const entry = await source.stat(place, self)
    if (entry?.kind === 'file' && entry.size > 0) return undefined
    return { severity, path, message: `is ${entry ? 'empty' : 'missing'}, and a boot rests on it` }
  } catch (error) {
    return unreadable(path, error)
  }
}

/** Damage of an image is a finding; when the disk itself fails nothing more can be said. */
function unreadable(path: string, error: unknown): Finding {
  if (!(error instanceof Failure)) throw error
  return { severity: 'error', path, message: `cannot be read: ${error.message}` }
}

function groupByPath(claims: readonly Claim[]): ReadonlyMap<CleanPath, readonly Claim[]> {
  const byPath = new Map<CleanPath, Claim[]>()
  for (const claim of claims) {
    const known = byPath.get(claim.path)
    if (known) known.push(claim)
    else byPath.set(claim.path, [claim])
  }
  return byPath
}

/** What will have to be read of a file, as far as documents tell. */
function claimedBytes(claims: readonly Claim[]): number {
  return claims.some(({ digest }) => digest) ? (claims.find(({ size }) => size !== undefined)?.size ?? 0) : 0
}

function missing(path: string, claims: readonly Claim[], partial: boolean): Finding[] {
  const required = claims.find(({ weight }) => weight === 'required')
  const claim = required ?? claims.find(({ weight }) => weight === 'listed')
  if (!claim) return []
  return [
    {
      severity: required && !partial ? 'error' : 'warning',
      path,
      message: `is missing (named by ${claim.by})`,
    },
  ]
}

/** Size and digests of one file against everything that is said of it. */
export async function checkFile(
  entry: Entry,
  path: string,
  claims: readonly Claim[],
  hasher: Hasher,
): Promise<Finding[]> {
  const error = (message: string): Finding[] => [{ severity: 'error', path, message }]
  const algorithms = new Set(claims.flatMap(({ digest }) => (digest ? [digest.algorithm] : [])))
  hasher.expect((algorithms.size > 0 ? entry.size : 0) - claimedBytes(claims))
  const wrongSize = claims.find(({ size }) => size !== undefined && size !== entry.size)
  if (wrongSize) {
    hasher.skip(algorithms.size > 0 ? entry.size : 0)
    return error(`has ${entry.size} bytes; ${wrongSize.by} says ${wrongSize.size}`)
  }
  if (algorithms.size === 0) return []
  let found: Digests
  try {
    found = await hasher.digests(entry, [...algorithms])
  } catch (cause) {
    hasher.signal?.throwIfAborted()
    return error(`cannot be read: ${failureMessage(cause)}`)
  }
  for (const { digest, by } of claims) {
    const hex = digest && found[digest.algorithm]
    if (!digest || hex === digest.hex.toLowerCase()) continue
    return error(`is damaged: ${digest.algorithm} is ${hex}; ${by} says ${digest.hex}`)
  }
  return []
}

function sorted(findings: readonly Finding[]): Finding[] {
  const rank = (finding: Finding) => (finding.severity === 'error' ? 0 : 1)
  const unique = new Map(findings.map((finding) => [`${finding.path}\0${finding.message}`, finding]))
  return [...unique.values()].sort((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1))
}
