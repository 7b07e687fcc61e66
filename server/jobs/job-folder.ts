import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder, writeAtomically } from '../host/atomic-write.ts'
import { readFileAtMost } from '../host/read-at-most.ts'
import { type JobRecord, jobRecord } from './job.ts'

/** Lines and URLs of one job are bounded; no file of ours is longer. */
const mostBytes = 1024 * 1024

/** Jobs on the disk: a file for each, `data/jobs/12.json`, that is replaced when its state changes. */
export class JobFolder {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  /** All that can be read, oldest first, and the numbers of all that are there. */
  async read(): Promise<{ readonly records: readonly JobRecord[]; readonly highest: number }> {
    const names = await readdir(this.#path).catch(() => [])
    const numbers = names.flatMap((name) => {
      const [, number = ''] = /^([1-9]\d{0,14})\.json$/.exec(name) ?? []
      return number === '' ? [] : [Number(number)]
    })
    const records: JobRecord[] = []
    for (const number of numbers.sort((a, b) => a - b)) {
      const record = await this.#readOne(number)
      if (record?.number === number) records.push(record)
    }
    return { records, highest: numbers.at(-1) ?? 0 }
  }

  async #readOne(number: number): Promise<JobRecord | undefined> {
    try {
      const bytes = await readFileAtMost(this.#fileOf(number), mostBytes)
      return bytes && jobRecord.parse(JSON.parse(Buffer.from(bytes).toString()))
    } catch {
      // Damaged, or of another treeboot: what it did is done or not, and it is only not shown.
      return undefined
    }
  }

  async write(record: JobRecord): Promise<void> {
    await makeFolder(this.#path)
    await writeAtomically(this.#fileOf(record.number), `${JSON.stringify(record)}\n`)
  }

  remove(number: number): Promise<void> {
    return rm(this.#fileOf(number), { force: true })
  }

  #fileOf(number: number): string {
    return join(this.#path, `${number}.json`)
  }
}
