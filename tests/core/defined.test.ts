import { expect, test } from 'vitest'
import { defined } from '../../server/core/defined.ts'

test('keys with an undefined value are left out, all others stay', () => {
  const made: { readonly a?: number; readonly b?: string; readonly c: null } = defined({
    a: undefined as number | undefined,
    b: '',
    c: null,
  })
  expect(Object.keys(made)).toEqual(['b', 'c'])
})
