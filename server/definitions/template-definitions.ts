import { dirname, resolve } from 'node:path'
import { loadConfigFile } from '../config/last-good.ts'
import { ConfigError } from '../config/problems.ts'
import { type ConfigPlace, defaultFileName } from '../config/texts.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { includesIn } from '../templates/includes.ts'
import type { ChangeOptions, Definition, RemoveOptions, SetChange } from './definitions.ts'
import { type Note, withDefinitionsLock } from './definitions-lock.ts'
import { type DefinitionUser, InUse } from './in-use.ts'
import { makeWithJournal } from './journal.ts'
import { requireNoNewError } from './new-errors.ts'
import { changedMeanwhile, digestOf } from './present.ts'
import { readDefinition } from './read-definition.ts'
import { ReadOnlyReasons, whyNotWritten, whyReadOnly } from './read-only.ts'
import { requireTemplateText, TemplateFolder } from './template-folder.ts'
import { keepReasons, reasonsFor, requireReason, type TemplateReason } from './template-reasons.ts'
import { changeOf, filesAfter, renamedReferences, stepOf, type TextChange } from './text-change.ts'
import { usersOf } from './users.ts'

/** Templates as they would be. */
export interface TemplatesChange {
  /** The texts of those that change; undefined for one that goes. */
  readonly texts: ReadonlyMap<string, string | undefined>
  /** Guests that had one template have another one. */
  readonly replaced?: { readonly from: string; readonly to: string }
}

/**
 * Finds the problems that a change adds to templates and guests, in the words of `treeboot check`. Rendering the answer
 * files of guests needs trees and a renderer, which are no business of this room: the caller hands it in.
 */
export type TemplateCheck = (change: TemplatesChange) => Promise<readonly SnapshotProblem[]>

export interface TemplateParts {
  readonly check: TemplateCheck
  /** Told when a change first finishes what an earlier one had to leave. */
  readonly note?: Note
}

export interface TemplateOptions extends ChangeOptions {
  /** Why the change is made in spite of the problems that it adds: one line, which is kept. */
  readonly reason?: string
}

/** A change of a template, with the problems that it adds in spite of which it is made. */
export interface TemplateSetChange extends SetChange {
  readonly problems: readonly SnapshotProblem[]
}

/**
 * Templates and snippets: the files of `paths.templates`, by their paths there. Guests and profiles name them, and so do
 * other templates. What names one by a computed name (`{% include name %}`) cannot be found.
 *
 * Changes throw as those of `Definitions` do. A change that adds a problem is refused with a ConfigError, unless a reason
 * is given.
 */
export class TemplateDefinitions {
  readonly #place: ConfigPlace
  readonly #path: string
  readonly #parts: TemplateParts

  constructor(place: ConfigPlace, parts: TemplateParts) {
    this.#place = place
    this.#path = resolve(place.cwd, place.file ?? defaultFileName)
    this.#parts = parts
  }

  /** By name. */
  async list(): Promise<readonly Definition[]> {
    return (await this.#folder()).list()
  }

  /** @throws Failure `not-found`. */
  async read(name: string): Promise<Definition> {
    const found = await (await this.#folder()).find(name)
    if (!found) throw new Failure('not-found', `there is no template ${name}`)
    return found
  }

  async write(name: string, text: string, options: TemplateOptions): Promise<TemplateSetChange> {
    requireTemplateText(text)
    return this.#changing(options, async (ground) => {
      const present = await this.#expected(ground.folder, name, options)
      const change = this.#change(ground.folder, name, { ...defined({ before: present?.text }), after: text })
      return this.#make([change], { ...ground, ...options, main: change, what: `template ${name} is saved` })
    })
  }

