import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mirrorTree } from '../../../server/intake/mirror/mirror-tree.ts'
import { VersionStore } from '../../../server/versions/version-store.ts'
import { faultyServer } from '../../support/faulty-server.ts'
import { temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

const files: Record<string, string> = {
  '.disk/info': 'Debian GNU/Linux 13.1.0 "Trixie" - Official amd64 NETINST with firmware 20250906-10:22',
  '.disk/cd_type': 'not_complete\n',
  'README.txt': 'read me\n',
  'dists/trixie/Release': 'Suite: stable\nCodename: trixie\n',
  'dists/trixie/.hidden/x': 'x',
  'install.amd/vmlinuz': 'the kernel',
  'install.amd/initrd.gz': 'the initrd',
}
const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
const listed = Object.entries(files).map(([path, text]) => `${md5(text)}  ./${path}\n`)
const medium: Record<string, string> = {
  ...files,
  'md5sum.txt': `${listed.join('')}${md5('')}  ./.disk/gone\n${md5(files['.disk/info'] ?? '')}  debian/.disk/info\n`,
}

async function served(tree: Record<string, string>, { hidden }: { readonly hidden?: RegExp } = {}) {
  const upstream = temporaryFolder()
  for (const [path, text] of Object.entries(tree)) writeBelow(upstream, `d/${path}`, text)
  symlinkSync('.', join(upstream, 'd/debian'))
  const server = await faultyServer(upstream)
  server.hidden = hidden
  return server
}

async function mirrored(url: string) {
  const trees = temporaryFolder()
  const mirror = () =>
    mirrorTree(new VersionStore(trees), [`${url}/d/`], {
      id: 'd',
      fetching: { pause: async () => undefined },
    })
  const { trees: published } = await mirror()
  return { folder: join(trees, 'd'), result: published[0]?.result, mirror }
}

// nginx with `autoindex on`; Apache with its sample configuration.
test.each([/^\./, /^(?:\.|README|HEADER)/])('what an index hides (%s) comes over', async (hidden) => {
  const server = await served(medium, { hidden })
  const { folder, result, mirror } = await mirrored(server.url)
  for (const [path, text] of Object.entries(medium))
    expect(readFileSync(join(folder, path), 'utf8'), path).toBe(text)
  expect(readdirSync(join(folder, '.disk')).sort()).toEqual(['cd_type', 'info'])
  expect(result?.outcome === 'published' && result.description).toMatchObject({ version: '13.1.0' })
  expect((await mirror()).unchanged).toBe(true)
  expect(server.requests.filter((line) => line.includes('debian/.disk'))).toEqual([])
})

test('the descriptors are asked for also without a list of checksums', async () => {
  const server = await served(files, { hidden: /^\./ })
  const { result } = await mirrored(server.url)
  expect(result?.outcome === 'published' && result.description).toMatchObject({ version: '13.1.0' })
})

test('an index that shows a dot file is believed', async () => {
  const server = await served(medium)
  await mirrored(server.url)
  expect(server.requests.filter((line) => /gone|discinfo/.test(line))).toEqual([])
})

test('a page that is sent for every missing name is not taken for a file', async () => {
  const tree = Object.entries(medium).filter(([path]) => !path.includes('.disk'))
  const server = await served(Object.fromEntries(tree), { hidden: /^\./ })
  // The `.treeinfo` is asked for first, by its two names.
  server.faultOf = (path) => (path.endsWith('treeinfo') ? { kind: 'status', status: 404 } : undefined)
  server.pageForMissing = '<html>Nothing here'
  const { folder } = await mirrored(server.url)
  expect(existsSync(join(folder, '.disk'))).toBe(false)
  expect(existsSync(join(folder, '.discinfo'))).toBe(false)
})

test('a busy answer for a hidden name is no answer', async () => {
  const server = await served(medium, { hidden: /^\./ })
  server.faultOf = (path) => (path.endsWith('.disk/info') ? { kind: 'status', status: 503 } : undefined)
  await expect(mirrored(server.url)).rejects.toMatchObject({ kind: 'unavailable' })
})
