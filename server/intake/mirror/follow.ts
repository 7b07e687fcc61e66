import { createReadStream } from 'node:fs'
import { Failure } from '../../core/failure.ts'
import { bootFiles } from '../../core/tree/boot-files.ts'
import { imagesOf } from '../../core/tree/conclude.ts'
import { readDescriptor } from '../../core/tree/descriptors/descriptor.ts'
import type { Description } from '../../core/tree/tree.ts'
import { unpacked } from '../../host/unpack.ts'
import { readPackages } from '../../verify/documents/primary.ts'
import { maxRepomdBytes, parseRepomd } from '../../verify/documents/repomd.ts'
import type { RemoteFile } from './fetch-file.ts'
import type { Fetcher } from './fetcher.ts'
import type { UpstreamPool } from './upstream-pool.ts'

/**
 * Files that go with a `.treeinfo` without being named by it. SUSE signs for its `.treeinfo` with the last two, which
 * name much else: they are of use only to who checks signatures.
 */
const companions = ['.discinfo', 'media.repo']
/** The largest `.treeinfo` seen has 30 KiB. */
const maxDescriptorBytes = 4 * 1024 * 1024
const signers = ['CHECKSUMS', 'CHECKSUMS.asc']

/** What goes with `repomd.xml`: dnf (`repo_gpgcheck`) and zypper fetch the signature, zypper offers the key. */
const repomdCompanions = ['.asc', '.key']

/** Fetches everything that a `.treeinfo` and the repositories behind it name, and nothing else. */
export async function followTreeinfo(
  fetcher: Fetcher,
  description: Description,
  { bootOnly, signed }: { readonly bootOnly: boolean; readonly signed: boolean },
): Promise<void> {
  const { required, optional } = bootFiles(description)
  const named = bootOnly
    ? [...required, ...optional, ...(description.stage2 === undefined ? [] : [description.stage2])]
    : [...imagesOf(description), ...Object.keys(description.checksums)]
  const images = [...new Set(named)].map((path): RemoteFile => {
    const digest = description.checksums[path]
    return digest ? { path, digest } : { path }
  })
  for (const path of signed ? [...companions, ...signers] : companions)
    await fetcher.fetch({ path, atMostBytes: maxDescriptorBytes, isOptional: true })
  await fetcher.fetchAll(images)
  if (bootOnly) return
  for (const { path } of description.repositories) await followRepository(fetcher, path, description)
}

/** `repomd.xml`, the metadata that it names, and the packages that those name. */
async function followRepository(
  fetcher: Fetcher,
  repository: string,
  description: Description,
): Promise<void> {
  const base = repository === '.' ? '' : `${repository}/`
  const repomd = `${base}repodata/repomd.xml`
  const digest = description.checksums[repomd]
  const wanted = { path: repomd, atMostBytes: maxRepomdBytes, ...(digest && { digest }) }
  if (!(await fetcher.fetch(wanted))) return void fetcher.absent.push(repomd)
  for (const ending of repomdCompanions)
    await fetcher.fetch({ path: `${repomd}${ending}`, atMostBytes: maxDescriptorBytes, isOptional: true })
  const files = parseRepomd((await fetcher.read(repomd)).toString('utf8'))
  await fetcher.fetchAll(files.map((file) => ({ ...remote(file), path: `${base}${file.href}` })))
  const primary = files.find((file) => file.type === 'primary')
  if (!primary) return
  const packages: RemoteFile[] = []
  const place = fetcher.place(`${base}${primary.href}`)
  for await (const file of readPackages(unpacked(createReadStream(place), primary.href)))
    packages.push({ ...remote(file), path: `${base}${file.href}` })
  await fetcher.fetchAll(packages)
}

function remote({ size, digest }: Omit<RemoteFile, 'path'>): Omit<RemoteFile, 'path'> {
  return { ...(size !== undefined && { size }), ...(digest && { digest }) }
}

/** Reads the `.treeinfo` that was fetched; undefined when the upstream has none. */
export async function fetchTreeinfo(fetcher: Fetcher): Promise<Description | undefined> {
  for (const path of ['.treeinfo', 'treeinfo'])
    if (await fetcher.fetch({ path, atMostBytes: maxDescriptorBytes, isOptional: true }))
      return readDescriptor(path, await fetcher.read(path))
  return undefined
}

const mostListed = 20_000
const deepest = 12

/** Every file below a folder, as its listings tell, for trees that have no `.treeinfo`. Undefined when nothing is listed. */
export async function crawl(
  pool: UpstreamPool,
  signal?: AbortSignal,
): Promise<readonly string[] | undefined> {
  const files: string[] = []
  let level: string[] = ['']
  let listed = false
  for (let depth = 0; depth < deepest && level.length > 0; depth++) {
    const below: string[] = []
    for (const folder of level) {
      const names = await pool.ask(folder, (upstream) => upstream.list(folder, signal), {
        isOptional: true,
        ...(signal && { signal }),
      })
      if (!names) continue
      listed = true
      for (const name of names) (name.endsWith('/') ? below : files).push(`${folder}${name}`)
      if (files.length + below.length > mostListed)
        throw new Failure(
          'too-large',
          `${pool.upstreams[0]?.url} lists more than ${mostListed} files; name the folder of one installation tree in it`,
        )
    }
    level = below
  }
  return listed ? files : undefined
}
