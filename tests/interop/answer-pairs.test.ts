import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Tree } from '../../server/core/tree/tree.ts'
import { noMachines } from '../../server/machines/no-machines.ts'
import { renderAnswerFile } from '../../server/namespace/answer-files.ts'
import { TemplateRenderer } from '../../server/templates/renderer.ts'
import { answerJudges, type Written } from '../support/answer-judges.ts'
import { type AnswerFamily, answerFamilies, type Combination, combinations } from '../support/answer-pairs.ts'
import { scriptsIn } from '../support/answer-scripts.ts'
import { guestWith, shippedTemplates, snapshotWith, urls } from '../support/answers.ts'
import { commitCount } from '../support/commit-count.ts'

/**
 * Every shipped template without a var, with each var alone and with all pairs of them, read by the programs that will
 * read it. Each commit tries another template; with EVERY_ANSWER=1, as in the nightly run, all.
 *
 * Debian has no package of pykickstart, and none of the schemas of AutoYaST, Agama and Subiquity: environment variables
 * name them (CONTRIBUTING.md). Subiquity is a snap; the rules of its schema are also in tests/support/subiquity.ts.
 */
const renderer = new TemplateRenderer()
const templates = shippedTemplates()
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'treeboot-pairs-'))
})
afterAll(async () => {
  await renderer.close()
  await rm(folder, { recursive: true })
})

interface Outcome {
  readonly written: readonly Written[]
  /** Files that a template made although it should have refused a value, the other way round, and broken scripts. */
  readonly wrong: readonly string[]
}

/** The text of a guest's answer file, or undefined when its template refuses a value. */
async function textOf(family: AnswerFamily, tree: Tree, { name, vars }: Combination) {
  const guest = guestWith(family.template, vars, name.includes('gateway') ? { ip: '10.0.0.7' } : {})
  const snapshot = snapshotWith([guest], templates)
  const facts = () => ({ tree, urls })
  const options = { snapshot: () => snapshot, renderer, machines: noMachines, facts }
  const asked = renderAnswerFile(options, guest, { protocol: 'internal', address: '::1' })
  return asked.then(
    ({ text }) => text,
    () => undefined,
  )
}

function brokenScripts(template: string, text: string): readonly string[] {
  return scriptsIn(template, text).flatMap((script) => {
    const { status, stderr } = spawnSync('sh', ['-n'], { input: script, encoding: 'utf8' })
    return status === 0 ? [] : [`sh -n: ${stderr}`]
  })
}

async function writeAll(family: AnswerFamily): Promise<Outcome> {
  const written: Written[] = []
  const wrong: string[] = []
  for (const { tree, syntax, refuses = [] } of family.trees)
    for (const each of combinations(family)) {
      const what = `${tree.id} ${tree.version}, ${each.name}`
      const text = await textOf(family, tree, each)
      const isRefused = refuses.some((name) => each.settings.includes(name))
      if ((text === undefined) !== isRefused) wrong.push(`${what}: ${isRefused ? 'was made' : 'was refused'}`)
      if (text === undefined) continue
      const file = join(folder, `${family.template}-${written.length}`)
      await writeFile(file, text)
      written.push({ file, what, syntax })
      wrong.push(...brokenScripts(family.template, text).map((why) => `${what}: ${why}`))
    }
  return { written, wrong }
}

const all = process.env.EVERY_ANSWER !== undefined
const chosen = answerFamilies.filter((_, at) => all || at === commitCount() % answerFamilies.length)

describe.each(chosen)('$template', (family) => {
  test('no var, each var and all pairs are read', { timeout: 1_200_000 }, async () => {
    const { written, wrong } = await writeAll(family)
    expect(wrong).toEqual([])
    const judge = answerJudges[family.template]
    if (!judge) throw new Error(`${family.template} has no consumer`)
    const text = await judge(written)
    const named = written.reduce((named, { file, what }) => named.replaceAll(`${file}:`, `${what}:`), text)
    expect(named).toBe('')
  })
})
