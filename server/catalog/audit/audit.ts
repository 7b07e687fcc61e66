import { createHash, type Hash } from 'node:crypto'
import { failureMessage } from '../../core/failure.ts'
import { bootFiles } from '../../core/tree/boot-files.ts'
import { concludeTree } from '../../core/tree/conclude.ts'
import type { Description, DigestAlgorithm } from '../../core/tree/tree.ts'
import { type CleanPath, cleanPath } from '../../files/path.ts'
import type { Entry, FileSource } from '../../files/source.ts'
import { gatherEvidence } from '../gather.ts'
import type { Claim, Finding, SignatureNote } from './claim.ts'
import { type CollectOptions, collectClaims } from './collect-claims.ts'
import { readPieces, relativeTo, self } from './walk.ts'

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

/** Hashing takes the thread; a second file keeps the disk busy meanwhile. */
const concurrentFiles = 2

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
  const files = await groupByFile(source, at, collected.claims, findings, options.partial ?? false)
  const totalBytes = files.reduce((sum, file) => sum + (file.algorithms.length > 0 ? file.entry.size : 0), 0)
  let doneBytes = 0
  const left = files.values()
  const worker = async (): Promise<void> => {
    for (const file of left) {
      options.signal?.throwIfAborted()
      await checkFile(file, at, findings, (bytes) => {
        doneBytes += bytes
        options.onProgress?.(doneBytes, totalBytes)
      })
    }
  }
  await Promise.all(Array.from({ length: concurrentFiles }, worker))
  return {
    description,
    files: files.length,
    bytes: totalBytes,
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
      const entry = await source.stat(cleanPath(`${at}/${path}`), self)
      if (entry?.kind === 'file' && entry.size > 0) continue
      findings.push({ severity, path, message: `is ${entry ? 'empty' : 'missing'}, and a boot rests on it` })
    }
  }
  return findings
}

/** One file and everything that is said of it. */
export interface ClaimedFile {
  readonly entry: Entry
  readonly claims: readonly Claim[]
  readonly algorithms: readonly DigestAlgorithm[]
}

async function groupByFile(
  source: FileSource,
  at: CleanPath,
  claims: readonly Claim[],
  findings: Finding[],
  partial: boolean,
): Promise<ClaimedFile[]> {
  const byPath = new Map<CleanPath, Claim[]>()
  for (const claim of claims) {
    const known = byPath.get(claim.path)
    if (known) known.push(claim)
    else byPath.set(claim.path, [claim])
  }
  const files: ClaimedFile[] = []
  for (const [path, said] of byPath) {
    const entry = await source.stat(path, self)
    if (entry?.kind === 'file') {
      const algorithms = new Set(said.flatMap(({ digest }) => (digest ? [digest.algorithm] : [])))
      files.push({ entry, claims: said, algorithms: [...algorithms] })
    } else {
      const missing = missingFinding(relativeTo(at, path), said, partial)
      if (missing) findings.push(missing)
    }
  }
  return files
}

function missingFinding(path: string, claims: readonly Claim[], partial: boolean): Finding | undefined {
  const required = claims.find(({ weight }) => weight === 'required')
  const [claim] = required ? [required] : claims.filter(({ weight }) => weight === 'listed')
  if (!claim) return undefined
  return {
    severity: required && !partial ? 'error' : 'warning',
    path,
    message: `is missing (named by ${claim.by})`,
  }
}

/** Size and digests of one file against everything that is said of it. */
export async function checkFile(
  { entry, claims, algorithms }: ClaimedFile,
  at: CleanPath,
  findings: Finding[],
  onBytes: (bytes: number) => void,
): Promise<void> {
  const [first] = claims
  if (!first) return
  const path = relativeTo(at, first.path)
  const error = (message: string): void => void findings.push({ severity: 'error', path, message })
  const wrongSize = claims.find(({ size }) => size !== undefined && size !== entry.size)
  if (wrongSize) {
    onBytes(algorithms.length > 0 ? entry.size : 0)
    return error(`has ${entry.size} bytes; ${wrongSize.by} says ${wrongSize.size}`)
  }
  if (algorithms.length === 0) return
  const hashes = new Map<DigestAlgorithm, Hash>(algorithms.map((name) => [name, createHash(name)]))
  try {
    for await (const piece of readPieces(entry)) {
      for (const hash of hashes.values()) hash.update(piece)
      onBytes(piece.length)
    }
  } catch (cause) {
    return error(`cannot be read: ${failureMessage(cause)}`)
  }
  const found = new Map([...hashes].map(([name, hash]) => [name, hash.digest('hex')]))
  for (const { digest, by } of claims) {
    const hex = digest && found.get(digest.algorithm)
    if (!digest || hex === digest.hex.toLowerCase()) continue
    return error(`is damaged: ${digest.algorithm} is ${hex}; ${by} says ${digest.hex}`)
  }
}

function sorted(findings: readonly Finding[]): Finding[] {
  const rank = (finding: Finding) => (finding.severity === 'error' ? 0 : 1)
  const unique = new Map(findings.map((finding) => [`${finding.path}\0${finding.message}`, finding]))
  return [...unique.values()].sort((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1))
}
