/**
 * The states that people see, with a word and a colour for each: the one table of pages, commands and the description of
 * the API.
 *
 * Blue moves by itself, green is good, orange will erase, yellow wants a look, red needs a person, grey is at rest, and
 * purple was held back.
 */
export const stateColors = ['blue', 'green', 'orange', 'yellow', 'red', 'grey', 'purple'] as const
export type StateColor = (typeof stateColors)[number]

export interface ShownState {
  /** In tables; `--json` and the API have the id. */
  readonly word: string
  readonly color: StateColor
  /** What it says to somebody who meets it for the first time. */
  readonly says: string
}

export const states = {
  tree: {
    incoming: { word: 'incoming', color: 'blue', says: 'files are still arriving' },
    verifying: { word: 'verifying', color: 'blue', says: 'its digests are being checked' },
    ready: { word: 'ready', color: 'green', says: 'offered to machines' },
    broken: { word: 'broken', color: 'red', says: 'not offered; it says which file' },
    'not verified': { word: 'not verified', color: 'grey', says: 'a command did not check its digests' },
  },
  guest: {
    install: { word: 'will install', color: 'orange', says: 'its next network boot erases and installs' },
    installing: { word: 'installing', color: 'blue', says: 'its installer is at work' },
    installed: { word: 'installed', color: 'green', says: 'starts its own disk' },
    local: { word: 'local', color: 'grey', says: 'starts its own disk; never asked to install' },
    failed: { word: 'failed', color: 'red', says: 'its installer gave up; starts its own disk' },
    held: { word: 'held', color: 'purple', says: 'held for a reason; starts its own disk' },
  },
  boot: {
    running: { word: 'running', color: 'blue', says: 'something happens' },
    stalled: { word: 'stalled', color: 'yellow', says: 'quiet for longer than usual' },
    done: { word: 'done', color: 'green', says: 'installed, or sent to its own disk' },
    failed: { word: 'failed', color: 'red', says: 'it told us so' },
    gone: { word: 'gone', color: 'grey', says: 'went quiet before anything was installed' },
  },
  job: {
    waiting: { word: 'waiting', color: 'grey', says: 'others are before it' },
    running: { word: 'running', color: 'blue', says: 'at work' },
    paused: { word: 'paused', color: 'yellow', says: 'a person broke it off; it can be started again' },
    quarantined: { word: 'quarantined', color: 'purple', says: 'it arrived with faults, so nobody sees it' },
    done: { word: 'done', color: 'green', says: 'ended well' },
    failed: { word: 'failed', color: 'red', says: 'it says why' },
    cancelled: { word: 'cancelled', color: 'grey', says: 'a person gave it up' },
  },
  upload: {
    receiving: { word: 'receiving', color: 'blue', says: 'files are arriving' },
    verifying: { word: 'verifying', color: 'blue', says: 'its digests are being checked' },
    waiting: { word: 'waiting', color: 'grey', says: 'nothing arrives now' },
    refused: { word: 'refused', color: 'red', says: 'the last attempt to publish it failed' },
  },
} as const satisfies Record<string, Record<string, ShownState>>

export type StateKind = keyof typeof states

/** The state of that kind; undefined for one that a newer server may have. */
export function stateNamed(kind: StateKind, id: string): ShownState | undefined {
  const ofKind: Readonly<Record<string, ShownState>> = states[kind]
  return Object.hasOwn(ofKind, id) ? ofKind[id] : undefined
}
