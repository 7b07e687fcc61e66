import { bootImagesIn } from '../../distro/layouts.ts'
import { archIn } from '../arch.ts'
import { type Description, type Digest, nameOnly } from '../description.ts'
import { treePath } from './paths.ts'
import { createNotes, type Notes, splitLines, splitRelease } from './text.ts'
import { parseDigest } from './treeinfo-checksums.ts'

/** Keys that only `content` has: two such lines tell it from other files of this name. */
const knownKeys =
  /^(CONTENTSTYLE|PRODUCT|DISTPRODUCT|DISTVERSION|DISTRO|DISTRIBUTION|VENDOR|DESCRDIR|DATADIR|BASEARCHS|DEFAULTBASE|REPOID)\s/

/**
 * Reads `content` of SUSE trees from before they had repodata (SLES up to 12, openSUSE up to Leap 42). Each
 * line is a key and its value. Three generations differ in keys: `PRODUCT`, `LABEL`, `DEFAULTBASE`; then
 * `NAME`, `BASEARCHS`; then `DISTRO cpe:/o:opensuse:opensuse:13.2,openSUSE` and `REPOID`. `HASH` lines name
 * boot files and their digests.
 */
export function readSuseContent(file: string, text: string): Description | undefined {
  const lines = splitLines(text)
  if (lines.filter((line) => knownKeys.test(line)).length < 2) return undefined
  const notes = createNotes(file)
  const { values, digests } = readLines(lines, notes)
  const { family, version } = productOf(values)
  const arch = archOf(values)
  if (family === '') notes.add('names no product: none of LABEL, DISTRO, NAME, DISTPRODUCT')
  return {
    ...nameOnly('suse-content', { family, version, variant: values.get('FLAVOR') ?? '', arch }),
    platforms: bootImagesIn([...digests.keys()], arch).platforms,
    repositories: [{ id: '', name: family, kind: 'repository', path: '.' }],
    checksums: Object.fromEntries(digests),
    problems: notes.list(),
  }
}

interface ContentLines {
  /** The first value of each key. */
  readonly values: Map<string, string>
  /** Path -> digest. */
  readonly digests: Map<string, Digest>
}

function readLines(lines: readonly string[], notes: Notes): ContentLines {
  const read: ContentLines = { values: new Map(), digests: new Map() }
  lines.forEach((text, at) => {
    const [, key = '', value = ''] = /^([A-Za-z][\w.]*)\s+(.*)$/.exec(text.trim()) ?? []
    const line = at + 1
    if (key === 'HASH' || key === 'META' || key === 'KEY') readDigestLine(read, { key, value, line }, notes)
    else if (key !== '') read.values.set(key, read.values.get(key) ?? value)
    else if (text.trim() !== '' && !text.startsWith('#')) notes.add('expected a key and a value', line)
  })
  return read
}

/**
 * `HASH SHA256 1f2e... boot/x86_64/loader/linux`. META lines have the same form and a path below DESCRDIR; KEY
 * lines name the public keys of the signatures.
 */
function readDigestLine(
  { values, digests }: ContentLines,
  { key, value, line }: { readonly key: string; readonly value: string; readonly line: number },
  notes: Notes,
): void {
  const [, name = '', hex = '', below = ''] = /^(\S+)\s+(\S+)\s+(.+)$/.exec(value) ?? []
  const digest = parseDigest(`${name}:${hex}`)
  const folder = key === 'META' ? `${values.get('DESCRDIR') ?? 'suse/setup/descr'}/` : ''
  const path = treePath(`${folder}${below}`, `path of ${key}`, notes, line)
  if (digest && path !== undefined) digests.set(path, digest)
  else notes.add(`${key} line is not "algorithm digest path"`, line)
}

