import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, TestRunner, test } from 'vitest'
import { noMachines } from '../../server/machines/machines.ts'
import { renderAnswerFile } from '../../server/namespace/answer-files.ts'
import { TemplateRenderer } from '../../server/templates/renderer.ts'
import { type AnswerFamily, answerFamilies, combinations } from '../support/answer-pairs.ts'
import { guestWith, shippedTemplates, snapshotWith, urls } from '../support/answers.ts'
import { findClient, requireClient } from '../support/clients.ts'
import { commitCount } from '../support/commit-count.ts'
import { autoinstallMistakes } from '../support/subiquity.ts'

/**
 * Every shipped template without a var, with each var alone and with all pairs of them, read by the programs
 * that will read it. Each commit tries another template; with EVERY_ANSWER=1, as in the nightly run, all.
 *
 * These consumers are missing. AutoYaST: its RELAX NG schema is made by SUSE's yast2-schema, which Debian does
 * not have; so its profiles are tried for being well-formed. Agama has its own JSON profiles, and no template of
 * ours writes them. Subiquity is a snap; the rules of its schema are in tests/support/subiquity.ts.
 */
const run = promisify(execFile)
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

interface Written {
  readonly file: string
  readonly what: string
  readonly syntax: string
}

async function writeAll(family: AnswerFamily): Promise<readonly Written[]> {
  const written: Written[] = []
  for (const { tree, syntax, without = '-' } of family.trees)
    for (const { name, vars } of combinations(family)) {
      if (name.includes(without)) continue
      const guest = guestWith(family.template, vars, name.includes('gateway') ? { ip: '10.0.0.7' } : {})
      const snapshot = snapshotWith([guest], templates)
      const facts = () => ({ tree, urls })
      const options = { snapshot: () => snapshot, renderer, machines: noMachines, facts }
      const { text } = await renderAnswerFile(options, guest, { protocol: 'internal', address: '::1' })
      const file = join(folder, `${written.length}-${family.template}`)
      await writeFile(file, text)
      written.push({ file, what: `${tree.id}, ${name}`, syntax })
    }
  return written
}

/** What a program prints that reads several files at once; a line of it names its file. */
async function complaints(program: string, args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run(program, args, { maxBuffer: 2 ** 26 }).catch((error: unknown) => {
    if (error instanceof Error && 'stderr' in error && 'stdout' in error)
      return { stdout: String(error.stdout), stderr: String(error.stderr) || error.message }
    throw error
  })
  return `${stdout}${stderr}`.trim()
}

async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  return run(program, args, { maxBuffer: 2 ** 26 }).then(
    () => true,
    () => false,
  )
}

/** One start of Python for all files: `cloud-init schema` takes half a second for each. */
const cloudInitSchema = `
import sys, yaml
from cloudinit.config.schema import get_schema, validate_cloudconfig_schema
schema = get_schema()
for name in sys.argv[1:]:
    whole = yaml.safe_load(open(name))
    try:
        validate_cloudconfig_schema(whole['autoinstall']['user-data'], schema, strict=True)
    except Exception as error:
        print(name, error)
`

type Judge = (written: readonly Written[]) => Promise<string>

const judges: Readonly<Record<string, Judge>> = {
  'fedora.ks': async (written) => {
    // Debian has no package of it, so CI cannot ask for it: it is used where someone put it in PATH.
    const ksvalidator = findClient('ksvalidator')
    if (ksvalidator === undefined) {
      TestRunner.getCurrentTest()?.context.skip(
        'ksvalidator (pykickstart) is not installed, and Debian has no package',
      )
      return ''
    }
    const found: string[] = []
    for (const syntax of new Set(written.map((each) => each.syntax))) {
      const files = written.filter((each) => each.syntax === syntax)
      // It takes several files, and does not say in which one an error is.
      if (await succeeds(ksvalidator, ['-e', '-v', syntax, ...files.map(({ file }) => file)])) continue
      for (const { file, what } of files)
        if (!(await succeeds(ksvalidator, ['-e', '-v', syntax, file])))
          found.push(`${what}: ${await complaints(ksvalidator, ['-e', '-v', syntax, file])}`)
    }
    return found.join('\n')
  },
  'debian.preseed': async (written) =>
    complaints(requireClient('debconf-set-selections'), ['--checkonly', ...written.map(({ file }) => file)]),
  'ubuntu.user-data': async (written) => {
    const found: string[] = []
    for (const { file, what } of written)
      for (const mistake of autoinstallMistakes(await readFile(file, 'utf8')))
        found.push(`${what}: ${mistake}`)
    expect(found).toEqual([])
    requireClient('cloud-init')
    return complaints('/usr/bin/python3', ['-c', cloudInitSchema, ...written.map(({ file }) => file)])
  },
  'suse.autoyast.xml': async (written) =>
    complaints(requireClient('xmllint'), ['--noout', ...written.map(({ file }) => file)]),
}

const all = process.env.EVERY_ANSWER !== undefined
const chosen = answerFamilies.filter((_, at) => all || at === commitCount() % answerFamilies.length)

test.each(chosen)(
  '$template: no var, each var and all pairs are read',
  { timeout: 1_200_000 },
  async (family) => {
    const written = await writeAll(family)
    const judge = judges[family.template]
    if (!judge) throw new Error(`${family.template} has no consumer`)
    const text = await judge(written)
    const named = written.reduce((named, { file, what }) => named.replaceAll(file, `${what}: ${file}`), text)
    expect(named).toBe('')
  },
)
