import { setImmediate as nextTurn } from 'node:timers/promises'
import { defined } from '../core/defined.ts'
import { allInherited, type Parents } from '../core/guest/inherit.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import type { DefinitionFile, definitionKinds } from './definition-files.ts'
import type { ConfigFile } from './file-schema.ts'
import { ConfigError, type ProblemList, problemLine } from './problems.ts'
import type { ConfigTexts } from './texts.ts'
import type { Layer } from './with-definitions.ts'

/**
 * A bad definition file harms itself alone. One that is wrong has its last good text instead; without such a text, or
 * where that no longer fits either, what it defines is refused. All others are in force as they are on the disk.
 *
 * Who is to blame is told by what changed: a file that was right before and has an error now did not make it.
 */

/** The texts of a configuration as they come into force, and what is wrong with the others. */
export interface Settled<Made> {
  readonly made: Made
  /** What is in force: of a kept file the last good text, of a refused one nothing. */
  readonly texts: ConfigTexts
  /** What is wrong with the files that are not in force as they are. */
  readonly problems: readonly SnapshotProblem[]
  /** How many definition files are not in force as they are. */
  readonly notInForce: number
}

/** A configuration made of some layers, right or wrong. */
export interface Attempt {
  readonly problems: ProblemList
  /** What was read; undefined when mistakes prevent that. */
  readonly file?: ConfigFile
}

export interface Ground {
  readonly texts: ConfigTexts
  readonly lastGood: ConfigTexts | undefined
}

/**
 * Each round refuses one file at least. Long chains (each of many guests takes over the MAC of the next, and the last
 * is wrong) end here: then every file that changed is taken as wrong.
 */
const mostRounds = 40

/** @throws ConfigError when config.yaml itself is wrong, with all problems. */
export async function settle<Made extends Attempt>(
  ground: Ground,
  make: (layers: readonly Layer[], isConfigChanged: boolean) => Made,
): Promise<Settled<Made>> {
  const settling = new Settling(ground)
  for (let round = 1; ; round++) {
    // Requests come in between: with 10,000 guests a round takes a good part of a second.
    await nextTurn()
    const made = make(settling.layers(), settling.isConfigChanged)
    const errors = made.problems.errorsByFile()
    if (errors.size === 0 && !settling.refuseEarly(made)) return { made, ...settling.outcome() }
    if (errors.has(undefined)) throw settling.refuseAll(made.problems)
    settling.beginRound(made)
    for (const [file, found] of errors) settling.blame(file ?? '', found, made.problems)
    if (round === mostRounds) settling.giveUpChanges()
  }
}

class Settling {
  readonly #ground: Ground
  readonly #lastGood: ReadonlyMap<string, DefinitionFile>
  readonly #layers = new Map<string, Layer>()
  /** The errors of each file that is not in force as it is. */
  readonly #told = new Map<string, SnapshotProblem[]>()
  readonly isConfigChanged: boolean
  readonly #demoted = new Set<string>()
  #read: ConfigFile | undefined
  #parents: Parents = new Map()
  /** Profile files that changed, or that are gone. */
  #suspects: readonly DefinitionFile[] = []

  constructor(ground: Ground) {
    const { texts, lastGood } = ground
    this.#ground = ground
    this.#lastGood = new Map(lastGood?.files.map((file) => [file.shownName, file]))
    this.isConfigChanged = lastGood === undefined || lastGood.text !== texts.text
    for (const file of texts.files) {
      const isChanged = file.text === undefined || file.text !== this.#lastGood.get(file.shownName)?.text
      this.#layers.set(file.shownName, { file, use: 'present', isChanged })
    }
  }

