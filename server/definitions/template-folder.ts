import { realpath } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { findTemplates } from '../config/find-templates.ts'
import { defined } from '../core/defined.ts'
import { Failure, failureKind } from '../core/failure.ts'
import { configurationLimits } from '../core/limits/configuration.ts'
import { isTemporaryFile } from '../core/tree/names.ts'
import { isInside } from '../host/paths.ts'
import { forEachAtOnce } from '../host/pool.ts'
import { readFileAtMost } from '../host/read-at-most.ts'
import type { Definition } from './definitions.ts'
import { etagOf } from './present.ts'
import { type FileToWrite, whyNotWritten } from './read-only.ts'
import { textOf } from './yaml-values.ts'

const { bytes: maxBytes, depth: maxDepth } = configurationLimits.templates
const mostCharacters = 200
const readAtOnce = 16

const nameText = `a path of letters, digits, dots, dashes and underscores below the templates folder, such as snippets/disk`

/** The templates and snippets of the folder `paths.templates`, as files. The name of one is its path there. */
export class TemplateFolder {
  readonly #folder: string
  readonly #shown: string

  /** @param cwd What messages name the folder from. */
  constructor(folder: string, cwd: string) {
    this.#folder = folder
    this.#shown = relative(cwd, folder) || '.'
  }

  async names(): Promise<readonly string[]> {
    const root = await realpath(this.#folder).catch(() => undefined)
    return root === undefined ? [] : findTemplates(root, () => undefined)
  }

  /** All that can be read as text, by name. */
  async texts(): Promise<ReadonlyMap<string, string>> {
    const found = (await this.list()).flatMap(({ name, text }): [string, string][] =>
      text === undefined ? [] : [[name, text]],
    )
    return new Map(found)
  }

  async list(): Promise<readonly Definition[]> {
    const found = new Map<string, Definition>()
    const names = await this.names()
    await forEachAtOnce(names, readAtOnce, async (name) => {
      const definition = await this.#read(name)
      if (definition) found.set(name, definition)
    })
    return names.flatMap((name) => found.get(name) ?? [])
  }

  /** Undefined when there is no such template. */
  async find(name: string): Promise<Definition | undefined> {
    return (await this.names()).includes(name) ? this.#read(name) : undefined
  }

  /** Where a template is, or would be. */
  fileOf(name: string): FileToWrite {
    return {
      path: join(this.#folder, name),
      where: join(this.#shown, name),
      folder: this.#folder,
      shownFolder: this.#shown,
    }
  }

  /**
   * @throws Failure `bad-request` for a name that no new template can have.
   * @throws Failure `forbidden` when a link leads its folder out of the folder of templates.
   */
  async requireNewName(name: string): Promise<void> {
    const parts = name.split('/')
    const isRight = (part: string): boolean =>
      /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(part) && !isTemporaryFile(part)
    if (name.length > mostCharacters || parts.length > maxDepth || !parts.every(isRight))
      throw new Failure('bad-request', `${name.slice(0, mostCharacters)}: expected ${nameText}`, {
        details: [{ field: 'name', found: name.slice(0, mostCharacters), expected: nameText }],
      })
    const root = await realpath(this.#folder).catch(() => undefined)
    if (root === undefined) return
    for (let above = dirname(join(root, name)); above !== root; above = dirname(above)) {
      const real = await realpath(above).catch(() => undefined)
      if (real !== undefined && !isInside(root, real))
        throw new Failure(
          'forbidden',
          `${this.fileOf(dirname(name)).where} leads out of the templates folder`,
        )
    }
  }

  async #read(name: string): Promise<Definition | undefined> {
    const { path, where } = this.fileOf(name)
    const readOnly = await whyNotWritten(this.fileOf(name))
    const about = { kind: 'template' as const, name, where, ...defined({ readOnly }) }
    try {
      const bytes = await readFileAtMost(path, maxBytes)
      if (!bytes) return { ...about, readOnly: `${where} has more than ${maxBytes} bytes` }
      const text = bytes.includes(0) ? undefined : textOf(bytes)
      return { ...about, etag: etagOf(bytes), ...defined({ text }) }
    } catch (error) {
      if (failureKind(error) === 'not-found') return undefined
      return { ...about, readOnly: `${where} cannot be read` }
    }
  }
}

/** @throws Failure for what no template is. */
export function requireTemplateText(text: string): void {
  if (Buffer.byteLength(text) > maxBytes)
    throw new Failure('too-large', `a template has at most ${maxBytes} bytes`)
  if (text.includes('\0')) throw new Failure('bad-request', 'a template is a text, without NUL bytes')
}
