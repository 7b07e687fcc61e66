import { dirname, join, resolve } from 'node:path'
import {
  type DefinitionFile,
  type DefinitionKind,
  definitionKinds,
  readDefinitionFiles,
} from '../config/definition-files.ts'
import { loadConfigFile } from '../config/last-good.ts'
import { type ConfigPlace, defaultFileName, readConfigText, readConfigTexts } from '../config/texts.ts'
import type { YamlMapping } from '../config/yaml.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import { forEachAtOnce } from '../host/pool.ts'
import { stageFiles } from '../host/stage-files.ts'
import { changeYaml } from './change-yaml.ts'
import type {
  AddAllOptions,
  AddedDefinitions,
  ChangeOptions,
  Definition,
  DefinitionChange,
  Definitions,
  MovedDefinition,
  RemoveOptions,
  SetChange,
} from './definitions.ts'
import { type Note, withDefinitionsLock } from './definitions-lock.ts'
import { extractEntry } from './extract-entry.ts'
import { makeSet } from './file-set.ts'
import { InUse } from './in-use.ts'
import { makeWithJournal } from './journal.ts'
import { requireNoNewError } from './new-errors.ts'
import { newFiles, rightOf } from './new-files.ts'
import { changedMeanwhile, entriesOf, etagOf, requireName } from './present.ts'
import { readDefinition } from './read-definition.ts'
import { ReadOnlyReasons } from './read-only.ts'
import type { Reference } from './references.ts'
import {
  changeOf,
  filesAfter,
  readAtOnce,
  renamedReferences,
  stepOf,
  type TextChange,
} from './text-change.ts'
import { usersOf } from './users.ts'
import { watchPlace } from './watch-place.ts'

/** Definitions in config.yaml and in the files beside it. Only the files are ever written. */
export class FolderDefinitions implements Definitions {
  readonly #place: ConfigPlace
  readonly #path: string
  readonly #base: string
  readonly #note: Note

  /** @param note Told when a change first finishes what an earlier one had to leave. */
  constructor(place: ConfigPlace, note: Note = () => undefined) {
    this.#place = place
    this.#note = note
    this.#path = resolve(place.cwd, place.file ?? defaultFileName)
    this.#base = dirname(this.#path)
  }

