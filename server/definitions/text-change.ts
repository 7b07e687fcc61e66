import { join, resolve } from 'node:path'
import type { DefinitionFile } from '../config/definition-files.ts'
import type { FilesChange } from '../config/last-good.ts'
import { defined } from '../core/defined.ts'
import { Failure, failureMessage } from '../core/failure.ts'
import { forEachAtOnce } from '../host/pool.ts'
import { changeYaml } from './change-yaml.ts'
import type { Definition, DefinitionChange, Kind } from './definitions.ts'
import type { FileStep } from './file-set.ts'
import { InUse } from './in-use.ts'
import { digestOf, etagOf } from './present.ts'
import { type Named, type Reference, withReference } from './references.ts'

/** A change of one definition file, as text. */
export interface TextChange {
  readonly kind: Kind
  readonly name: string
  /** For people: `guests.d/web02.yaml`. */
  readonly where: string
  /** Absolute. Default: `where`, below the folder of config.yaml. */
  readonly path?: string
  /** Undefined: it is made. */
  readonly before?: string
  /** Undefined: it is removed. */
  readonly after?: string
  /** The file that a new one gets its owner and permissions from, as `where` or absolute. */
  readonly like?: string
}

/** What the definition files are after some changes, for a check. */
export function filesAfter(changes: readonly TextChange[]): FilesChange {
  const changed = new Set(changes.map(({ where }) => where))
  const files = changes.flatMap(({ kind, name, where, after }): DefinitionFile[] =>
    after === undefined || kind === 'template' ? [] : [{ kind, name, shownName: where, text: after }],
  )
  return (present) => [...present.filter(({ shownName }) => !changed.has(shownName)), ...files]
}

export function stepOf(base: string, { where, path, before, after, like }: TextChange): FileStep {
  return {
    path: path ?? join(base, where),
    where,
    before: before === undefined ? null : digestOf(before),
    after: after ?? null,
    ...defined({ like: like && resolve(base, like) }),
  }
}

export function changeOf({ where, before, after }: TextChange): DefinitionChange {
  return { where, ...defined({ before, after, etag: after === undefined ? undefined : etagOf(after) }) }
}

/** How many files are read at once. */
export const readAtOnce = 32

/** One name that takes the place of another. */
export interface NewName {
  readonly named: Named
  readonly from: string
  readonly to: string
}

/**
 * The changes by which all that names a definition names another one.
 *
 * @param read Reads the file of a definition as it is.
 * @throws InUse when a name stands where no program changes it: in config.yaml, or in a file that cannot be read.
 * @throws Failure when one of the files cannot be changed.
 */
export async function renamedReferences(
  users: readonly Reference[],
  name: NewName,
  read: (file: DefinitionFile) => Promise<Definition>,
): Promise<TextChange[]> {
  const fixed = users.filter(({ file }) => file === undefined)
  if (fixed.length > 0)
    throw new InUse(
      `${name.named} ${name.from} is named where only a person changes it:`,
      fixed,
      `write ${name.to} there first, or correct the file`,
    )
  const files = users.flatMap(({ file }) => file ?? [])
  const changes = new Map<DefinitionFile, TextChange>()
  await forEachAtOnce(files, readAtOnce, async (file) => {
    changes.set(file, renamedIn(await read(file), name))
  })
  return files.flatMap((file) => changes.get(file) ?? [])
}

function renamedIn({ kind, name, where, text, data, readOnly }: Definition, to: NewName): TextChange {
  if (readOnly !== undefined) throw new Failure('forbidden', readOnly)
  if (text === undefined || !data || kind === 'template')
    throw new Failure('invalid-data', `${where} cannot be read; correct it by hand`)
  try {
    return {
      kind,
      name,
      where,
      before: text,
      after: changeYaml(text, withReference(kind, data, to.named, to)),
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    throw new Failure(error.kind, `${where}: ${failureMessage(error)}`, { cause: error })
  }
}
