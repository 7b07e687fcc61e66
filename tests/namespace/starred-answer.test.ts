import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { failureMessage } from '../../server/core/failure.ts'
import type { VarValue } from '../../server/core/guest/guest.ts'
import { Answers } from '../../server/namespace/answers.ts'
import { TemplateRenderer } from '../../server/templates/renderer.ts'
import { answerCases } from '../support/answer-cases.ts'
import { guestWith, rocky9, shippedTemplates, snapshotWith, urls } from '../support/answers.ts'
import { runs } from '../support/fuzz.ts'

const renderer = new TemplateRenderer()
afterAll(() => renderer.close())

const token = 'ToKeNtOkEnToKeNtOkEn01'
const who = { protocol: 'http', address: '192.0.2.1' } as const

function answersOf(template: string, vars: Record<string, VarValue>) {
  const guest = guestWith('a.ks', vars)
  const snapshot = snapshotWith([guest], new Map([['a.ks', template]]))
  const answers = new Answers({ renderer, facts: () => ({ tree: rocky9, urls, token }) })
  return { answers, call: { guest, who, snapshot } }
}

async function starred(template: string, vars: Record<string, VarValue>): Promise<string> {
  const { answers, call } = answersOf(template, vars)
  return answers.starred(call).then(
    ({ text }) => text,
    (error: unknown) => `ERROR ${failureMessage(error)}`,
  )
}

describe('an answer file without its secrets', () => {
  test('shows all that is the same with other secrets', async () => {
    const template = [
      'url --url={{ tree.url }}',
      'rootpw {{ "--iscrypted" if rootpw.startswith("$6$") else "--plaintext" }} {{ rootpw }}',
      'user --name=ann --password="{{ users[0].password }}" --shell=/bin/sh',
      'proxy {{ proxy }}',
      'literal $6$saltsalt$0123456789abcdef',
      'curl {{ report_url }}',
      '{{ greeting }}',
      '',
    ].join('\n')
    const vars = {
      rootpw: '$6$abcdefgh$ABCDEFGHIJKLMNOP',
      users: [{ name: 'ann', password: 'hunter 2' }],
      proxy: 'http://u:planted@proxy.example:3128',
      greeting: 'hello',
    }
    expect(await starred(template, vars)).toBe(
      [
        'url --url=http://mirror.example:8080/trees/rocky/9/BaseOS/x86_64/os',
        'rootpw --iscrypted ***',
        'user --name=ann --password="***" --shell=/bin/sh',
        'proxy http://u:***@proxy.example:3128',
        'literal ***',
        'curl http://mirror.example:8080/api/v1/guests/web01/installed/***',
        'hello',
        '',
      ].join('\n'),
    )
  })

  /** What templates make of a secret. */
  const uses = [
    '{{ S }}',
    '--password={{ S }}',
    '"{{ S | upper }}"',
    '{{ S | reverse }}',
    '{{ S | b64encode }}',
    '{{ S | password_hash("sha512", "saltsalt") }}',
    '{% for c in S %}{{ c }}\n{% endfor %}',
    '{% for c in S %}{{ c }}-{% endfor %}',
    'x{{ S[1:] }}y',
    '{{ {"k": S} | tojson }}',
    '{{ S | replace("a", "bb") }}',
    '{{ S | length }} {{ S | hash("sha256") }}',
    '{% if S is string %}echo {{ S }} | passwd{% endif %}',
  ]

  test('never shows a secret, whatever a template makes of it', async () => {
    const secret = fc
      .string({ unit: 'grapheme-ascii', minLength: 8, maxLength: 24 })
      .filter((s) => /\S{4}/.test(s))
    await fc.assert(
      fc.asyncProperty(secret, fc.subarray(uses, { minLength: 1 }), async (planted, chosen) => {
        const lines = ['public line', ...chosen.map((use) => `in ${use} out`), 'last line']
        const template = `${lines.join('\n').replaceAll('S', 'root_pw')}\n`
        const { answers, call } = answersOf(template, { root_pw: planted })
        const { text: truth } = await answers.render(call)
        const text = await starred(template, { root_pw: planted })
        expect(text.startsWith('public line\n')).toBe(true)
        expect(text.endsWith('last line\n')).toBe(true)
        for (const word of wordsOf(planted, truth)) expect(text).not.toContain(word)
      }),
      { numRuns: runs(600) },
    )
  })

  test('of each shipped template', async () => {
    const plain = ['planted-Root-1', 'planted-User-2', 'planted-Wifi-3']
    const templates = shippedTemplates()
    const [rootPassword = '', password = '', other = ''] = plain
    for (const { guest, tree } of answerCases) {
      const template = guest.settings.template?.value ?? ''
      const said = (value: VarValue) => ({ value, from: 'test' })
      const vars = {
        ...guest.settings.vars,
        root_password: said(rootPassword),
        users: said([{ name: 'ann', password, sudo: true }]),
        luks_passphrase: said(other),
      }
      const planted = { ...guest, settings: { ...guest.settings, vars } }
      const snapshot = snapshotWith([planted], templates)
      const answers = new Answers({ renderer, facts: () => ({ tree, urls, token }) })
      const { text } = await answers.starred({ guest: planted, who, snapshot })
      for (const secret of [...plain, token, '$6$', '$y$'])
        expect([template, text]).not.toEqual([template, expect.stringContaining(secret)])
      expect(text.split('\n').filter((line) => line.includes('***')).length).toBeLessThan(
        text.split('\n').length / 3,
      )
    }
  })

  test('is all starred where another secret fails, and a message that says a secret is not shown', async () => {
    const vars = { code: 1, api_key: 'x17' }
    const strict = 'a\n{% if api_key != "x17" %}{{ nope }}{% endif %}\nb\n'
    expect(await starred(strict, vars)).toBe('***\n***\n')
    const failing = '{{ {}[api_key] | upper }}{{ ({"x": 1})[api_key] }}{{ api_key | int + nope }}'
    expect(await starred(failing, vars)).not.toContain('x17')
    expect(await starred('{{ nope }}', vars)).toContain('nope')
  })
})

/** The secret, and the words of the text that are made of it alone. */
function wordsOf(planted: string, truth: string): string[] {
  const base64 = Buffer.from(planted).toString('base64')
  const hash = /\$6\$saltsalt\$\S+/.exec(truth)?.[0]
  return [planted, base64, [...planted].reverse().join(''), ...(hash ? [hash] : [])]
}
