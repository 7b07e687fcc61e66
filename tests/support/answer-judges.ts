import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { TestRunner } from 'vitest'
import { findClient, requireClient } from './clients.ts'
import { autoinstallMistakes } from './subiquity.ts'

/** The programs and schemas by which answer files are judged. */

const run = promisify(execFile)

/** An answer file on the disk. */
export interface Written {
  readonly file: string
  /** The tree and the settings, for people. */
  readonly what: string
  /** The version of its syntax: `F40` of kickstart, `16.0` of Agama's profile. */
  readonly syntax: string
}

/** What the consumer of the files says against them; nothing when it takes them all. */
type Judge = (written: readonly Written[]) => Promise<string>

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

const filesOf = (written: readonly Written[]): string[] => written.map(({ file }) => file)

/**
 * A program or a schema that Debian has no package of, so CI cannot ask for it: an environment variable names its file.
 * Undefined where it is not set; a test that needs it calls `skipWithout`.
 */
export function named(variable: string): string | undefined {
  const file = process.env[variable]
  if (file !== undefined && !existsSync(file)) throw new Error(`${variable}: there is no ${file}`)
  return file
}

/** Skips the test: it needs what Debian has no package of. */
export function skipWithout(variable: string, what: string): void {
  TestRunner.getCurrentTest()?.context.skip(`Debian has no package of ${what}: ${variable} can name its file`)
}

/** pykickstart's validator: the one that KSVALIDATOR names, or that is in PATH. */
export function findKsvalidator(): string | undefined {
  return named('KSVALIDATOR') ?? findClient('ksvalidator')
}

async function kickstarts(written: readonly Written[]): Promise<string> {
  const ksvalidator = findKsvalidator()
  if (ksvalidator === undefined) {
    skipWithout('KSVALIDATOR', 'ksvalidator (pykickstart)')
    return ''
  }
  const found: string[] = []
  for (const syntax of new Set(written.map((each) => each.syntax))) {
    const args = ['-e', '-v', syntax]
    const files = written.filter((each) => each.syntax === syntax)
    // It takes several files, and does not say in which one an error is.
    if (await succeeds(ksvalidator, [...args, ...filesOf(files)])) continue
    for (const { file, what } of files)
      if (!(await succeeds(ksvalidator, [...args, file])))
        found.push(`${what}: ${await complaints(ksvalidator, [...args, file])}`)
  }
  return found.join('\n')
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

/**
 * Judges files by a JSON schema and those in its folder, to which it refers by their names. Of an autoinstall, which is
 * YAML, the part of that name.
 */
const jsonSchema = `
import glob, json, os, sys, warnings
warnings.simplefilter('ignore')
import jsonschema, yaml
read = {}
for path in glob.glob(os.path.join(os.path.dirname(sys.argv[1]), '*schema.json')):
    part = json.load(open(path))
    part.pop('$id', None)
    read['file:///' + os.path.basename(path)] = part
base = 'file:///' + os.path.basename(sys.argv[1])
kind = jsonschema.validators.validator_for(read[base])
judge = kind(read[base], resolver=jsonschema.RefResolver(base, read[base], store=read))
for name in sys.argv[2:]:
    whole = yaml.safe_load(open(name))
    for error in judge.iter_errors(whole.get('autoinstall', whole)):
        print(name, list(error.path), error.message[:300])
`

/** @param schema Path of the schema */
async function bySchema(schema: string, written: readonly Written[]): Promise<string> {
  requireClient('/usr/lib/python3/dist-packages/jsonschema/__init__.py')
  return complaints('/usr/bin/python3', ['-c', jsonSchema, schema, ...filesOf(written)])
}

async function autoinstalls(written: readonly Written[]): Promise<string> {
  const found: string[] = []
  for (const { file, what } of written)
    for (const mistake of autoinstallMistakes(await readFile(file, 'utf8'))) found.push(`${what}: ${mistake}`)
  const schema = named('SUBIQUITY_SCHEMA')
  if (schema !== undefined) found.push(await bySchema(schema, written))
  requireClient('cloud-init')
  found.push(await complaints('/usr/bin/python3', ['-c', cloudInitSchema, ...filesOf(written)]))
  return found.join('\n').trim()
}

async function autoyast(written: readonly Written[]): Promise<string> {
  const xmllint = requireClient('xmllint')
  const schema = named('AUTOYAST_SCHEMA')
  if (schema === undefined) {
    const text = await complaints(xmllint, ['--noout', ...filesOf(written)])
    if (text === '') skipWithout('AUTOYAST_SCHEMA', 'yast2-schema (profile.rng); all are well-formed')
    return text
  }
  const text = await complaints(xmllint, ['--noout', '--relaxng', schema, ...filesOf(written)])
  return text.replaceAll(/^.* validates$\n?/gm, '').trim()
}

/** Agama's schema of each version: AGAMA_SCHEMA_16_0 names that of 16.0. It refers to the files beside it. */
async function agama(written: readonly Written[]): Promise<string> {
  for (const { file } of written) JSON.parse(await readFile(file, 'utf8'))
  const found: string[] = []
  const missing: string[] = []
  for (const syntax of new Set(written.map((each) => each.syntax))) {
    const variable = `AGAMA_SCHEMA_${syntax.replace('.', '_')}`
    const schema = named(variable)
    if (schema === undefined) missing.push(variable)
    else
      found.push(
        await bySchema(
          schema,
          written.filter((each) => each.syntax === syntax),
        ),
      )
  }
  const text = found.join('\n').trim()
  if (text === '' && missing.length > 0)
    skipWithout(missing.join(' and '), "Agama's profile.schema.json; all are JSON")
  return text
}

/** By template. */
export const answerJudges: Readonly<Record<string, Judge>> = {
  'fedora.ks': kickstarts,
  'debian.preseed': async (written) =>
    complaints(requireClient('debconf-set-selections'), ['--checkonly', ...filesOf(written)]),
  'ubuntu.user-data': autoinstalls,
  'suse.autoyast.xml': autoyast,
  'suse.agama.json': agama,
}
