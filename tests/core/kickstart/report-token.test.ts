import { expect, test } from 'vitest'
import { reportsWithToken } from '../../../server/core/kickstart/report-token.ts'
import { shippedTemplates } from '../../support/answers.ts'

test.each([
  ['names it', 'curl -X POST {{ report_url | quote }}', true],
  ['names one of several', '{{ report_urls.failed }}', true],
  ['includes a snippet that does', "{% include 'snippets/report.sh' %}", true],
  ['extends a template that does', '{%- extends "base.ks" %}', true],
  ['includes itself', "{% include 'a.ks' %}", false],
  ['includes what is not there', "{% include 'none.ks' %}", false],
  ['has another variable of a similar name', '{{ my_report_urlx }}', false],
])('a template that %s', (_, text, expected) => {
  const templates = new Map([
    ['a.ks', text],
    ['base.ks', '{{ report_url }}'],
    ['snippets/report.sh', '{{ report_url }}'],
  ])
  expect(reportsWithToken('a.ks', templates)).toBe(expected)
})

test('every template that treeboot ships reports with its token', () => {
  const templates = shippedTemplates()
  for (const name of ['fedora.ks', 'debian.preseed', 'ubuntu.user-data', 'suse.autoyast.xml'])
    expect(reportsWithToken(name, templates), name).toBe(true)
})
