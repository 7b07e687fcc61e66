import { afterAll, describe, expect, test } from 'vitest'
import { renderAnswer } from '../../server/publish/answers.ts'
import { lintTemplates } from '../../server/templates/lint.ts'
import { TemplateRenderer } from '../../server/templates/renderer.ts'
import { answerCases } from '../support/answer-cases.ts'
import { shippedTemplates, snapshotWith, urls } from '../support/answers.ts'
import { expectGolden } from '../support/golden.ts'

const templates = shippedTemplates()
const renderer = new TemplateRenderer()
afterAll(() => renderer.close())

describe('the templates that ship', () => {
  test.each(answerCases)('$golden', async ({ golden, guest, tree }) => {
    const snapshot = snapshotWith([guest], templates)
    const options = { snapshot: () => snapshot, renderer, facts: () => ({ tree, urls }) }
    const answer = await renderAnswer(options, guest, { protocol: 'internal', address: '::1' })
    expect(answer.warnings).toEqual([])
    expectGolden(`kickstart/${golden}`, answer.text)
  })

  test('have no problems', async () => {
    expect(await lintTemplates(templates, renderer)).toEqual([])
  })

  test('lock root and create no password unless asked', async () => {
    for (const { golden, guest, tree } of answerCases.filter((each) => each.golden.includes('plain'))) {
      const snapshot = snapshotWith([guest], templates)
      const options = { snapshot: () => snapshot, renderer, facts: () => ({ tree, urls }) }
      const { text } = await renderAnswer(options, guest, { protocol: 'internal', address: '::1' })
      expect(text, golden).not.toContain('$6$')
    }
  })
})
