import { readFile, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import pc from 'picocolors'
import { gatherEvidence, type TreeSource } from '../../catalog/scan/gather.ts'
import { loadConfigFile } from '../../config/last-good.ts'
import { ConfigError } from '../../config/problems.ts'
import { cdInitrd, type NetbootSources } from '../../core/distro/cd-initrd.ts'
import { distroName, distroOf, installerOf, installerWords } from '../../core/distro/distro.ts'
import { Failure, failureKind, failureMessage } from '../../core/failure.ts'
import { bootablePlatforms } from '../../core/tree/boot-files.ts'
import { concludeTree, sourcesOf } from '../../core/tree/conclude.ts'
import { readDescriptor } from '../../core/tree/descriptors/descriptor.ts'
import { imageStem } from '../../core/tree/names.ts'
import type { Source } from '../../core/tree/sources.ts'
import type { Description, TreeProblem } from '../../core/tree/tree.ts'
import { diskSource } from '../../files/disk.ts'
import { isoSource, looksLikeIso } from '../../files/iso/source.ts'
import { rootPath } from '../../files/path.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json, table } from '../output/table.ts'

/** More than any descriptor has: openSUSE's biggest `content` has a tenth of this. */
const maxDescriptorBytes = 4 * 1024 * 1024

/**
 * `treeboot inspect PATH [--json]`: shows what treeboot concludes from a tree folder, an ISO image, or one
 * descriptor file.
 */
export function registerInspect(program: Command, io: CliIo): void {
  program
    .command('inspect')
    .description(
      'show what a tree folder, an ISO image or a descriptor file contains, and which files boot it',
    )
    .argument(
      '<path>',
      'a tree folder, an ISO image, or one .treeinfo, .discinfo, .disk/info, content, MANIFEST, ...',
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExit code 0: kernel and initrd are known; 3: kernel or initrd is not known; 2: not a tree; 1: it cannot be read.',
    )
    .action(async (path: string, options: { json?: boolean }) => {
      try {
        if (path === '') throw new Failure('bad-request', 'the path is empty: name a folder or a file')
        const found = await describe(resolve(io.cwd, path), path)
        const inspected = withNetbootRemedy(found, await archivesHere(io))
        io.out(options.json ? json(inspection(inspected, path)) : report(inspected, path, io.color))
        const boots = bootablePlatforms(inspected.description).length > 0
        io.exit(boots ? exitCodes.ok : exitCodes.notFound)
      } catch (error) {
        io.err(`${failureMessage(error)}\n`)
        io.exit(isBadInput(error) ? exitCodes.badInput : exitCodes.failed)
      }
    })
}

/** A path that does not exist is bad input, too: 3 says here that a tree does not boot. */
function isBadInput(error: unknown): boolean {
  const kind = failureKind(error)
  return kind === 'invalid-data' || kind === 'not-found' || kind === 'bad-request' || kind === 'too-large'
}

/** What was concluded, and from what: a single descriptor file has no other sources. */
interface Inspected {
  readonly description: Description
  readonly sources: readonly Source[]
}

/** The archives of the configuration in this folder. The command needs none, and also runs where it has faults. */
async function archivesHere({ cwd }: CliIo): Promise<NetbootSources['archives']> {
  const loaded = await loadConfigFile({ cwd }).catch((error: unknown) => {
    if (error instanceof ConfigError) return undefined
    throw error
  })
  return loaded?.config.import.archives
}

function withNetbootRemedy(
  { description, sources }: Inspected,
  archives: NetbootSources['archives'],
): Inspected {
  const disc = cdInitrd(description, { archives })
  if (!disc) return { description, sources }
  const problems = description.problems.map((problem) =>
    problem.message === disc.message ? { ...problem, message: `${disc.message}; ${disc.remedy}` } : problem,
  )
  return { description: { ...description, problems }, sources }
}

async function describe(absolute: string, asked: string): Promise<Inspected> {
  const stats = await stat(absolute).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
    const isUrl = /^[a-z][a-z0-9+.-]*:\/\//i.test(asked)
    const hint = isUrl
      ? `; inspect reads what is on this disk: treeboot import ${asked} fetches it first`
      : ''
    throw new Failure('not-found', `${asked} does not exist${hint}`, { cause: error })
  })
  if (stats.isDirectory()) return describeTree(diskSource(absolute), nameFrom(absolute), asked)
  if (!stats.isFile()) throw new Failure('invalid-data', `${asked} is neither a folder nor a file`)
  const image = await realpath(absolute)
  if (await looksLikeIso(image)) {
    const stem = imageStem(basename(absolute))
    const place = stem === undefined ? absolute : join(dirname(absolute), stem)
    return describeTree(await isoSource(image), nameFrom(place), asked)
  }
  if (/\.(?:iso|img)$/i.test(asked))
    throw new Failure(
      'invalid-data',
      `${asked} is not an image of a disc: it has ${stats.size} bytes, and no volume descriptor at byte 32768; copy it again`,
    )
  if (stats.size > maxDescriptorBytes)
    throw new Failure('too-large', `${asked} has ${stats.size} bytes, more than any tree descriptor`)
  return { description: readDescriptor(asked, await readFile(absolute)), sources: [] }
}

