import { type Command, Option } from 'commander'
import type { DefinitionKind } from '../../config/definition-files.ts'
import { definitionKinds } from '../../config/definition-files.ts'
import { isMapping, readYaml, type YamlMapping, type YamlValue } from '../../config/yaml.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import type {
  ChangeOptions,
  DefinitionChange,
  Definitions,
  MovedDefinition,
} from '../../definitions/definitions.ts'
import {
  expectedOf,
  runChange as run,
  runChangeThere as runThere,
  type ShownChange,
} from '../definition-change.ts'
import { type CommonOptions, configOption, jsonOption } from '../options.ts'
import type { CliIo } from '../output/io.ts'
import type { ApiClient } from '../remote/client.ts'
import { changeAt, makeAt, moveAt, removeAt } from '../remote/definitions.ts'

export interface VerbOptions extends CommonOptions {
  readonly dryRun?: boolean
  readonly local?: boolean
}

const pairsHelp = `
KEY is a key of the definition, with dots for the keys below it: virt.memory=4096. VALUE is YAML: args='[quiet, text]',
profile=web. Without a VALUE ("virt.memory=") the key is removed. Comments and the order of the file stay.`

/** What is done for a new definition beside writing it. */
export interface AddHooks {
  /** Called before it is written, unless nothing is to change. */
  readonly before: (name: string, options: VerbOptions) => Promise<void>
  /** What the reply says of it. */
  readonly reply: (name: string, options: VerbOptions) => Promise<string>
  /** Makes it at a server, with what else is done for a new one. */
  readonly create: (
    server: ApiClient,
    name: string,
    data: YamlMapping,
    options: VerbOptions,
  ) => Promise<ShownChange>
}

/** Adds `add`, `set` and `rm` to the command of a kind. Returns `add`, for options that only this kind has. */
export function registerDefinitionVerbs(
  group: Command,
  kind: DefinitionKind,
  io: CliIo,
  hooks?: AddHooks,
): Command {
  const { folder } = definitionKinds[kind]
  const verb = (name: string, about: string) =>
    group
      .command(name)
      .description(about)
      .argument(`<${kind}>`, kind === 'mirror' ? 'the id of a tree' : `the name of a ${kind}`)
      .option('--dry-run', 'show what would change, and change nothing')
      .addOption(configOption())
      .addOption(jsonOption())
  const add = verb('add', `make a new ${kind}: writes ${folder}/<name>.yaml beside config.yaml`)
    .argument('[key=value...]', 'its settings')
    .addHelpText('after', pairsHelp)
    .action((name: string, pairs: string[], _: unknown, command: Command) =>
      addDefinition({ kind, name, pairs }, command, { io, hooks }),
    )
  verb('set', `change settings of a ${kind} in its file`)
    .argument('<key=value...>', 'the settings that change')
    .addHelpText('after', pairsHelp)
    .action(async (name: string, pairs: string[], _: unknown, command: Command) => {
      const isSet = await runThere(command, io, (server, { dryRun }) =>
        untilNoConflict(() =>
          changeAt(server, { kind, name, dryRun }, (present) => changedBy(present, pairs)),
        ),
      )
      if (isSet) return
      await run(command, io, (definitions, options) =>
        untilNoConflict(() => setPairs(definitions, { kind, name, pairs, options })),
      )
    })
  const remove = verb('rm', `remove the file of a ${kind}`).action(
    async (name: string, _: unknown, command: Command) => {
      const { replaceBy } = command.optsWithGlobals<ReplaceOption>()
      const isRemoved = await runThere(command, io, (server, { dryRun }) =>
        removeAt(server, { kind, name, dryRun }, replaceBy),
      )
      if (isRemoved) return
      await run(command, io, async (definitions, options) => {
        const expected = await expectedOf(definitions, kind, name)
        return definitions.remove(kind, name, { ...options, ...defined({ expected, replaceBy }) })
      })
    },
  )
  verb('move', `write the file of a ${kind} that stands in config.yaml`)
    .addOption(
      new Option('--to <folder>', 'where the file is written').choices([folder]).makeOptionMandatory(),
    )
    .action(async (name: string, _: unknown, command: Command) => {
      const next = (toDelete: ToDelete) => ({ text: deleteText(toDelete), data: { delete: toDelete } })
      const isMoved = await runThere(command, io, async (server, { dryRun }) => {
        const { made, toDelete } = await moveAt(server, { kind, name, dryRun })
        return { ...made, next: next(toDelete) }
      })
      if (isMoved) return
      await run(command, io, async (definitions, options) => {
        const { toDelete, ...made } = await definitions.move(kind, name, options)
        return { ...made, next: next(toDelete) }
      })
    })
  if (kind === 'profile')
    remove.option(
      '--replace-by <other>',
      'write another profile wherever this one is named; config.yaml is not changed, so it may not name it',
    )
  return add
}

