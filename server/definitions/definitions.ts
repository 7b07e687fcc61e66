import type { DefinitionKind } from '../config/definition-files.ts'
import type { YamlMapping } from '../config/yaml.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import type { LinesToDelete } from './extract-entry.ts'

/** What can be defined. */
export type Kind = DefinitionKind | 'template'

/** One guest, profile or mirror, as it is written, whether it is right or not. */
export interface Definition {
  readonly kind: Kind
  /** The name of the guest or profile, or the id of the mirror. */
  readonly name: string
  /** For people: `guests.d/web02.yaml`, or `config.yaml:21`. */
  readonly where: string
  /** As it is written, with comments; undefined in config.yaml, and where the file is no text. */
  readonly text?: string
  /** An entity tag (RFC 9110, 8.8.3): the SHA-256 of the bytes, in quotes. Undefined in config.yaml. */
  readonly etag?: string
  /** Undefined when the text cannot be read as a mapping. */
  readonly data?: YamlMapping
  /** Why it may not be changed here, in words. */
  readonly readOnly?: string
}

/** A change that was made, or that would be. */
export interface DefinitionChange {
  /** For people: `guests.d/web02.yaml`. */
  readonly where: string
  /** Undefined when there was no such definition. */
  readonly before?: string
  /** Undefined when it was removed. */
  readonly after?: string
  /** Of the text after the change. */
  readonly etag?: string
}

export interface ChangeOptions {
  /** The entity tag of what is to be changed. Undefined: there must be no such definition. */
  readonly expected?: string
  /** Check the change, and make none. */
  readonly dryRun?: boolean
  /** Called when nothing speaks against the change, before anything is written; not with `dryRun`. */
  readonly before?: () => Promise<void>
}

export interface RemoveOptions extends ChangeOptions {
  /** The definition of that kind that takes its place in all that name it. Default: nothing may name it. */
  readonly replaceBy?: string
}

/** A change that also changes other definitions. */
export interface SetChange extends DefinitionChange {
  /** In the order in which they are made. */
  readonly others: readonly DefinitionChange[]
}

/** A definition of config.yaml that has a file, too. */
export interface MovedDefinition extends DefinitionChange {
  /** What a person is to delete: until then config.yaml counts, and the file does not. */
  readonly toDelete: LinesToDelete & { readonly file: string }
}

/** Definitions that are to be made together. */
export interface AddAllOptions {
  /** Check them, and make none. */
  readonly dryRun?: boolean
  /** Make those that are right. Default: none when one of them is wrong. */
  readonly skipFaulty?: boolean
  /** Called with the names of what will be made, before anything is written. */
  readonly before?: (names: readonly string[]) => Promise<void>
}

export interface AddedDefinitions {
  /** Names of what was made, or would be. */
  readonly made: readonly string[]
  /** Name -> what is wrong with it, in the words of `treeboot check`. */
  readonly faulty: ReadonlyMap<string, readonly SnapshotProblem[]>
}

/**
 * Where definitions are. A change is checked with all other definitions before anything is written.
 *
 * Changes throw: `not-found`, when there is no such definition; `conflict`, when it is not the expected one;
 * `forbidden`, when it may not be changed here, with the reason; ConfigError (`invalid-data`), when the change would add an
 * error, in the words of `treeboot check`. A problem that was there before refuses nothing, as long as config.yaml
 * itself is right.
 */
export interface Definitions {
  /** In the order of config.yaml, then those of files by their names. */
  list(kind: DefinitionKind): Promise<readonly Definition[]>
  /** @throws Failure `not-found`. */
  read(kind: DefinitionKind, name: string): Promise<Definition>
  /** @param wanted The whole text; or the data, which changes as little of the present text as possible. */
  write(
    kind: DefinitionKind,
    name: string,
    wanted: string | YamlMapping,
    options: ChangeOptions,
  ): Promise<DefinitionChange>
  /**
   * Makes new definitions, which are checked as one set: all of them or none, or with `skipFaulty` those that are right.
   *
   * @throws Failure `conflict` when there is one of these names already.
   */
  addAll(
    kind: DefinitionKind,
    wanted: ReadonlyMap<string, YamlMapping>,
    options: AddAllOptions,
  ): Promise<AddedDefinitions>
  /** @throws InUse when others name it; with `replaceBy`, when they do so where no program may change it. */
  remove(kind: DefinitionKind, name: string, options: RemoveOptions): Promise<SetChange>
  /**
   * Gives a guest or a profile another name, with all that name it. The file gets the same text; one that ended in `.yml`
   * ends in `.yaml` then. What a killed process has left undone is made by the next change, or at the start of a server.
   *
   * @throws Failure `unsupported` for a mirror: its name is the id of its tree.
   */
  rename(kind: DefinitionKind, name: string, newName: string, options: ChangeOptions): Promise<SetChange>
  /**
   * Lets all guests and profiles that name a tree by its id name another one. What asks for a tree by its traits
   * stays as it is.
   *
   * @throws InUse when one of them is where no program may change it.
   */
  replaceTree(
    id: string,
    by: string,
    options: Pick<ChangeOptions, 'dryRun'>,
  ): Promise<readonly DefinitionChange[]>
  /**
   * Writes the file of a definition that stands in config.yaml, as it is written there. config.yaml stays as it is.
   *
   * @throws Failure `conflict` when it has a file already; `unsupported` when the entry cannot be taken out of its file.
   */
  move(kind: DefinitionKind, name: string, options: Pick<ChangeOptions, 'dryRun'>): Promise<MovedDefinition>
  /** Calls `listener` when a definition may have changed. Resolves to what ends that. */
  watch(listener: () => void): Promise<() => void>
}
