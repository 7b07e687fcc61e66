import { expect, test } from 'vitest'
import { isInside } from '../../server/host/paths.ts'

test.each([
  ['/srv/trees', '/srv/trees', true],
  ['/srv/trees', '/srv/trees/fedora', true],
  ['/', '/srv', true],
  ['/srv/trees', '/srv/trees-old', false],
  ['/srv/trees', '/srv', false],
])('below %s lies %s: %s', (folder, path, inside) => {
  expect(isInside(folder, path)).toBe(inside)
})