  async list(kind: DefinitionKind): Promise<readonly Definition[]> {
    const { shownName, text } = await readConfigText(this.#place)
    const inConfig = entriesOf(kind, shownName, text)
    const own = new Set(inConfig.map(({ name }) => name))
    const files = (await readDefinitionFiles(this.#path, { kind })).filter(({ name }) => !own.has(name))
    return [...inConfig, ...(await Promise.all(files.map((file) => readDefinition(this.#base, file))))]
  }

  async read(kind: DefinitionKind, name: string): Promise<Definition> {
    const found = await this.#find(kind, name)
    if (!found) throw new Failure('not-found', `there is no ${kind} ${name}`)
    return found
  }

  write(
    kind: DefinitionKind,
    name: string,
    wanted: string | YamlMapping,
    options: ChangeOptions,
  ): Promise<DefinitionChange> {
    return this.#locked(options, async () => {
      const present = await this.#expected(kind, name, options)
      const before = present?.text
      const text = typeof wanted === 'string' ? wanted : changeYaml(before ?? '', wanted)
      const where = present?.where ?? `${definitionKinds[kind].folder}/${name}.yaml`
      await this.#mayWrite(where)
      await requireNoNewError(this.#place, new Set([where]), (files) => [
        ...files.filter(({ shownName }) => shownName !== where),
        { kind, name, shownName: where, text },
      ])
      if (options.dryRun || text === before)
        return { where, ...defined({ before }), after: text, etag: etagOf(text) }
      await options.before?.()
      await this.#put({ kind, name, where, ...defined({ before }), after: text })
      return { where, ...defined({ before }), after: text, etag: etagOf(text) }
    })
  }

  addAll(
    kind: DefinitionKind,
    wanted: ReadonlyMap<string, YamlMapping>,
    options: AddAllOptions,
  ): Promise<AddedDefinitions> {
    return this.#locked(options, async (dataFolder) => {
      const { folder } = definitionKinds[kind]
      const { shownName, text, files } = await readConfigTexts(this.#place)
      const own = files.filter((file) => file.kind === kind)
      const present = new Set([...entriesOf(kind, shownName, text), ...own].map(({ name }) => name))
      for (const name of wanted.keys()) {
        requireName(kind, name)
        if (present.has(name))
          throw new Failure('conflict', `${kind} ${name} already exists; choose another name`)
      }
      await this.#mayWrite(`${folder}/new.yaml`)
      const add = (added: readonly DefinitionFile[]) =>
        loadConfigFile(this.#place, (now) => [...now, ...added])
      const { right, faulty } = await rightOf(newFiles(kind, wanted), add)
      const made = faulty.size > 0 && !options.skipFaulty ? [] : right
      if (options.dryRun || made.length === 0) return { made: made.map(({ name }) => name), faulty }
      await options.before?.(made.map(({ name }) => name))
      await this.#createAll(folder, made, dataFolder)
      return { made: made.map(({ name }) => name), faulty }
    })
  }

  remove(kind: DefinitionKind, name: string, options: RemoveOptions): Promise<SetChange> {
    const { replaceBy } = options
    return this.#locked(options, async (dataFolder) => {
      const present = await this.#toChange(kind, name, options)
      if (replaceBy === name) throw new Failure('bad-request', `${kind} ${name} cannot take its own place`)
      if (replaceBy !== undefined) await this.read(kind, replaceBy)
      const users = await this.#usersOf(present)
      if (users.length > 0 && replaceBy === undefined)
        throw new InUse(
          `${kind} ${name} is used by`,
          users,
          `change that first, or say what takes its place (--replace-by)`,
        )
      const references = await this.#references(users, { kind, from: name, to: replaceBy ?? '' })
      const removal: TextChange = { kind, name, where: present.where, before: present.text }
      await this.#makeSet([...references, removal], {
        ...options,
        dataFolder,
        what: `${kind} ${name} is removed, and ${replaceBy} takes its place`,
        remedy: `make it again: treeboot ${kind}s rm ${name} --replace-by ${replaceBy}`,
      })
      return { ...changeOf(removal), others: references.map(changeOf) }
    })
  }

  rename(kind: DefinitionKind, name: string, newName: string, options: ChangeOptions): Promise<SetChange> {
    if (kind === 'mirror')
      throw new Failure(
        'unsupported',
        'the name of a mirror is the id of its tree; make a new one for another tree',
      )
    return this.#locked(options, async (dataFolder) => {
      const present = await this.#toChange(kind, name, options)
      await this.#expected(kind, newName, {})
      const { where: oldWhere, text } = present
      const where = `${definitionKinds[kind].folder}/${newName}.yaml`
      const users = await this.#usersOf(present)
      const made: TextChange = { kind, name: newName, where, after: text, like: oldWhere }
      const references = await this.#references(users, { kind, from: name, to: newName })
      const removal: TextChange = { kind, name, where: oldWhere, before: text }
      await this.#makeSet([made, ...references, removal], {
        ...options,
        dataFolder,
        what: `${kind} ${name} gets the name ${newName}`,
        remedy: `make it whole: treeboot ${kind}s rm ${name} --replace-by ${newName}`,
      })
      return { ...changeOf(made), others: [...references, removal].map(changeOf) }
    })
  }

  replaceTree(
    id: string,
    by: string,
    options: Pick<ChangeOptions, 'dryRun'>,
  ): Promise<readonly DefinitionChange[]> {
    return this.#locked(options, async (dataFolder) => {
      const users = await usersOf(this.#place, 'tree', id)
      const name = { named: 'tree', from: id, to: by } as const
      const changes = await renamedReferences(users, name, this.#reader())
      const what = `tree ${by} takes the place of ${id}`
      if (changes.length > 0)
        await this.#makeSet(changes, { ...options, dataFolder, what, remedy: `say it again: ${what}` })
      return changes.map(changeOf)
    })
  }

  move(kind: DefinitionKind, name: string, options: Pick<ChangeOptions, 'dryRun'>): Promise<MovedDefinition> {
    return this.#locked(options, async () => {
      requireName(kind, name)
      const { shownName, text = '', files } = await readConfigTexts(this.#place)
      const own = files.find((file) => file.kind === kind && file.name === name)
      if (own) throw new Failure('conflict', `${kind} ${name} has a file already: ${own.shownName}`)
      const { section, folder } = definitionKinds[kind]
      const entry = extractEntry(text, section, name)
      const made: TextChange = { kind, name, where: `${folder}/${name}.yaml`, after: entry.text }
      await this.#mayWrite(made.where)
      await requireNoNewError(this.#place, new Set([made.where]), filesAfter([made]))
      if (!options.dryRun) await this.#put(made)
      return { ...changeOf(made), toDelete: { file: shownName, ...entry.lines } }
    })
  }

  watch(listener: () => void): Promise<() => void> {
    return watchPlace(this.#place, listener)
  }

  async #find(kind: DefinitionKind, name: string): Promise<Definition | undefined> {
    const { shownName, text } = await readConfigText(this.#place)
    const inConfig = entriesOf(kind, shownName, text).find((entry) => entry.name === name)
    if (inConfig) return inConfig
    const files = await readDefinitionFiles(this.#path, { kind, name })
    const [first, second] = files
    if (first && second) {
      const message = `${kind} ${name} is defined in ${first.shownName} and in ${second.shownName}; remove one of the two`
      return { ...(await readDefinition(this.#base, first)), readOnly: message }
    }
    return first && readDefinition(this.#base, first)
  }

  /** What is there and may be changed, with its text. */
  async #toChange(
    kind: DefinitionKind,
    name: string,
    options: ChangeOptions,
  ): Promise<Definition & { readonly text: string }> {
    const present = await this.#expected(kind, name, options)
    if (present?.text === undefined) throw new Failure('not-found', `there is no ${kind} ${name}`)
    return { ...present, text: present.text }
  }

  #references(
    users: readonly Reference[],
    { kind, from, to }: { readonly kind: DefinitionKind; readonly from: string; readonly to: string },
  ): Promise<TextChange[]> {
    // Nothing names a guest or a mirror.
    if (kind !== 'profile') return Promise.resolve([])
    return renamedReferences(users, { named: kind, from, to }, this.#reader())
  }

  /** Reads many files. */
  #reader(): (file: DefinitionFile) => Promise<Definition> {
    const reasons = new ReadOnlyReasons(this.#base)
    return (file) => readDefinition(this.#base, file, reasons)
  }

  /** Checks a set of changes and makes it. */
  async #makeSet(changes: readonly TextChange[], set: SetToMake): Promise<void> {
    const { dataFolder, what, remedy, dryRun, before } = set
    const reasons = new ReadOnlyReasons(this.#base)
    await forEachAtOnce(changes, readAtOnce, ({ where }) => this.#mayWrite(where, reasons))
    const changing = new Set(changes.map(({ where }) => where))
    await requireNoNewError(this.#place, changing, filesAfter(changes))
    if (dryRun) return
    await before?.()
    const steps = changes.map((change) => stepOf(this.#base, change))
    await makeWithJournal(dataFolder, { config: this.#path, what, remedy, steps })
  }

  /** They are written aside first, so that they get their names within a moment, and all of them after a kill. */
  async #createAll(folder: string, files: readonly DefinitionFile[], dataFolder: string): Promise<void> {
    const contents = files.map(({ name, text: content = '' }) => ({ name: `${name}.yaml`, content }))
    const stage = await stageFiles(join(this.#base, folder), contents)
    try {
      await makeWithJournal(dataFolder, {
        config: this.#path,
        what: `${files.length} new files in ${folder}`,
        remedy: 'import them again',
        steps: contents.map(({ name, content }) => ({
          path: join(this.#base, folder, name),
          where: `${folder}/${name}`,
          before: null,
          after: content,
          staged: stage.pathOf(name),
        })),
      })
    } finally {
      await stage.remove()
    }
  }

  /** Who names a definition, beside itself. */
  async #usersOf({ kind, name, where }: Definition): Promise<Reference[]> {
    if (kind !== 'profile') return []
    const all = await usersOf(this.#place, kind, name)
    return all.filter(({ file }) => file?.shownName !== where)
  }

  /** What is there, when it is what the caller expects and may be changed. */
  async #expected(
    kind: DefinitionKind,
    name: string,
    { expected }: ChangeOptions,
  ): Promise<Definition | undefined> {
    requireName(kind, name)
    const present = await this.#find(kind, name)
    if (!present) {
      if (expected === undefined) return undefined
      throw new Failure('not-found', `there is no ${kind} ${name}`)
    }
    if (expected === undefined)
      throw new Failure('conflict', `${kind} ${name} already exists (${present.where}); choose another name`)
    if (present.readOnly !== undefined) throw new Failure('forbidden', present.readOnly)
    if (present.etag !== expected || present.text === undefined) throw changedMeanwhile(present.where)
    return present
  }

  async #mayWrite(where: string, reasons = new ReadOnlyReasons(this.#base)): Promise<void> {
    const why = await reasons.of(where)
    if (why !== undefined) throw new Failure('forbidden', why)
  }

  async #put(change: TextChange): Promise<void> {
    if (await makeSet([stepOf(this.#base, change)])) throw changedMeanwhile(change.where)
  }

  #locked<T>(
    { dryRun }: Pick<ChangeOptions, 'dryRun'>,
    change: (dataFolder: string) => Promise<T>,
  ): Promise<T> {
    return dryRun ? change('') : withDefinitionsLock(this.#place, this.#note, change)
  }
}

interface SetToMake extends Pick<ChangeOptions, 'dryRun' | 'before'> {
  readonly dataFolder: string
  readonly what: string
  readonly remedy: string
}
