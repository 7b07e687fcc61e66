import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { addAccount, audited, type Deed } from '../core/access/account-changes.ts'
import type { Actor } from '../core/access/audit.ts'
import type { AccessRecords, SetupLink } from '../core/access/records.ts'
import { Failure } from '../core/failure.ts'
import { writeAtomically } from '../host/atomic-write.ts'
import type { AccountStore } from '../store/accounts.ts'
import { Ages, type Clock } from './clock.ts'
import { hashOf, isSameHash, newSecret } from './secrets.ts'

/** How long a link is good after somebody looked at it. */
const linkLivesMs = 60 * 60_000

const hint = '"treeboot accounts setup-link" on the server makes another'

export interface SetupLinkOptions {
  /** The URL of the server, by which a browser reaches it. */
  readonly base: string
  /** It is shown on a terminal: its hour begins, and no file is written. */
  readonly shown?: boolean
}

export interface MadeSetupLink {
  /** `http://boot.example:8080/setup#SECRET`. What stands after `#` is sent to no server, and so is in no log. */
  readonly link: string
  /** The file that has it; undefined for one that is shown. */
  readonly file?: string
}

export interface SetupLinkParts {
  readonly store: AccountStore
  readonly clock: Clock
  /** `paths.data` */
  readonly dataFolder: string
}

/** The link by which the first administrator makes his account. There is one at most, and it is used once. */
export class SetupLinks {
  readonly #parts: SetupLinkParts
  readonly #ages: Ages

  constructor(parts: SetupLinkParts) {
    this.#parts = parts
    this.#ages = new Ages(parts.clock)
  }

  get file(): string {
    return join(this.#parts.dataFolder, 'setup-link')
  }

  /** Makes a link. The one before is worth nothing any more. */
  async make({ base, shown = false }: SetupLinkOptions, by: Actor): Promise<MadeSetupLink> {
    const { store, clock } = this.#parts
    const secret = newSecret()
    const link = `${base.replace(/\/+$/, '')}/setup#${secret}`
    const nowMs = clock.now()
    const made: SetupLink = { hash: hashOf(secret), madeMs: nowMs, ...(shown && { begunMs: nowMs }) }
    if (shown) await rm(this.file, { force: true })
    await store.change(() => [
      { kind: 'setup-link', link: made },
      audited({ by, nowMs }, { action: 'setup-link.make', target: shown ? 'terminal' : 'file' }),
    ])
    if (shown) return { link }
    await writeAtomically(this.file, `${link}\n`, { mode: 0o600 })
    return { link, file: this.file }
  }

  /** False when there was none. */
  async revoke(by: Actor): Promise<boolean> {
    const { store, clock } = this.#parts
    let found = false
    await store.change(({ setupLink }) => {
      found = setupLink !== undefined
      if (!found) return []
      const done = { action: 'setup-link.revoke', target: '' }
      return [{ kind: 'setup-link', link: undefined }, audited({ by, nowMs: clock.now() }, done)]
    })
    await rm(this.file, { force: true })
    return found
  }

  /** Whether a link is good now. */
  async isOpen(): Promise<boolean> {
    return this.#isGood((await this.#parts.store.current()).setupLink)
  }

  /** Somebody asked for `/setup`: the hour of a link that was not looked at begins. Later looks change nothing. */
  async firstLook(): Promise<void> {
    const { store, clock } = this.#parts
    const isNew = ({ setupLink }: AccessRecords): boolean =>
      setupLink !== undefined && setupLink.begunMs === undefined
    if (!isNew(await store.current())) return
    await store.change((records) => {
      const { setupLink } = records
      if (!setupLink || !isNew(records)) return []
      return [{ kind: 'setup-link', link: { ...setupLink, begunMs: clock.now() } }]
    })
  }

  /** Removes the file of a link that the first admin has ended, or of one that was used. */
  async tidy({ setupLink }: AccessRecords): Promise<void> {
    if (!setupLink) await rm(this.file, { force: true })
  }

  /** @throws Failure `forbidden` unless it is the secret of a link that is good now. */
  async require(secret: string): Promise<void> {
    this.#requireIn(await this.#parts.store.current(), secret)
  }

  /** Makes an admin, and ends the link. */
  async use(
    secret: string,
    account: { readonly name: string; readonly password: string },
    deed: Deed,
  ): Promise<void> {
    await this.#parts.store.change((records) => {
      this.#requireIn(records, secret)
      return [
        ...addAccount(records, deed, { ...account, role: 'admin' }),
        { kind: 'setup-link', link: undefined },
        audited(deed, { action: 'setup-link.use', target: account.name }),
      ]
    })
    await rm(this.file, { force: true })
  }

  #requireIn({ setupLink }: AccessRecords, secret: string): void {
    if (!setupLink || !isSameHash(setupLink.hash, hashOf(secret)))
      throw new Failure('forbidden', `this setup link is not good, or was used already; ${hint}`, {
        forClient: true,
      })
    if (this.#isGood(setupLink)) return
    throw new Failure('forbidden', `the hour of this setup link is over; ${hint}`, { forClient: true })
  }

  #isGood(link: SetupLink | undefined): boolean {
    if (!link) return false
    return link.begunMs === undefined || this.#ages.age(link.hash, link.begunMs) < linkLivesMs
  }
}
