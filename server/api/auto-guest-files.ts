import type { Accounts } from '../accounts/accounts.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { type ConfigPlace, configBase } from '../config/texts.ts'
import { autoGuestText } from '../definitions/add-guest.ts'
import type { Definitions } from '../definitions/definitions.ts'
import { whyReadOnly } from '../definitions/read-only.ts'
import type { AutoGuestsOptions } from '../machines/auto-guests.ts'

export interface AutoGuestFilesParts {
  readonly place: ConfigPlace
  readonly definitions: Pick<Definitions, 'write'>
  readonly catalog: Pick<Catalog, 'readConfig' | 'refusedConfig' | 'filesNotInForce'>
  readonly accounts: Pick<Accounts, 'audit'>
  /** Gets a line for the log. */
  readonly note: (text: string) => void
}

/** Who the audit names for a guest that a profile made. */
const itself = { account: 'treeboot itself', from: 'auto: install' } as const

/** How the guests that profiles make get their files: as those that an operator makes by the API. */
export function autoGuestFiles({
  place,
  definitions,
  catalog,
  accounts,
  note,
}: AutoGuestFilesParts): Pick<AutoGuestsOptions, 'whyNotInForce' | 'whyReadOnly' | 'make'> {
  return {
    whyNotInForce() {
      if (catalog.refusedConfig) return catalog.refusedConfig.summary
      const files = catalog.filesNotInForce
      return files === 0 ? undefined : `${files} files of definitions have errors, or are not read yet`
    },
    whyReadOnly: (name) => whyReadOnly(configBase(place), `guests.d/${name}.yaml`),
    async make(made, before) {
      const { guest, profile, by, definition } = made
      await definitions.write('guest', guest.name, autoGuestText(made, new Date()), { before })
      await catalog.readConfig()
      note(`${guest.name} is a guest now and will be installed: profile ${profile} selects it by ${by}`)
      await accounts.audit.write(itself, { action: 'guests.create', target: guest.name, after: definition })
    },
  }
}
