import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { auditLine } from '../../../server/core/access/audit.ts'
import { starred } from '../../../server/core/access/starred.ts'
import { runs } from '../../support/fuzz.ts'

const crypt = '$6$rounds=5000$saltsalt$Vt5Xk0xqZ6yoQmWvS2u4uAQh.Bm/'

describe('starred', () => {
  it('stars values below names that say a secret, and keeps flags', () => {
    const value = {
      name: 'web01',
      vars: { root_pw: 'geheim', tokens: ['a', 'b'], deep: { apiKey: { inner: 'x' } } },
      'require-token': true,
    }
    expect(starred(value)).toEqual({
      name: 'web01',
      vars: { root_pw: '***', tokens: '***', deep: { apiKey: '***' } },
      'require-token': true,
    })
  })

  it.each([
    crypt,
    '$y$j9T$abcdefgh$12345678',
    '$scrypt$ln=17,r=8,p=1$c2FsdA$aGFzaA',
    '$argon2id$v=19$m=65536$c2FsdA$aGFzaA',
    '{SSHA}0bC3DeFgHi==',
    'grub.pbkdf2.sha512.10000.AABB.CCDD',
    `treeboot_${'x'.repeat(43)}`,
  ])('stars %s wherever it stands', (secret) => {
    const found = JSON.stringify(starred([secret, `user --name anna ${secret} x`, { [secret]: secret }]))
    expect(found).not.toContain(secret.slice(4))
    expect(found).toContain('user --name anna ***')
  })

  it('stars the password of a URL, and private keys', () => {
    expect(starred('https://anna:geheim@mirror.example/x')).toBe('https://anna:***@mirror.example/x')
    expect(starred('https://anna@mirror.example/x')).toBe('https://anna@mirror.example/x')
    expect(starred('https://ghp_0123456789abcdef@forge.example/x')).toBe('https://***@forge.example/x')
    const pem = '-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----'
    expect(starred(`a\n${pem}\nb`)).toBe('a\n***\nb')
  })

  it('stars what follows such a word in a line, and the block below it', () => {
    const text = [
      'lang en',
      'rootpw --plaintext geheim',
      'passwords:',
      '  - one',
      '- two',
      'url: x',
      'key: |',
      '  a',
      '',
    ].join('\n')
    expect(starred(text)).toBe(
      ['lang en', 'rootpw ***', 'passwords:', '  ***', '***', 'url: x', 'key: |', '  ***', ''].join('\n'),
    )
  })

  it('stars a number, too', () => {
    expect(starred({ text: 'wpa_key 12345\npassword: 4711\nx' })).toEqual({
      text: 'wpa_key ***\npassword ***\nx',
    })
  })

  it('lets no secret through, however deep and under whatever name of one', () => {
    const names = fc.constantFrom(
      'password',
      'rootpw',
      'API_TOKEN',
      'wpa_key',
      'secret',
      'user_password_hash',
    )
    const wrap = fc.array(fc.constantFrom('list', 'object'), { maxLength: 50 })
    fc.assert(
      fc.property(names, wrap, (name, shells) => {
        let value: unknown = { [name]: { inner: ['marker-4711'] } }
        for (const shell of shells) value = shell === 'list' ? [value] : { a: value }
        expect(JSON.stringify(starred(value))).not.toContain('marker-4711')
      }),
      { numRuns: runs(1000) },
    )
  })
})

describe('a line of the audit', () => {
  it('has bounds, and its values are JSON without secrets', () => {
    const line = auditLine({ account: 'a'.repeat(9999), from: 'x' }, 1, {
      action: 'guests.set',
      target: 't'.repeat(9999),
      before: { password: 'geheim' },
      after: 'y'.repeat(99_999),
    })
    expect(line.account.length + line.target.length).toBeLessThan(1000)
    expect(line.before).toBe('{"password":"***"}')
    expect(line.after?.length).toBeLessThan(16_400)
    expect(typeof JSON.parse(line.after ?? '')).toBe('string')
  })
})
