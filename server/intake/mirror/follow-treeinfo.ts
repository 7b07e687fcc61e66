import { createReadStream } from 'node:fs'
import { defined } from '../../core/defined.ts'
import { documentLimits } from '../../core/limits/documents.ts'
import { upstreamLimits } from '../../core/limits/upstreams.ts'
import { bootFiles } from '../../core/tree/boot-files.ts'
import { imagesOf } from '../../core/tree/conclude.ts'
import { readDescriptor } from '../../core/tree/descriptors/descriptor.ts'
import { madeByTreeboot } from '../../core/tree/descriptors/generated.ts'
import type { Description } from '../../core/tree/tree.ts'
import { unpacked } from '../../host/unpack.ts'
import { ElsewhereCount } from '../../verify/documents/location.ts'
import { readPackages } from '../../verify/documents/primary.ts'
import { parseRepomd } from '../../verify/documents/repomd.ts'
import type { RemoteFile } from './fetch-file.ts'
import type { Fetcher } from './fetcher.ts'

/** The names of the descriptor: some mirrors have it without the dot (docs/formats/treeinfo.md). */
export const treeinfoNames = ['.treeinfo', 'treeinfo'] as const

/** Files that belong to a tree although its `.treeinfo` does not name them. */
const companions = ['.discinfo', 'media.repo']
/**
 * Lists through which SUSE signs its `.treeinfo`. They name many other files, too, so they are fetched only
 * when signatures are checked.
 */
const signedLists = ['CHECKSUMS', 'CHECKSUMS.asc']
/** The largest `.treeinfo` seen has 30 KiB. */
const maxDescriptorBytes = upstreamLimits.upstreamDescriptor.bytes

/**
 * Endings of the files beside `repomd.xml`: dnf (`repo_gpgcheck`) and zypper fetch the signature, and zypper
 * offers the key for import.
 */
const repomdCompanions = ['.asc', '.key']

/** Which of the files that a `.treeinfo` leads to are fetched. */
export interface FollowOptions {
  /** Only what a boot needs, without the repositories. */
  readonly bootOnly: boolean
  /** Whether signatures are checked: then the files that carry them are fetched, too. */
  readonly signed: boolean
}

/** Fetches everything that a `.treeinfo` and its repositories name, and nothing else. */
export async function followTreeinfo(
  fetcher: Fetcher,
  { description, path: by }: FetchedTreeinfo,
  { bootOnly, signed }: FollowOptions,
): Promise<void> {
  const named = bootOnly
    ? namedForBoot(description)
    : [...imagesOf(description), ...Object.keys(description.checksums)]
  const images = [...new Set(named)].map(
    (path): RemoteFile => ({ path, by, ...defined({ digest: description.checksums[path] }) }),
  )
  // Optional: most trees lack them, so a busy mirror is not waited for after another said 404.
  for (const path of signed ? [...companions, ...signedLists] : companions)
    await fetcher.fetch({ path, atMostBytes: maxDescriptorBytes, isOptional: true })
  await fetcher.fetchAll(images)
  if (bootOnly) return
  for (const { path } of description.repositories)
    await followRepository(fetcher, path, { by, digests: description.checksums })
}

function namedForBoot(description: Description): string[] {
  const { required, optional } = bootFiles(description)
  // `bootFiles` leaves out the stage 2 of a tree that has no kernel.
  const { stage2 } = description
  return [...required, ...optional, ...(stage2 === undefined ? [] : [stage2])]
}

/** Fetches `repomd.xml`, the metadata that it names, and the packages that the metadata names. */
async function followRepository(
  fetcher: Fetcher,
  repository: string,
  named: { readonly by: string; readonly digests: Description['checksums'] },
): Promise<void> {
  const base = repository === '.' ? '' : `${repository}/`
  const repomd = `${base}repodata/repomd.xml`
  const digest = named.digests[repomd]
  const { by } = named
  const wanted = { path: repomd, by, atMostBytes: documentLimits.repomd.bytes, ...defined({ digest }) }
  if (!(await fetcher.fetch(wanted))) {
    fetcher.absent.push(repomd)
    return
  }
  for (const ending of repomdCompanions)
    await fetcher.fetch({ path: `${repomd}${ending}`, atMostBytes: maxDescriptorBytes, isOptional: true })
  const elsewhere = new ElsewhereCount()
  const files = parseRepomd((await fetcher.read(repomd)).toString('utf8')).filter(
    (file) => !elsewhere.add(file),
  )
  if (elsewhere.note !== undefined) fetcher.notes.push(`${repomd} ${elsewhere.note}`)
  await fetcher.fetchAll(files.map((file) => remoteFile(base, file, repomd)))
  const primary = files.find((file) => file.type === 'primary')
  // A damaged one is told already, and names nothing.
  if (!primary || !(await fetcher.has(`${base}${primary.href}`))) return
  await followPrimary(fetcher, base, primary.href)
}

async function followPrimary(fetcher: Fetcher, base: string, href: string): Promise<void> {
  const packages: RemoteFile[] = []
  const elsewhere = new ElsewhereCount()
  const place = fetcher.place(`${base}${href}`)
  for await (const file of readPackages(unpacked(createReadStream(place), href)))
    if (!elsewhere.add(file)) packages.push(remoteFile(base, file, `${base}${href}`))
  if (elsewhere.note !== undefined) fetcher.notes.push(`${base}${href} ${elsewhere.note}`)
  await fetcher.fetchAll(packages)
}

interface NamedFile extends Omit<RemoteFile, 'path'> {
  /** Relative to the repository. */
  readonly href: string
}

function remoteFile(base: string, { href, size, digest }: NamedFile, by: string): RemoteFile {
  return { path: `${base}${href}`, by, ...defined({ size, digest }) }
}

/** A `.treeinfo` that was fetched. */
export interface FetchedTreeinfo {
  readonly path: string
  readonly description: Description
  /** The files that the upstream, another treeboot, serves and the tree does not have; undefined for a tree's own one. */
  readonly made?: readonly string[]
}

/** Fetches and reads the `.treeinfo`; undefined when the upstream does not have one. */
export async function fetchTreeinfo(fetcher: Fetcher): Promise<FetchedTreeinfo | undefined> {
  for (const path of treeinfoNames)
    if (await fetcher.fetch({ path, atMostBytes: maxDescriptorBytes, isOptional: true })) {
      const bytes = await fetcher.read(path)
      const made = madeByTreeboot(bytes.toString('utf8'))
      return { path, description: readDescriptor(path, bytes), ...defined({ made }) }
    }
  return undefined
}
