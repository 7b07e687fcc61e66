import { KiB, type Limit, MiB } from './limit.ts'

const from = 'operator'

/** What the operator writes. It may come from a repository that many people write to. */
export const configurationLimits = {
  /** A file with 100,000 guests has some 20 MB. */
  configuration: {
    what: '`config.yaml`',
    from,
    bytes: 64 * MiB,
    beyond: 'an error of the configuration; the one before stays in force',
  },
  definitionFile: {
    what: 'file in `guests.d`, `profiles.d` or `mirrors.d`',
    from,
    bytes: MiB,
    beyond: 'an error; its last good text stays in force, and without one the definition is refused',
  },
  /**
   * A few dozen lines of nested aliases could add billions of nodes. config.yaml needs six levels, and a few more in
   * vars.
   */
  yaml: {
    what: 'YAML: values that aliases add, and lists and mappings in one another',
    from,
    entries: 100_000,
    depth: 100,
    beyond: 'an error of the configuration; the one before stays in force',
  },
  /** 10,000 reservations of Kea with all their keys have some 3 MB. */
  guestsToImport: {
    what: 'file for `treeboot guests import`: entries, and blocks in one another',
    from,
    bytes: 16 * MiB,
    entries: 100_000,
    depth: 100,
    beyond: 'the command ends, and nothing is written',
  },
  keyFile: {
    what: 'file of OpenPGP keys',
    from,
    bytes: 16 * MiB,
    beyond: 'the file is refused',
  },
  secretFile: {
    what: 'file of `access.oidc.client-secret-file`',
    from,
    bytes: 64 * KiB,
    beyond: 'an error of the configuration; the one before stays in force',
  },
  /** The longest real kickstart that we know of has 150 kB. */
  templates: {
    what: 'templates: files and folders, and folders in one another',
    from,
    bytes: MiB,
    entries: 5000,
    depth: 16,
    beyond: 'a problem; what is beyond is left out, and the others are read',
  },
  /** They are all in the server's memory, and again in the template engine's, which has 64 MiB. The shipped ones have 0.1. */
  allTemplates: {
    what: 'all templates together',
    from,
    bytes: 16 * MiB,
    beyond: 'a problem; those whose names come first are kept',
  },
  rendering: {
    what: 'rendering of a template: its output. Its memory has 64 MiB at most',
    from,
    bytes: 16 * MiB,
    ms: 3000,
    beyond: '500, and the worker is replaced',
  },
} as const satisfies Record<string, Limit>