  async remove(name: string, options: RemoveOptions & TemplateOptions): Promise<TemplateSetChange> {
    return this.#changing(options, async (ground) => {
      const { folder } = ground
      const { text } = await this.#toChange(folder, name, options)
      const { replaceBy } = options
      if (replaceBy === name) throw new Failure('bad-request', `template ${name} cannot take its own place`)
      if (replaceBy !== undefined) await this.read(replaceBy)
      const users = await this.#users(folder, name)
      if (users.length > 0 && replaceBy === undefined)
        throw new InUse(
          `template ${name} is used by`,
          users,
          'change that first, or say what takes its place (--replace-by)',
        )
      const to = replaceBy ?? name
      const references = replaceBy === undefined ? [] : await this.#references(folder, name, to)
      const removal = this.#change(folder, name, { before: text })
      return this.#make([...references, removal], {
        ...ground,
        ...options,
        main: removal,
        ...(replaceBy !== undefined && { replaced: { from: name, to } }),
        what: `template ${name} is removed, and ${to} takes its place`,
        remedy: `treeboot templates rm ${name} --replace-by ${to}`,
      })
    })
  }

  /** Gives a template another name, with all that names it. It is not rendered: what it says stays the same. */
  async rename(name: string, newName: string, options: ChangeOptions): Promise<SetChange> {
    return this.#changing(options, async (ground) => {
      const { folder } = ground
      const { text } = await this.#toChange(folder, name, options)
      await this.#expected(folder, newName, {})
      const like = folder.fileOf(name).path
      const after = withIncluded(text, name, newName)
      const made = { ...this.#change(folder, newName, { after }), like }
      const references = await this.#references(folder, name, newName)
      const removal = this.#change(folder, name, { before: text })
      return this.#make([made, ...references, removal], {
        ...ground,
        ...options,
        main: made,
        isChecked: true,
        reasons: (kept) =>
          kept
            .filter((each) => each.name === name)
            .map((each) => ({ ...each, name: newName, sha256: digestOf(after) })),
        what: `template ${name} gets the name ${newName}`,
        remedy: `treeboot templates rm ${name} --replace-by ${newName}`,
      })
    })
  }

  async #folder(): Promise<TemplateFolder> {
    const { config } = await loadConfigFile(this.#place)
    return new TemplateFolder(config.paths.templates, this.#place.cwd)
  }

  async #changing<T>(
    { dryRun, reason }: TemplateOptions,
    change: (ground: Ground) => Promise<T>,
  ): Promise<T> {
    if (reason !== undefined) requireReason(reason)
    const run = async (dataFolder: string): Promise<T> => change({ dataFolder, folder: await this.#folder() })
    return dryRun ? run('') : withDefinitionsLock(this.#place, this.#parts.note ?? (() => undefined), run)
  }

  async #expected(
    folder: TemplateFolder,
    name: string,
    { expected }: ChangeOptions,
  ): Promise<Definition | undefined> {
    const present = await folder.find(name)
    if (!present) {
      if (expected !== undefined) throw new Failure('not-found', `there is no template ${name}`)
      await folder.requireNewName(name)
      return undefined
    }
    if (expected === undefined)
      throw new Failure('conflict', `template ${name} already exists (${present.where}); choose another name`)
    if (present.readOnly !== undefined) throw new Failure('forbidden', present.readOnly)
    if (present.etag !== expected) throw changedMeanwhile(present.where)
    if (present.text === undefined)
      throw new Failure('invalid-data', `${present.where} is no UTF-8 text; replace it by hand`)
    return present
  }

  async #toChange(
    folder: TemplateFolder,
    name: string,
    options: ChangeOptions,
  ): Promise<{ readonly text: string }> {
    const text = (await this.#expected(folder, name, options))?.text
    if (text === undefined) throw new Failure('not-found', `there is no template ${name}`)
    return { text }
  }

  #change(folder: TemplateFolder, name: string, texts: Pick<TextChange, 'before' | 'after'>): TextChange {
    const { path, where } = folder.fileOf(name)
    return { kind: 'template', name, path, where, ...texts }
  }

  async #users(folder: TemplateFolder, name: string): Promise<DefinitionUser[]> {
    const inTemplates = [...(await folder.texts())].flatMap(([other, text]): DefinitionUser[] => {
      const include = other === name ? undefined : includesIn(text).find((each) => each.name === name)
      return include
        ? [{ kind: 'template', name: other, where: `${folder.fileOf(other).where}:${include.line}` }]
        : []
    })
    return [...(await usersOf(this.#place, 'template', name)), ...inTemplates]
  }

  /** The changes by which all that names a template names another one. */
  async #references(folder: TemplateFolder, name: string, to: string): Promise<TextChange[]> {
    if (/['"\\]/.test(to))
      throw new Failure(
        'unsupported',
        `${to}: templates cannot include a name with quotes; choose another one`,
      )
    const base = dirname(this.#path)
    const users = await usersOf(this.#place, 'template', name)
    const reasons = new ReadOnlyReasons(base)
    const inFiles = await renamedReferences(users, { named: 'template', from: name, to }, (file) =>
      readDefinition(base, file, reasons),
    )
    const inTemplates = [...(await folder.texts())].flatMap(([other, before]) => {
      const after = other === name ? before : withIncluded(before, name, to)
      return after === before ? [] : [this.#change(folder, other, { before, after })]
    })
    return [...inTemplates, ...inFiles]
  }

  async #make(changes: readonly TextChange[], set: TemplateSet): Promise<TemplateSetChange> {
    const { main, dataFolder, folder, dryRun } = set
    for (const change of changes) await this.#mayWrite(folder, change)
    const inFiles = changes.filter(({ kind }) => kind !== 'template')
    if (inFiles.length > 0)
      await requireNoNewError(this.#place, new Set(inFiles.map(({ where }) => where)), filesAfter(inFiles))
    const problems = set.isChecked ? [] : await this.#problemsOf(changes, set)
    const others = changes.filter((change) => change !== main)
    const made = { ...changeOf(main), others: others.map(changeOf), problems }
    const isSame = changes.every(({ before, after }) => before === after)
    if (dryRun || isSame) return made
    await this.#keepReasons(set, problems.length > 0)
    const steps = changes.map((change) => stepOf(dirname(this.#path), change))
    const { what, remedy = '' } = set
    await makeWithJournal(dataFolder, { config: this.#path, what, remedy, steps })
    return made
  }

  async #mayWrite(folder: TemplateFolder, { kind, name, where }: TextChange): Promise<void> {
    const why =
      kind === 'template'
        ? await whyNotWritten(folder.fileOf(name))
        : await whyReadOnly(dirname(this.#path), where)
    if (why !== undefined) throw new Failure('forbidden', why)
  }

  /** @throws ConfigError with the problems, unless there is a reason to go on. */
  async #problemsOf(
    changes: readonly TextChange[],
    { reason, replaced }: TemplateSet,
  ): Promise<readonly SnapshotProblem[]> {
    const templates = changes.filter(({ kind }) => kind === 'template')
    const texts = new Map(templates.map(({ name, after }) => [name, after]))
    const problems = await this.#parts.check({ texts, ...defined({ replaced }) })
    if (problems.length > 0 && reason === undefined) throw new ConfigError(problems)
    return problems
  }

  async #keepReasons(set: TemplateSet, isNeeded: boolean): Promise<void> {
    const { dataFolder, folder, main, reason, replaced } = set
    const kept = await reasonsFor(dataFolder, () => folder.texts())
    const added = [...(set.reasons?.(kept) ?? [])]
    // What is removed has no text that a reason could be about: what takes its place has the problems.
    const name = replaced?.to ?? main.name
    const text = main.after ?? (await folder.find(name))?.text
    if (isNeeded && reason !== undefined && text !== undefined) {
      const saved = new Date().toISOString()
      added.push({ name, sha256: digestOf(text), reason: requireReason(reason), saved })
    }
    await keepReasons(dataFolder, [...kept, ...added])
  }
}

interface Ground {
  readonly dataFolder: string
  readonly folder: TemplateFolder
}

interface TemplateSet extends Ground, TemplateOptions {
  /** The change that was asked for; all others follow from it. */
  readonly main: TextChange
  readonly replaced?: TemplatesChange['replaced']
  /** Whether nothing that is rendered changes. */
  readonly isChecked?: boolean
  /** Reasons that are kept beside those that are there. */
  readonly reasons?: (kept: readonly TemplateReason[]) => readonly TemplateReason[]
  readonly what: string
  readonly remedy?: string
}

/** The source with another name in each tag that loads a template of this name. */
function withIncluded(source: string, name: string, to: string): string {
  return includesIn(source)
    .filter((each) => each.name === name)
    .reduceRight((text, { start, end }) => `${text.slice(0, start)}${to}${text.slice(end)}`, source)
}
