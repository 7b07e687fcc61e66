import { describe, expect, test } from 'vitest'
import { isPackageFolder, whyNoPackages } from '../../../server/core/kickstart/packages.ts'
import { fakeTree } from '../../support/trees.ts'

const netboot = fakeTree({ id: 'a b/debian-12', hasPackages: false })

describe('an answer file that sends the installer to a tree without packages', () => {
  test.each([
    ['preseed', 'd-i mirror/country string manual\nd-i  mirror/http/directory string /trees/a%20b/debian-12'],
    ['preseed with a slash', 'd-i mirror/https/directory string /trees/a%20b/debian-12/\n'],
    ['kickstart', 'text\nurl --url=http://h:8080/trees/a%20b/debian-12\n'],
    ['kickstart, quoted', 'url --noverifyssl --url "http://h/trees/a%20b/debian-12/"\n'],
    ['kickstart by NFS', 'nfs --server=h --dir=/trees/a%20b/debian-12 --opts=nolock\n'],
    ['kickstart by FTP', 'url --url=ftp://h/trees/a%20b/debian-12\n'],
  ])('%s', (_name, text) => {
    expect(whyNoPackages(netboot, text)).toMatch(
      /to tree a b\/debian-12 for packages, and the tree has none: /,
    )
    // Nobody looked, or there are some: then the installer may have its way.
    const { hasPackages: _, ...unknown } = netboot
    expect(whyNoPackages(unknown, text)).toBeUndefined()
    expect(whyNoPackages({ ...netboot, hasPackages: true }, text)).toBeUndefined()
    const repositories = [{ id: 'x', name: 'x', kind: 'variant' as const, path: '.' }]
    expect(whyNoPackages({ ...netboot, repositories }, text)).toBeUndefined()
  })
})

test.each([
  ['a mirror elsewhere', 'd-i mirror/http/directory string /debian\n'],
  ['another tree', 'url --url=http://h/trees/a%20b/debian-12.5\n'],
  ['a part of the tree', 'url --url=http://h/trees/a%20b/debian-12/sub\n'],
  ['a comment', '# url --url=http://h/trees/a%20b/debian-12\n'],
  ['a script that fetches from the tree', 'curl http://h/trees/a%20b/debian-12\n'],
  ['nothing', ''],
])('an answer file that names %s is left alone', (_name, text) => {
  expect(whyNoPackages(netboot, text)).toBeUndefined()
})

test.each(['dists', 'pool', 'repodata', 'Packages', 'BaseOS', 'Server', 'suse'])(
  '%s may hold packages',
  (name) => {
    expect(isPackageFolder(name)).toBe(true)
  },
)

test.each(['images', 'isolinux', 'debian-installer', 'LiveOS', 'EFI', 'casper', 'boot', '.disk'])(
  '%s holds none',
  (name) => {
    expect(isPackageFolder(name)).toBe(false)
  },
)
