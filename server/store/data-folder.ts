import { spaceOf } from '../host/free-space.ts'
import { type AdminToken, loadAdminToken } from './admin-token.ts'
import { Ballast, ballastBytes, inSpiteOfFullDisk } from './ballast.ts'
import { lockDataFolder } from './one-server.ts'
import { type OpenedStore, openStore } from './sqlite/open.ts'

export interface DataFolderOptions {
  /** `paths.data` */
  readonly data: string
  /** `state.witness` */
  readonly witness: readonly string[]
  /** `limits.min-free`; the default is that of `spaceOf`. */
  readonly minFree?: number
  /** The configuration, for the message to a second server. */
  readonly file?: string
  readonly onTrouble: (where: string, error: unknown) => void
}

const lookEveryMs = 30_000
const MiB = 2 ** 20

/**
 * The data folder of a running server: no other server uses it, and its last space is kept for what machines report.
 */
export class DataFolder {
  readonly #options: DataFolderOptions
  readonly #ballast: Ballast
  #unlock: (() => Promise<void>) | undefined
  #timer: NodeJS.Timeout | undefined
  #tooFull: string | undefined

  constructor(options: DataFolderOptions) {
    this.#options = options
    this.#ballast = new Ballast(options.data)
  }

  /** @throws Failure `conflict` while another server uses the folder, and those of `loadAdminToken` and `openStore`. */
  async open(): Promise<{ readonly admin: AdminToken; readonly store: OpenedStore }> {
    const { data, witness, file, onTrouble } = this.#options
    this.#unlock = await inSpiteOfFullDisk(data, () => lockDataFolder(data, file))
    const admin = await inSpiteOfFullDisk(data, () => loadAdminToken(data))
    const store = await openStore({ data, witness, onTrouble: (error) => onTrouble('the witness', error) })
    await this.#look()
    this.#timer = setInterval(() => void this.#look(), lookEveryMs).unref()
    return { admin, store }
  }

  /** Why nothing large is written any more, for people; undefined while there is space. */
  whyTooFull(): string | undefined {
    return this.#tooFull
  }

  /** Call it when the store is closed. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#unlock?.()
    this.#unlock = undefined
  }

  /** Notes how full the disk is. The ballast is made anew when there is space for it again. */
  async #look(): Promise<void> {
    const { data, minFree, onTrouble } = this.#options
    try {
      const now = await spaceOf(data, minFree)
      const isThere = await this.#ballast.isThere()
      if (!isThere && (!now || now.free - ballastBytes >= now.kept)) await this.#ballast.keep()
      const before = this.#tooFull
      this.#tooFull = now && now.free < now.kept ? tooFull(data, now, isThere) : undefined
      if (this.#tooFull !== undefined && before === undefined) onTrouble('disk space', this.#tooFull)
    } catch (error) {
      onTrouble('disk space', error)
    }
  }
}

function tooFull(data: string, { free, kept }: { free: number; kept: number }, hasBallast: boolean): string {
  const reserve = hasBallast ? '' : ', and the reserve for what machines report is used up'
  return `the disk of ${data} has ${Math.floor(free / MiB)} MiB free, and limits.min-free is ${Math.ceil(kept / MiB)} MiB: imports, mirrors and uploads stop${reserve}; make room`
}
