import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { noMachines } from '../../server/machines/machines.ts'
import { renderAnswerFile } from '../../server/namespace/answer-files.ts'
import { ownFilterNames } from '../../server/templates/filters/table.ts'
import { lintTemplates } from '../../server/templates/lint.ts'
import { TemplateRenderer } from '../../server/templates/renderer.ts'
import { answerCases } from '../support/answer-cases.ts'
import { guestWith, shippedTemplates, snapshotWith, treeWith, urls } from '../support/answers.ts'
import { expectGolden } from '../support/golden.ts'

const templates = shippedTemplates()
const renderer = new TemplateRenderer()
afterAll(() => renderer.close())

const project = join(import.meta.dirname, '../..')

describe('the examples of the documents', () => {
  test('the template of docs/kickstarts.md renders', async () => {
    const document = readFileSync(join(project, 'docs/kickstarts.md'), 'utf8')
    // The code block belongs to a numbered list, so it is indented by three blanks.
    const source = /```jinja\n([\s\S]*?)```/.exec(document)?.[1]?.replaceAll(/^ {3}/gm, '') ?? ''
    const guest = guestWith('small.ks', { ssh_keys: ['ssh-ed25519 AAAA me@laptop'] })
    const snapshot = snapshotWith([guest], new Map(templates).set('small.ks', source))
    const options = {
      snapshot: () => snapshot,
      renderer,
      machines: noMachines,
      facts: () => ({ tree: treeWith({}), urls }),
    }
    const { text, warnings } = await renderAnswerFile(options, guest, {
      protocol: 'internal',
      address: '::1',
    })
    expect(warnings).toEqual([])
    expect(text).toContain('sshkey --username=root "ssh-ed25519 AAAA me@laptop"')
  })

  test('the README of the templates names every filter of treeboot', () => {
    const document = readFileSync(join(project, 'kickstart-templates/README.md'), 'utf8')
    expect([...ownFilterNames].filter((name) => !document.includes(`\`${name}`))).toEqual([])
  })
})

describe('the templates that treeboot ships', () => {
  test.each(answerCases)('$golden', async ({ golden, guest, tree }) => {
    const snapshot = snapshotWith([guest], templates)
    const options = {
      snapshot: () => snapshot,
      renderer,
      machines: noMachines,
      facts: () => ({ tree, urls }),
    }
    const answer = await renderAnswerFile(options, guest, { protocol: 'internal', address: '::1' })
    expect(answer.warnings).toEqual([])
    expectGolden(`kickstart/${golden}`, answer.text)
  })

  test('refuse a passphrase that would pull in the next line of a preseed', async () => {
    const guest = guestWith('debian.preseed', { filesystem: 'crypto', crypto_passphrase: 'secret\\' })
    const snapshot = snapshotWith([guest], templates)
    const facts = () => ({ tree: treeWith({}), urls })
    const options = { snapshot: () => snapshot, renderer, machines: noMachines, facts }
    const requester = { protocol: 'internal', address: '::1' } as const
    await expect(renderAnswerFile(options, guest, requester)).rejects.toThrow(
      /debian\.preseed:\d+: .*backslash/,
    )
  })

  test('have no problems', async () => {
    expect(await lintTemplates(templates, renderer)).toEqual([])
  })

  test('contain no password hash unless a password was given', async () => {
    // The guests of the `plain` cases set no variable, so no password either.
    for (const { golden, guest, tree } of answerCases.filter((each) => each.golden.includes('plain'))) {
      const snapshot = snapshotWith([guest], templates)
      const options = {
        snapshot: () => snapshot,
        renderer,
        machines: noMachines,
        facts: () => ({ tree, urls }),
      }
      const { text } = await renderAnswerFile(options, guest, { protocol: 'internal', address: '::1' })
      expect(text, golden).not.toContain('$6$')
    }
  })
})