async function addDefinition(
  { kind, name, pairs }: Omit<SetPairs, 'options'>,
  command: Command,
  { io, hooks }: { readonly io: CliIo; readonly hooks: AddHooks | undefined },
): Promise<void> {
  const data = changedBy({}, pairs)
  const given = command.optsWithGlobals<VerbOptions>()
  const isMade = await runThere(command, io, (server, { dryRun }) =>
    hooks ? hooks.create(server, name, data, given) : makeAt(server, { kind, name, dryRun }, data),
  )
  if (isMade) return
  await run(command, io, async (definitions, options) => {
    if (hooks) {
      // What is wrong is told before anything is done.
      await definitions.write(kind, name, data, { ...options, dryRun: true })
      if (!options.dryRun) await hooks.before(name, given)
    }
    const made = await definitions.write(kind, name, data, options)
    if (options.dryRun || !hooks) return made
    return { ...made, reply: await hooks.reply(name, given) }
  })
}

/** Without the texts where the definition has secrets, which a server does not show. */
type ToDelete = Omit<MovedDefinition['toDelete'], 'text' | 'becomes'> & {
  readonly text: string | null
  readonly becomes: string | null
}

function deleteText({ file, first, last, text, becomes }: ToDelete): string {
  const lines = first === last ? `line ${first}` : `lines ${first} to ${last}`
  const marked = (mark: string, part: string): string =>
    part
      .replace(/\n$/, '')
      .split('\n')
      .map((line) => `${mark}${line}\n`)
      .join('')
  const what = becomes === '' ? `delete ${lines}` : `change ${lines}`
  const begin = `until you ${what} of ${file}, they count and the file does not`
  if (text === null) return `${begin}\n`
  return `${begin}:\n${marked('-', text)}${becomes === null || becomes === '' ? '' : marked('+', becomes)}`
}

interface ReplaceOption {
  readonly replaceBy?: string
}

interface SetPairs {
  readonly kind: DefinitionKind
  readonly name: string
  readonly pairs: readonly string[]
  readonly options: ChangeOptions
}

/** How long a change of named keys is tried again, when others change the file at the same time. */
const triedForMs = 60_000

/** The keys are named: they can be set in what somebody else has written meanwhile, and nothing of it is lost. */
async function untilNoConflict<T>(change: () => Promise<T>): Promise<T> {
  const begun = performance.now()
  for (;;)
    try {
      return await change()
    } catch (error) {
      const isConflict = error instanceof Failure && error.kind === 'conflict'
      if (!isConflict || performance.now() - begun > triedForMs) throw error
    }
}

/** @throws Failure `conflict` when somebody else was quicker. */
async function setPairs(
  definitions: Definitions,
  { kind, name, pairs, options }: SetPairs,
): Promise<DefinitionChange> {
  const { data, etag, readOnly, where } = await definitions.read(kind, name)
  if (readOnly !== undefined) throw new Failure('forbidden', readOnly)
  if (!data) throw new Failure('invalid-data', `${where} cannot be read; correct it by hand`)
  return definitions.write(kind, name, changedBy(data, pairs), { ...options, ...defined({ expected: etag }) })
}

/** The data with the changes of `key=value` words; the data that is passed in stays as it is. */
export function changedBy(data: YamlMapping, pairs: readonly string[]): YamlMapping {
  const changed = structuredClone(data)
  for (const pair of pairs) {
    const [, key = '', written = ''] = /^([^=]+)=([\s\S]*)$/.exec(pair) ?? []
    const keys = key.split('.')
    if (keys.some((each) => each === '' || each === '__proto__'))
      throw new Failure('bad-request', `${pair}: expected key=value, such as profile=web`)
    requireMappings(changed, keys, pair)
    setAt(changed, keys, valueIn(pair, written))
  }
  return changed
}

/** What stands on the way to a key is never replaced: a list would be lost for one of its items. */
function requireMappings(data: YamlMapping, keys: readonly string[], pair: string): void {
  let here: YamlValue | undefined = data
  for (const [depth, key] of keys.slice(0, -1).entries()) {
    here = isMapping(here) && Object.hasOwn(here, key) ? here[key] : undefined
    if (here === undefined || here === null) return
    if (isMapping(here)) continue
    const above = keys.slice(0, depth + 1).join('.')
    const found = Array.isArray(here) ? 'a list' : 'one value'
    throw new Failure(
      'bad-request',
      `${pair}: ${above} is ${found}, without keys; set it as a whole: ${above}=...`,
    )
  }
}

/** Undefined: the key is to be removed. */
function valueIn(pair: string, written: string): YamlValue | undefined {
  if (written === '') return undefined
  const { value, faults } = readYaml(written)
  const [fault] = faults
  if (fault)
    throw new Failure(
      'bad-request',
      `${pair}: ${fault.message}; put a text with such characters in double quotes`,
    )
  return value
}

function setAt(data: YamlMapping, keys: readonly string[], value: YamlValue | undefined): void {
  const [key = '', ...below] = keys
  if (below.length === 0) {
    if (value === undefined) delete data[key]
    else data[key] = value
    return
  }
  const inner = Object.hasOwn(data, key) ? data[key] : undefined
  if (value === undefined && !isMapping(inner)) return
  const next: YamlMapping = isMapping(inner) ? inner : {}
  data[key] = next
  setAt(next, below, value)
  if (Object.keys(next).length === 0) delete data[key]
}