function productOf(values: ReadonlyMap<string, string>): { family: string; version: string } {
  const get = (key: string) => values.get(key) ?? ''
  const [cpe = '', label = ''] = splitOnce(get('DISTRO'), ',')
  const product =
    get('LABEL') || label || get('SUMMARY') || get('NAME') || get('DISTPRODUCT') || get('PRODUCT')
  // openSUSE 11.1 has `LABEL The openSUSE Distribution`.
  const { family, version } = splitRelease(product.replace(/^The /, '').replace(/ Distribution$/, ''))
  const [, , , , cpeVersion = '', update = ''] = cpe.split(':')
  // 10.3 has `DISTVERSION 10.3-0`.
  const distVersion = get('DISTVERSION').replace(/-0$/, '')
  return {
    family,
    version: version || [cpeVersion, update].filter(Boolean).join(' ') || get('VERSION') || distVersion,
  }
}

function archOf(values: ReadonlyMap<string, string>): string {
  const bases = (values.get('BASEARCHS') ?? '').split(/\s+/).filter((part) => part !== '')
  // A tree with `i586-x86_64` in REPOID is for both, and its boot/ has both. Then x86_64 is its arch.
  const repo = /\/([^/]*)$/.exec(values.get('REPOID') ?? '')?.[1] ?? ''
  if (bases.includes('x86_64') || repo.includes('x86_64')) return 'x86_64'
  return bases[0] ?? archIn(repo) ?? (values.get('DEFAULTBASE') || '')
}

function splitOnce(text: string, by: string): [string, string] {
  const at = text.indexOf(by)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

/**
 * Reads `media.1/media`: vendor (later `vendor - product`), build (a date, later a build name), number of
 * media. A build name such as `openSUSE-Leap-15.5-DVD-x86_64-Build491.1-Media` tells the product. Old files
 * tell only the vendor.
 */
export function readSuseMedia(file: string, text: string): Description | undefined {
  const [vendor = '', build = '', count = '', ...more] = splitLines(text).map((line) => line.trim())
  if (!/suse|novell|\bsle/i.test(`${vendor} ${build}`)) return undefined
  // Two more lines are let pass: what comes after the third is not read.
  if (!/^\d{0,2}$/.test(count) || more.length > 2 || build === '' || /\s/.test(build)) return undefined
  const [, name = '', version = ''] =
    /((?:openSUSE|SLE|SUSE)[A-Za-z-]{0,80}?)-(\d+(?:\.\d+)?(?:-SP\d+)?|Tumbleweed|Current)/.exec(
      `${build} ${vendor}`,
    ) ?? []
  const stamp = /^(20\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(build)?.slice(1).map(Number)
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = stamp ?? []
  return {
    ...nameOnly('suse-media', {
      family: productName(name),
      version: version.replace('-', ' '),
      arch: archIn(build) ?? archIn(vendor) ?? '',
    }),
    ...(stamp && { timestamp: Date.UTC(year, month - 1, day, hour, minute, second) / 1000 }),
    problems: name === '' ? [{ file, message: 'names a vendor and a build, no product' }] : [],
  }
}

/** Reads `media.1/products`: one line `/ openSUSE-Leap 15.5-1` for each product: folder, name, version. */
export function readSuseProducts(file: string, text: string): Description | undefined {
  const lines = splitLines(text).filter((line) => line.trim() !== '')
  const products = lines.map((line) => /^(\/\S*)\s+(\S+)\s+(\S+)$/.exec(line.trim()))
  const first = products[0]
  if (!first || products.some((product) => !product)) return undefined
  const [, folder = '/', name = '', version = ''] = first
  const problems =
    folder === '/' ? [] : [{ file, line: 1, message: `the product lies in ${folder}, not in the tree` }]
  const names = { family: productName(name), version: version.replace(/-\d+$/, '') }
  return { ...nameOnly('suse-media', names), problems }
}

function productName(name: string): string {
  return name
    .replace(/^SLES\b.*/, 'SUSE Linux Enterprise Server')
    .replace(/^SLE\b/, 'SUSE Linux Enterprise')
    .replace(/-/g, ' ')
}