  layers(): readonly Layer[] {
    return [...this.#layers.values()]
  }

  refuseAll(problems: ProblemList): ConfigError {
    const lines = new Map<string, SnapshotProblem>()
    for (const problem of [...problems.of('error'), ...[...this.#told.values()].flat()])
      lines.set(problemLine(problem), problem)
    return new ConfigError([...lines.values()])
  }

  beginRound({ file }: Attempt): void {
    const profiles = file?.profiles ?? {}
    this.#demoted.clear()
    this.#read = file
    this.#parents = new Map(Object.entries(profiles).map(([name, { inherits = [] }]) => [name, inherits]))
    const isGone = ({ kind, name, shownName }: DefinitionFile) =>
      kind === 'profile' && !this.#layers.has(shownName) && !Object.hasOwn(profiles, name)
    this.#suspects = [
      ...this.layers()
        .filter(isNew)
        .map((layer) => layer.file),
      ...[...this.#lastGood.values()].filter(isGone),
    ].filter(({ kind }) => kind === 'profile')
  }

  blame(shownName: string, found: readonly SnapshotProblem[], problems: ProblemList): void {
    const layer = this.#layers.get(shownName)
    const culprits = layer?.use === 'present' && !layer.isChanged ? this.#culprits(layer.file) : [shownName]
    if (culprits.length === 0 && this.isConfigChanged) throw this.refuseAll(problems)
    for (const culprit of culprits.length > 0 ? culprits : [shownName]) this.#demote(culprit, found)
  }

  /** The profile files that changed or are gone, of those that a file that did not change inherits from. */
  #culprits({ kind, name }: DefinitionFile): string[] {
    if (kind === 'mirror' || this.#suspects.length === 0) return []
    const names = kind === 'profile' ? [name] : (this.#read?.guests?.[name]?.profile ?? [])
    const chain = allInherited(names, this.#parents)
    return this.#suspects.filter((file) => chain.has(file.name)).map((file) => file.shownName)
  }

  /** At most once in a round: the next one shows whether its last good text is right. */
  #demote(shownName: string, found: readonly SnapshotProblem[]): void {
    if (this.#demoted.has(shownName)) return
    this.#demoted.add(shownName)
    if (!this.#told.has(shownName)) this.#told.set(shownName, [...found])
    const layer = this.#layers.get(shownName)
    const lastGood = this.#lastGood.get(shownName)
    if (lastGood && (!layer || isNew(layer))) {
      this.#layers.set(shownName, { file: lastGood, use: 'kept', isChanged: false })
      return
    }
    const file = this.#ground.texts.files.find((each) => each.shownName === shownName) ?? layer?.file
    if (!file) return
    const [first] = this.#told.get(shownName) ?? []
    this.#layers.set(shownName, {
      // What could be read of a refused file was wrong as well: then nothing of it is read.
      file: layer?.use === 'refused' ? { ...file, text: undefined } : file,
      use: 'refused',
      isChanged: true,
      ...defined({ why: first && problemLine(first) }),
    })
  }

  /**
   * A guest that is new or changed may count on what is in the new text of its profile, such as the disks that an installer
   * keeps. It is not installed with the last good text of the profile alone: a changed guest stays as it was, too, and a new
   * one is refused, until the file of the profile is right. Returns whether there was one.
   */
  refuseEarly(made: Attempt): boolean {
    const kept = this.layers().filter(({ use, file }) => use === 'kept' && file.kind === 'profile')
    if (kept.length === 0) return false
    this.beginRound(made)
    for (const { file } of this.layers().filter(isNew)) {
      if (file.kind !== 'guest') continue
      const chain = allInherited(this.#read?.guests?.[file.name]?.profile ?? [], this.#parents)
      const profile = kept.find((layer) => chain.has(layer.file.name))?.file
      if (profile) this.#demote(file.shownName, [waitsFor(profile, file)])
    }
    return this.#demoted.size > 0
  }

  giveUpChanges(): void {
    for (const { file } of this.layers().filter(isNew)) {
      const message = 'it changed together with other files that contradict each other'
      this.#demote(file.shownName, [{ severity: 'error', where: `${file.shownName}:1:1`, message }])
    }
  }

  outcome(): Omit<Settled<never>, 'made'> {
    const layers = this.layers()
    const others = layers.filter(({ use }) => use !== 'present')
    const files = layers.filter(({ use }) => use !== 'refused').map(({ file }) => file)
    return {
      texts: { ...this.#ground.texts, files },
      notInForce: others.length,
      problems: others.flatMap((layer) => [
        this.#headOf(layer),
        ...(this.#told.get(layer.file.shownName) ?? []),
      ]),
    }
  }

  #headOf({ file, use }: Layer): SnapshotProblem {
    const { kind, name, shownName } = file
    const isThere = this.#ground.texts.files.some((each) => each.shownName === shownName)
    const remedy = 'correct what follows; it is read again when it is saved'
    if (!isThere) {
      const kept = use === 'kept' ? 'its last good text stays in force' : 'they are refused'
      const message = `${kind} ${name} has no file any more, and guests have it: ${kept}`
      return {
        severity: 'error',
        where: shownName,
        message,
        remedy: 'put the file back, or change what follows',
      }
    }
    const what = use === 'kept' ? 'its last good text stays in force' : refusedText[kind]
    return { severity: 'error', where: shownName, message: `${kind} ${name} cannot be used: ${what}`, remedy }
  }
}

/** No error: that is told at the file of the profile, and a guest may be written meanwhile. */
function waitsFor(profile: DefinitionFile, { shownName }: DefinitionFile): SnapshotProblem {
  const message = `its profile ${profile.name} is not in force as it stands in ${profile.shownName}`
  const remedy = `correct ${profile.shownName}; this guest waits for that`
  return { severity: 'warning', where: `${shownName}:1:1`, message, remedy }
}

function isNew({ use, isChanged }: Layer): boolean {
  return use === 'present' && isChanged
}

/** What it means that a definition is refused. */
const refusedText = {
  guest: 'this machine is not installed, and there is no last good text',
  profile: 'its guests are not installed, and there is no last good text',
  mirror: 'there is no such mirror, and no last good text',
} as const satisfies Record<keyof typeof definitionKinds, string>
