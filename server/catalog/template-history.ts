import { createHash } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Failure } from '../core/failure.ts'
import { makeFolder, writeAtomically } from '../host/atomic-write.ts'

/** One content that a template had in force. */
export interface TemplateVersion {
  /** Path below the templates folder. */
  readonly name: string
  /** SHA-256 of the text; null: the template was removed. */
  readonly digest: string | null
  readonly bytes: number
  /** When it came in force, in ms since 1970. */
  readonly atMs: number
  /** The account that wrote it by the API; absent where a person or a command changed the file. */
  readonly by?: string
}

export interface TemplateHistoryOptions {
  /** Milliseconds since 1970. */
  readonly clock?: () => number
  readonly onTrouble: (error: unknown) => void
}

/** Of each template so many contents are kept, the newest ones. */
const mostVersions = 100
/** And so many bytes of all templates together. Beyond that the oldest go. */
const mostBytes = 64 * 1024 * 1024
/** An author is remembered for what comes in force this soon after his change. */
const mostExpected = 1000

const version = z.object({
  name: z.string(),
  digest: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  bytes: z.number(),
  atMs: z.number(),
  by: z.string().optional(),
})
const index = z.object({ versions: z.array(version) })

const digestName = /^[0-9a-f]{64}$/

/**
 * What templates were in force, whoever changed them: a person with an editor, a `git pull`, a command, the API. Each content is kept
 * once, as a file that is named by its digest, beside an index. Only the server may read them: a template may have
 * secrets.
 */
export class TemplateHistory {
  readonly #options: TemplateHistoryOptions
  readonly #expected = new Map<string, string>()
  #folder: string | undefined
  #versions: readonly TemplateVersion[] = []
  #last: ReadonlyMap<string, string> | undefined
  #noting: Promise<void> = Promise.resolve()

  constructor(options: TemplateHistoryOptions) {
    this.#options = options
  }

  /** Reads what was kept. A damaged index is begun anew: the history is no state that anything depends on. */
  async open(dataFolder: string): Promise<void> {
    const folder = join(dataFolder, 'template-history')
    try {
      await makeFolder(folder)
      const text = await readFile(join(folder, 'index.json'), 'utf8').catch(() => '{"versions":[]}')
      this.#versions = index.safeParse(jsonIn(text)).data?.versions.map(withoutUndefined) ?? []
      this.#folder = folder
    } catch (error) {
      this.#options.onTrouble(error)
    }
  }

  /** Who wrote the text that comes in force next. */
  expect(text: string, by: string): void {
    if (this.#expected.size >= mostExpected) this.#expected.clear()
    this.#expected.set(digestOf(text), by)
  }

  /** Keeps what is in force now. Resolves when it is on the disk, or could not be kept. Never rejects. */
  note(texts: ReadonlyMap<string, string>): Promise<void> {
    if (texts === this.#last) return this.#noting
    this.#last = texts
    this.#noting = this.#noting.then(() => this.#keep(texts)).catch(this.#options.onTrouble)
    return this.#noting
  }

  /** Resolves when all is kept that was noted. */
  close(): Promise<void> {
    return this.#noting
  }

  /** The contents of a template, the newest first. */
  async of(name: string): Promise<readonly TemplateVersion[]> {
    await this.#noting
    return this.#versions.filter((each) => each.name === name).toReversed()
  }

  /** @throws Failure `not-found` for a content that this template never had, or that is not kept any more. */
  async textOf(name: string, digest: string): Promise<string> {
    const isKnown = digestName.test(digest) && (await this.of(name)).some((each) => each.digest === digest)
    if (!isKnown || this.#folder === undefined)
      throw new Failure('not-found', `template ${name} had no content ${digest.slice(0, 70)} that is kept`)
    return readFile(join(this.#folder, digest), 'utf8')
  }

  async #keep(texts: ReadonlyMap<string, string>): Promise<void> {
    const folder = this.#folder
    if (folder === undefined) return
    const latest = new Map(this.#versions.map((each) => [each.name, each.digest]))
    const atMs = (this.#options.clock ?? Date.now)()
    const added: TemplateVersion[] = []
    for (const [name, text] of texts) {
      const digest = digestOf(text)
      if (latest.get(name) === digest) continue
      const by = this.#expected.get(digest)
      this.#expected.delete(digest)
      await writeAtomically(join(folder, digest), text, { mode: 0o600 })
      const bytes = Buffer.byteLength(text)
      added.push({ name, digest, bytes, atMs, ...(by !== undefined && { by }) })
    }
    for (const [name, digest] of latest)
      if (digest !== null && !texts.has(name)) added.push({ name, digest: null, bytes: 0, atMs })
    if (added.length === 0) return
    const kept = withinBounds([...this.#versions, ...added])
    // The index after the contents that it names, and before those go that it names no more.
    await writeAtomically(join(folder, 'index.json'), JSON.stringify({ versions: kept }), { mode: 0o600 })
    this.#versions = kept
    await removeOthers(folder, new Set(kept.map(({ digest }) => digest)))
  }
}

/** The newest versions that may be kept. The newest one of each template always stays. */
function withinBounds(versions: readonly TemplateVersion[]): TemplateVersion[] {
  const counts = new Map<string, number>()
  const seen = new Set<string | null>()
  let bytes = 0
  const kept = versions.toReversed().filter((each) => {
    const count = (counts.get(each.name) ?? 0) + 1
    counts.set(each.name, count)
    const size = seen.has(each.digest) ? 0 : each.bytes
    const fits = count === 1 || (count <= mostVersions && bytes + size <= mostBytes)
    if (!fits) return false
    seen.add(each.digest)
    bytes += size
    return true
  })
  return kept.toReversed()
}

async function removeOthers(folder: string, named: ReadonlySet<string | null>): Promise<void> {
  for (const file of await readdir(folder))
    if (digestName.test(file) && !named.has(file)) await rm(join(folder, file), { force: true })
}

function withoutUndefined({ by, ...rest }: z.output<typeof version>): TemplateVersion {
  return { ...rest, ...(by !== undefined && { by }) }
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
