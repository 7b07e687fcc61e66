import { expect, test } from 'vitest'
import { findClient, missingClient, parseClientPackages, readPackageLists } from './clients.ts'

const list = readPackageLists()

test('a client is found in PATH, or as a file, or not at all', () => {
  expect(findClient('sh')).toMatch(/\/sh$/)
  expect(findClient('/etc/passwd')).toBe('/etc/passwd')
  expect(findClient('no-such-client')).toBeUndefined()
})

test('a client that no list names is a mistake of the test', () => {
  expect(() => missingClient(['no-such-client'])).toThrow('no-such-client is in no list of .ci/packages/')
})

test('the lists name every package once, and a use for each', () => {
  const names = list
    .split('\n')
    .filter((line) => /^[^#\s]/.test(line))
    .map((line) => line.split(/\s+/))
  expect(names.filter((line) => line.length < 2)).toEqual([])
  const packages = names.map((line) => line[0])
  expect(packages.filter((name, index) => packages.indexOf(name) !== index)).toEqual([])
  expect(parseClientPackages(list).get('virt-install')).toBe('virtinst')
  expect([...parseClientPackages('a x /y # z\n\n# b c\n')]).toEqual([
    ['x', 'a'],
    ['/y', 'a'],
  ])
})
