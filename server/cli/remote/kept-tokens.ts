import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Failure } from '../../core/failure.ts'
import { writeAtomically } from '../../host/atomic-write.ts'
import { readAtMost } from '../../host/read-at-most.ts'
import type { CliIo } from '../output/io.ts'

/** A token that `treeboot login` has made. */
export interface KeptToken {
  readonly token: string
  readonly account: string
  /** The name of the token at the server. */
  readonly name: string
}

const form = z.record(z.string(), z.object({ token: z.string(), account: z.string(), name: z.string() }))
type Kept = z.infer<typeof form>

/** Some thousand servers. */
const mostBytes = 1024 * 1024

/** The tokens of this user, by the URL of their server. They are in one file, which nobody else may read. */
export class KeptTokens {
  readonly #io: Pick<CliIo, 'configFolder'>

  constructor(io: Pick<CliIo, 'configFolder'>) {
    this.#io = io
  }

  async of(url: string): Promise<(KeptToken & { readonly file: string }) | undefined> {
    const file = await this.#file()
    const found = file === undefined ? undefined : (await readKept(file))[url]
    return found && file !== undefined ? { ...found, file } : undefined
  }

  /** The URLs of all servers that have one. */
  async servers(): Promise<readonly string[]> {
    const file = await this.#file()
    return file === undefined ? [] : Object.keys(await readKept(file))
  }

  /**
   * Where tokens can be kept.
   *
   * @throws Failure `bad-request` when there is no such place.
   */
  async place(): Promise<string> {
    const file = await this.#file()
    if (file !== undefined) return file
    throw new Failure(
      'bad-request',
      'there is no folder of yours to keep a token in: HOME is not set, or is the folder of another user; set TREEBOOT_TOKEN instead',
    )
  }

  /** @returns The file. */
  async keep(url: string, token: KeptToken): Promise<string> {
    const file = await this.place()
    await mkdir(join(file, '..'), { recursive: true, mode: 0o700 })
    await write(file, { ...(await readKept(file)), [url]: token })
    return file
  }

  async forget(url: string): Promise<void> {
    const file = await this.place()
    const { [url]: _, ...others } = await readKept(file)
    await write(file, others)
  }

  async #file(): Promise<string | undefined> {
    const folder = await this.#io.configFolder?.()
    return folder === undefined ? undefined : join(folder, 'tokens.json')
  }
}

function write(file: string, kept: Kept): Promise<void> {
  return writeAtomically(file, `${JSON.stringify(kept, undefined, 2)}\n`, { mode: 0o600 })
}

async function readKept(file: string): Promise<Kept> {
  const stats = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (!stats) return {}
  if ((stats.mode & 0o077) !== 0)
    throw new Failure('forbidden', `${file} has tokens and can be read by others: chmod 600 ${file}`)
  const text = (await readAtMost(file, mostBytes))?.toString('utf8') ?? ''
  const { data } = form.safeParse(jsonIn(text))
  if (data) return data
  throw new Failure('invalid-data', `${file} is damaged: remove it, and sign in again with treeboot login`)
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
