import { describe, expect, test } from 'vitest'
import { Failure } from '../../../../server/core/failure.ts'
import { requestPath, wireError } from '../../../../server/protocols/tftp/wire/request.ts'

describe('names of files', () => {
  test.each([
    ['x', '/x'],
    ['/x', '/x'],
    ['//x', '/x'],
    ['\\EFI\\BOOT\\grubx64.efi', '/EFI/BOOT/grubx64.efi'],
    ['a b%20c', '/a b%20c'],
    ['../../etc/passwd', '/etc/passwd'],
    ['..\\..\\etc\\passwd', '/etc/passwd'],
    ['A', '/A'],
  ])('%j is %s', (name, path) => {
    expect(requestPath(name)).toBe(path)
  })
})

describe('failures on the wire', () => {
  test('missing is 1, forbidden and read-only are 2', () => {
    expect(wireError(new Failure('not-found', 'no x')).code).toBe(1)
    expect(wireError(new Failure('forbidden', 'x')).code).toBe(2)
    expect(wireError(new Failure('read-only', 'x')).code).toBe(2)
    expect(wireError(Object.assign(new Error('ENOENT /srv/x'), { code: 'ENOENT' }))).toMatchObject({
      code: 1,
      text: 'file not found',
    })
  })

  test('what is inside stays inside; the operator hears it', () => {
    const wire = wireError(new Error('EIO: /srv/secret'))
    expect(wire).toMatchObject({ code: 0, kind: 'internal', detail: 'EIO: /srv/secret' })
    expect(wire.text).not.toContain('secret')
  })
})
