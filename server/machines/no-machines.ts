import type { BootMachines } from './boot-machines.ts'

/** Machines without a past, for commands: every guest is new, and every client sees the newest versions. */
export const noMachines: BootMachines = {
  fresh: async () => {},
  stateOf: () => undefined,
  whyNotWritable: () => undefined,
  versionFor: (_who, { version }) => version,
  versionsOf: () => new Map(),
  uuidOf: () => undefined,
  shownByDhcp: () => ({}),
  reportToken: () => undefined,
  claimAnswerFile: async () => {},
}