/**
 * The last four names of the path. Without a descriptor, distribution and version are often known only from
 * them.
 */
function nameFrom(absolute: string): string {
  return absolute.split('/').slice(-4).join('/')
}

async function describeTree(source: TreeSource, name: string, asked: string): Promise<Inspected> {
  const evidence = await gatherEvidence(source, rootPath, name)
  const description = evidence && concludeTree(evidence)
  if (description) return { description, sources: sourcesOf(evidence) }
  const problems = evidence?.problems.map((problem) => `\n  ${problemText(problem, asked)}`).join('') ?? ''
  throw new Failure(
    'invalid-data',
    `${asked} is not an installation tree: looked for .treeinfo, treeinfo, .disk/info, content, media.1/, VERSION, ` +
      'MANIFEST, version.info, .discinfo, and for a kernel with its initrd in images/pxeboot, isolinux, casper, live, ' +
      `install.*, boot/<arch>, <distro>-installer/<arch>, arch/boot${problems}`,
  )
}

/** The shape of `--json`. Scripts rely on it. */
export function inspection({ description, sources }: Inspected, path: string): Record<string, unknown> {
  const { family, version, variant, arch, era, platforms, repositories } = description
  const distro = distroOf(description)
  const checksums = Object.entries(description.checksums).map(([file, digest]) => [
    file,
    `${digest.algorithm}:${digest.hex}`,
  ])
  const flat = Object.entries(platforms).map(([name, { kernel, initrd, others }]) => [
    name,
    { kernel, initrd, ...others },
  ])
  return {
    family,
    version,
    variant,
    arch,
    distro,
    installer: installerOf(distro, version, ownKernel(description)),
    era,
    sources,
    platforms: Object.fromEntries(flat),
    stage2: description.stage2 ?? null,
    repositories,
    checksums: Object.fromEntries(checksums),
    problems: description.problems.map((problem) => problemText(problem, path)),
  }
}

/** The kernel for the tree's own architecture: by its path `installerOf` knows some installers. */
function ownKernel({ platforms, arch }: Description): string | undefined {
  return Object.hasOwn(platforms, arch) ? platforms[arch]?.kernel : undefined
}

/** `file:line: message`, the form that editors and grep use. */
function problemText({ file, line, message }: TreeProblem, path: string): string {
  return `${file ?? path}${line === undefined ? '' : `:${line}`}: ${message}`
}

function report({ description, sources }: Inspected, path: string, color: boolean): string {
  const paint = pc.createColors(color)
  const { family, version, variant, arch, stage2, instimage, repositories, timestamp, codename } = description
  const distro = distroOf(description)
  const title = [family || 'Unknown', version, variant !== family && variant, arch].filter(Boolean).join(' ')
  const installer = installerOf(distro, version, ownKernel(description))
  const checksums = Object.keys(description.checksums).length
  const facts: [string, string][] = [
    [
      'known as',
      distro === 'other' ? 'other (an unknown distribution)' : `${distro} (${distroName(distro)})`,
    ],
  ]
  if (codename) facts.push(['code name', codename])
  facts.push(['installer', installerWords(distro, installer)], ['described by', description.era])
  if (timestamp !== undefined) facts.push(['built', dateOf(timestamp)])
  if (stage2) facts.push(['stage 2', stage2])
  // A second image of stage 2, below the first.
  if (instimage) facts.push(['', instimage])
  if (checksums > 0) facts.push(['checksums', `${checksums} ${checksums === 1 ? 'file' : 'files'}`])

  const ownFirst = Object.entries(description.platforms).sort(
    ([a], [b]) => Number(b === arch) - Number(a === arch),
  )
  const images = ownFirst.map(([name, { kernel, initrd }]) => [
    name,
    kernel ?? '(no kernel)',
    initrd ?? '(no initrd)',
  ])
  const repos = repositories.map((repo) => [
    repo.id || '-',
    repo.kind,
    repo.path === '.' ? '. (the tree itself)' : repo.path,
  ])
  const problems = description.problems.map((problem) => `${problemText(problem, path)}\n`)
  const block = (heading: string, body: string) =>
    body === '' ? '' : `\n${paint.bold(heading)}\n${indent(body)}`
  return (
    `${paint.bold(printable(title))}\n${indent(table(facts))}` +
    block('Said by', table(sources.map(sourceRow))) +
    block(
      'Images',
      images.length > 0 ? table([['platform', 'kernel', 'initrd'], ...images]) : 'none named\n',
    ) +
    block('Repositories', table(repos)) +
    (problems.length > 0 ? block(paint.yellow(`Problems (${problems.length})`), problems.join('')) : '')
  )
}

function sourceRow({ origin, family, version, variant, arch, text }: Source): string[] {
  return [origin, ...[family, version, variant, arch].map((word) => word || '-'), text]
}

function dateOf(timestamp: number): string {
  const date = new Date(timestamp * 1000)
  return Number.isNaN(date.getTime()) ? String(timestamp) : date.toISOString().slice(0, 10)
}

function indent(text: string): string {
  return printable(text).replace(/^(?=.)/gm, '  ')
}

/** Replaces control characters from files, which could control the terminal. Newlines stay. */
function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n]/gu, '?')
}
