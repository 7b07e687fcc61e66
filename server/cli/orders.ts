import { timeText } from '../api/views.ts'
import type { Snapshot } from '../catalog/snapshot.ts'
import { nextState } from '../core/guest/next-state.ts'
import { type GuestState, newState } from '../core/guest/state.ts'
import { heldByDoubt } from '../machines/guest-records.ts'
import type { Order } from '../machines/history.ts'
import type { Store } from '../store/store.ts'
import { nextInstallation } from './answers.ts'
import { endDoubtIfOver, guestNamed, openGuestStore } from './guest-store.ts'
import { type CommonOptions, readSnapshot, withoutVerify } from './options.ts'
import type { CliIo } from './output/io.ts'
import { sortedBy } from './output/table.ts'
import type { ApiClient } from './remote/client.ts'
import { serverOf } from './remote/connect.ts'
import { nextText } from './remote/next-boot.ts'

/** What the operator can order. */
export type OrderName = 'install' | 'take-back' | 'local' | 'hold'

/** A guest after an order. */
export interface OrderedGuest {
  readonly name: string
  /** `since` is null for a guest to which nothing has ever happened. */
  readonly before: { readonly state: string; readonly since: string | null }
  /** `install` is the number of its installation. */
  readonly after: { readonly state: string; readonly install: number }
  /** What its next network boot does when it is to be installed, as the end of a sentence. */
  readonly next: () => Promise<{ readonly installs: boolean; readonly text: string }>
}

/** Orders to guests: in the store of this machine, or at a server. */
export interface Orders {
  /** @throws Failure `not-found` for a name that no guest has. */
  check(names: readonly string[]): Promise<void>
  /** The names of all guests. */
  all(): Promise<readonly string[]>
  /** Of those that are held because the store is new or old. */
  held(): Promise<readonly string[]>
  give(order: OrderName, name: string): Promise<OrderedGuest>
  /** Called after the last order. */
  end(): Promise<void>
}

export async function withOrders(
  options: CommonOptions,
  io: CliIo,
  use: (orders: Orders) => Promise<void>,
): Promise<void> {
  const server = await serverOf(options, io)
  if (server) return use(ordersAt(server))
  // An order does not wait for digests, which may take long: the server has mostly computed them.
  const snapshot = await readSnapshot(withoutVerify(options), io)
  let opened: Store | undefined
  // Not before a name was found: a mistyped one makes no store.
  const open = async (): Promise<Store> => {
    opened ??= await openGuestStore(snapshot, io)
    return opened
  }
  try {
    await use(ordersHere(snapshot, open, io))
  } finally {
    await opened?.close()
  }
}

const orders: Readonly<Record<OrderName, Order>> = {
  install: { type: 'install-once' },
  'take-back': { type: 'take-back' },
  local: { type: 'local' },
  hold: { type: 'hold', reason: 'by the operator' },
}

function ordersHere(snapshot: Snapshot, open: () => Promise<Store>, io: CliIo): Orders {
  const { guests } = snapshot
  return {
    async check(names) {
      for (const name of names) guestNamed(snapshot, name)
    },
    all: async () => sortedBy(guests.all, ({ name }) => name).map(({ name }) => name),
    held: async () => heldByDoubt(await (await open()).states(), guests).sort(),
    async give(order, name) {
      const guest = guestNamed(snapshot, name)
      const { before, after } = await change(await open(), name, orders[order])
      return {
        name,
        before: { state: before.state, since: before.sinceMs === 0 ? null : timeText(before.sinceMs) },
        after: { state: after.state, install: after.install },
        next: () => nextInstallation(guest, { snapshot, io }),
      }
    },
    end: async () => endDoubtIfOver(await open(), guests),
  }
}

async function change(
  store: Store,
  name: string,
  order: Order,
): Promise<{ before: GuestState; after: GuestState }> {
  let before = newState
  const after = await store.change(
    name,
    (stored) => {
      before = stored ?? newState
      return nextState(stored, order, Date.now())
    },
    { durableFirst: true },
  )
  return { before, after: after ?? before }
}

const operations = {
  install: 'installGuest',
  'take-back': 'takeBackInstallation',
  local: 'keepGuestLocal',
  hold: 'holdGuest',
} as const satisfies Record<OrderName, string>

/** So many guests are asked for one by one. */
const mostAsked = 20

function ordersAt(server: ApiClient): Orders {
  const found = new Map<string, OrderedGuest['before']>()
  return {
    async check(names) {
      const missing = names.filter((name) => !found.has(name))
      if (missing.length > mostAsked)
        for (const { name, state, since } of await server.all('listGuests', {}))
          found.set(name, { state, since })
      for (const name of missing.filter((each) => !found.has(each))) {
        const { state, since } = await server.call('getGuest', { params: { name } })
        found.set(name, { state, since })
      }
    },
    all: async () => (await server.all('listGuests', {})).map(({ name }) => name),
    async held() {
      const held = await server.all('listGuests', { query: { state: 'held' } })
      return held.flatMap(({ name, hold }) => (hold === 'new store' || hold === 'old store' ? [name] : []))
    },
    async give(order, name) {
      const after = await server.call(operations[order], { params: { name } })
      return {
        name,
        before: found.get(name) ?? { state: 'install', since: null },
        after: { state: after.state, install: after.install },
        next: async () => nextText(after),
      }
    },
    // The server does it with each order.
    end: async () => undefined,
  }
}
