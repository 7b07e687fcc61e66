import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { diskSource } from '../../server/files/disk.ts'
import { rootPath } from '../../server/files/path.ts'
import { ElsewhereCount, locationOf } from '../../server/verify/documents/location.ts'
import { parseRepomd } from '../../server/verify/documents/repomd.ts'
import { makeRepository } from '../support/rpm-repository.ts'
import { makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'
import { verifyTreeAt } from '../support/verify.ts'

const verify = (folder: string) => verifyTreeAt(diskSource(folder), rootPath)

test.each([
  [undefined, 'a.rpm', { href: 'a.rpm' }],
  ['', 'a.rpm', { href: 'a.rpm' }],
  ['pool/', 'a.rpm', { href: 'pool/a.rpm' }],
  ['pool', 'p/a.rpm', { href: 'pool/p/a.rpm' }],
  ['./pool//', '/a.rpm', { href: './pool/a.rpm' }],
  ['../../pool', 'a+b^c~1%3a.rpm', { href: '../../pool/a+b^c~1%3a.rpm' }],
  ['C/D', 'a.rpm', { href: 'C/D/a.rpm' }],
  ['media://1169139240.012345#3', 'a.rpm', undefined],
  ['MEDIA://1', 'a.rpm', undefined],
  ['http://other.example/os/', 'a.rpm', { href: 'a.rpm', elsewhere: 'http://other.example' }],
  ['ftp://other.example', 'a.rpm', { href: 'a.rpm', elsewhere: 'ftp://other.example' }],
  ['file:///srv/pool', 'a.rpm', { href: 'a.rpm', elsewhere: 'file://' }],
  ['//other.example/os', 'a.rpm', { href: 'a.rpm', elsewhere: '//other.example/os' }],
  ['/pub/pool', 'a.rpm', { href: 'a.rpm', elsewhere: '/pub/pool' }],
  [
    undefined,
    'https://other.example/a.rpm',
    { href: 'https://other.example/a.rpm', elsewhere: 'https://other.example' },
  ],
])('with the base %j, %j lies at %j', (base, href, expected) => {
  expect(locationOf(href, base)).toEqual(expected)
})

test('the note of files elsewhere has their number, and a short name of the place', () => {
  const count = new ElsewhereCount()
  expect(count.add({})).toBe(false)
  expect(count.note).toBeUndefined()
  for (let n = 0; n < 3; n++) expect(count.add({ elsewhere: `http://${'x'.repeat(10_000)}` })).toBe(true)
  expect(count.note).toMatch(/\b3 files\b/)
  expect(count.note?.length).toBeLessThan(400)
})

test('repomd.xml joins a base, too', () => {
  const data = (type: string, base: string) =>
    `<data type="${type}"><location xml:base="${base}" href="repodata/${type}.xml"/></data>`
  const text = `<repomd>${data('primary', 'meta/')}${data('other', 'http://other.example/')}${data('x', 'media://1')}</repomd>`
  expect(parseRepomd(text)).toEqual([
    { type: 'primary', href: 'meta/repodata/primary.xml' },
    { type: 'other', href: 'repodata/other.xml', elsewhere: 'http://other.example' },
  ])
})

const packages = { 'a-1-1.noarch.rpm': 'package a\n', 'b-1-1.noarch.rpm': 'package b\n' }

function treeWithBase(base: string): string {
  const folder = temporaryFolder()
  makeTree(folder)
  makeRepository(folder, packages, base)
  return folder
}

test.each(['pool', 'pool/', './pool/deep/..'])('packages below the base %j are checked', async (base) => {
  const folder = treeWithBase(base)
  expect((await verify(folder)).findings).toEqual([])
  writeBelow(folder, 'pool/a-1-1.noarch.rpm', 'package A\n')
  rmSync(join(folder, 'pool/b-1-1.noarch.rpm'))
  const { findings } = await verify(folder)
  expect(findings).toEqual([
    {
      severity: 'error',
      path: 'pool/a-1-1.noarch.rpm',
      with: expect.stringMatching(/primary/),
      message: expect.stringContaining('is damaged'),
    },
    { severity: 'error', path: 'pool/b-1-1.noarch.rpm', message: expect.stringContaining('is missing') },
  ])
})

test.each(['http://other.example/os/', '/pub/os'])(
  'packages at %s are told, and not looked for',
  async (base) => {
    const { findings } = await verify(treeWithBase(base))
    expect(findings).toEqual([
      {
        severity: 'warning',
        path: expect.stringMatching(/^repodata\/.*-primary\.xml\.gz$/),
        message: expect.stringMatching(/\b2 files\b.*(?:other\.example|\/pub\/os)/),
      },
    ])
  },
)

test('packages of the other CDs of a set are not looked for', async () => {
  expect((await verify(treeWithBase('media://1169139240.012345#2'))).findings).toEqual([])
})

test('a base that leads out of the tree is refused, and no file at its end is looked at', async () => {
  const folder = treeWithBase('pool')
  // Resolved as if the tree were the root of the disk, this would be the file in the tree.
  makeRepository(folder, packages, '../pool')
  const { findings } = await verify(folder)
  expect(findings.map(({ severity, message }) => `${severity} ${message}`)).toEqual([
    expect.stringMatching(/^error names "\.\.\/pool\/a-1-1\.noarch\.rpm".*leads out of the tree$/),
    expect.stringMatching(/^error names "\.\.\/pool\/b-1-1\.noarch\.rpm".*leads out of the tree$/),
  ])
})

test.each([
  ['./pool/a.deb', []],
  ['pool/./x/../a.deb', []],
  ['/pool/a.deb', []],
  ['../pool/a.deb', ['warning']],
  ['pool/../../pool/a.deb', ['warning']],
])("Debian's Filename: %s", async (name, severities) => {
  const folder = temporaryFolder()
  const sha256 = (data: string) => createHash('sha256').update(data).digest('hex')
  writeBelow(folder, 'pool/a.deb', 'a package')
  const index = `Package: a\nFilename: ${name}\nSize: 9\nSHA256: ${sha256('a package')}\n`
  writeBelow(folder, 'dists/trixie/main/binary-amd64/Packages', index)
  const line = `${sha256(index)} ${index.length} main/binary-amd64/Packages`
  writeBelow(folder, 'dists/trixie/Release', `SHA256:\n ${line}\n`)
  const { findings, files } = await verify(folder)
  expect(findings.map(({ severity }) => severity)).toEqual(severities)
  expect(files).toBe(2 - severities.length)
  writeBelow(folder, 'pool/a.deb', 'A package')
  expect((await verify(folder)).findings).toHaveLength(1)
})
