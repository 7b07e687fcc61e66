import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { runCli } from '../../server/cli/program.ts'
import { requireClient } from '../support/clients.ts'
import { imagesOfTree, makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

/** Keys and signatures as people make them, by the real gpg, and what an administrator sees of them. */
describe('a tree whose list of checksums is signed by gpg', () => {
  beforeEach(() => requireClient('gpg'))

  function workshop() {
    const cwd = temporaryFolder()
    const home = join(cwd, 'gnupg')
    mkdirSync(home, { mode: 0o700 })
    mkdirSync(join(cwd, 'trees'))
    const gpg = (...args: string[]): Buffer =>
      execFileSync('gpg', ['--homedir', home, '--batch', '--yes', '--passphrase', '', ...args], {
        stdio: 'pipe',
      })
    const treeboot = async (...args: string[]): Promise<{ code: number; said: string }> => {
      let said = ''
      const note = (text: string): void => {
        said += text
      }
      const code = await runCli(args, {
        out: note,
        err: note,
        ask: async () => undefined,
        exit: () => {},
        color: false,
        cwd,
      })
      return { code, said }
    }
    const source = join(cwd, 'source')
    makeTree(source, { checksums: false })
    const list = Object.entries(imagesOfTree())
      .map(([path, text]) => `${createHash('sha256').update(text).digest('hex')}  ${path}\n`)
      .join('')
    writeBelow(source, 'SHA256SUMS', list)
    return { cwd, source, list, gpg, treeboot }
  }

  test.each([
    ['ed25519, detached', ['ed25519', 'sign'], ['--detach-sign', '--armor'], 'SHA256SUMS.sign'],
    ['RSA of 3072 bits, detached and binary', ['rsa3072', 'sign'], ['--detach-sign'], 'SHA256SUMS.gpg'],
    ['RSA of 3072 bits, a clearsigned copy', ['rsa3072', 'sign'], ['--clearsign'], 'SHA256SUMS.asc'],
  ] as const)(
    '%s: published with who signed it; changed, it is refused, and published only by word',
    async (...how) => {
      const [, [algorithm, use], flags, name] = how
      const { cwd, source, list, gpg, treeboot } = workshop()
      gpg('--quick-generate-key', 'Distribution <keys@example>', algorithm, use, 'never')
      writeFileSync(join(cwd, 'key.asc'), gpg('--export', '--armor'))
      gpg(...flags, '--output', join(source, name), join(source, 'SHA256SUMS'))
      const options = ['--key', 'key.asc', '--require-signature']

      const good = await treeboot('import', source, '--id', 'good', ...options)
      expect(good).toMatchObject({
        code: 0,
        said: expect.stringMatching(/^signed +SHA256SUMS by Distribution/m),
      })
      const record = JSON.parse(readFileSync(join(cwd, 'trees/.treeboot/versions/good/1.json'), 'utf8'))
      expect(record.signed).toEqual([
        { document: 'SHA256SUMS', key: expect.stringMatching(/^[0-9A-F]{40}$/) },
      ])

      writeBelow(source, 'SHA256SUMS', `${list}${'0'.repeat(64)}  more\n`)
      const bad = await treeboot('import', source, '--id', 'bad', ...options)
      expect(bad.code).not.toBe(0)
      expect(bad.said).toMatch(/SHA256SUMS\b.*(signature|SHA256SUMS\.asc)/)
      const accepted = await treeboot(
        'import',
        source,
        '--id',
        'bad',
        ...options,
        '--accept',
        'known to be fine',
      )
      expect(accepted.code).toBe(0)
      const { accepted: why } = JSON.parse(
        readFileSync(join(cwd, 'trees/.treeboot/versions/bad/1.json'), 'utf8'),
      )
      expect(why).toMatchObject({ why: 'known to be fine', faults: [expect.stringContaining('SHA256SUMS')] })
    },
    120_000,
  )
})
