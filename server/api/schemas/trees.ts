import { z } from 'zod'
import { bootTestResult } from './boot-tests.ts'
import { listOf, pageOf, text, time } from './common.ts'
import { others } from './definitions.ts'

const shownState = z
  .enum(['incoming', 'verifying', 'ready', 'broken', 'not verified'])
  .meta({ description: 'a server never shows `not verified`; a command does, with --no-verify' })

const origin = z.enum(['folder', 'iso'])

const names = {
  id: text.meta({ description: 'its path below trees/, which is also its place in URLs: /trees/<id>/' }),
  state: shownState,
  reasons: listOf(text).meta({ description: 'why it is broken or still incoming; empty when ready' }),
  family: text.meta({ description: 'as the descriptor spells it: AlmaLinux' }),
  version: text,
  variant: text,
  arch: text,
  era: text.meta({ description: 'the format of the descriptor' }),
  origin,
}

export const treeSummary = z
  .object({
    ...names,
    distro: text.meta({ description: 'the id of the distribution: alma' }),
    platforms: listOf(text),
    problems: z.int().meta({ description: 'how many mistakes were found in its descriptors' }),
  })
  .meta({ id: 'TreeSummary' })

export const treePage = pageOf(treeSummary, 'TreePage')

const relativePath = text.meta({ description: 'relative to the tree' })

const treeProblem = z.object({
  line: z.int().optional(),
  file: relativePath.optional(),
  message: text,
})

export const treeDetail = z
  .object({
    ...names,
    distro: text,
    release: z
      .object({ id: text, version: z.int() })
      .optional()
      .meta({ description: 'the version, for a tree that treeboot published' }),
    upstream: text
      .optional()
      .meta({ description: 'URL of the whole tree, when only its boot files are here' }),
    remedy: text.optional(),
    platforms: z.record(
      text,
      z.object({
        kernel: relativePath.optional(),
        initrd: relativePath.optional(),
        others: z.record(text, text),
      }),
    ),
    stage2: relativePath.optional(),
    instimage: relativePath.optional(),
    repositories: listOf(
      z.object({
        id: text,
        name: text,
        kind: z.enum(['variant', 'optional', 'addon', 'module', 'repository']),
        path: relativePath,
      }),
    ),
    hasPackages: z.boolean().optional(),
    missing: text.optional().meta({ description: 'the file that its installer needs and that is not there' }),
    checksums: z.record(text, text).meta({ description: '`sha256:<hex>` by path' }),
    sizes: z.record(text, z.int()).meta({ description: 'bytes by path' }),
    sha256: z.record(text, text).meta({ description: 'as the files are here; hex by path' }),
    timestamp: z.number().optional().meta({ description: 'seconds since 1970' }),
    disc: z.object({ number: z.int(), total: z.int() }).optional(),
    codename: text.optional(),
    modifiedMs: z.number(),
    netbootRemedy: text.optional(),
    problems: listOf(treeProblem),
  })
  .meta({ id: 'Tree' })

export const treeVersion = z
  .object({
    id: text.meta({
      description: 'what was published: the id of the tree, or the path above the trees of a mirror',
    }),
    version: z.int().meta({ description: 'counts up from 1' }),
    current: z.boolean().meta({ description: 'whether clients see this one' }),
    kind: origin,
    published: time,
    retired: time.nullable().meta({ description: 'when another version took its place' }),
    source: text.meta({ description: 'where it came from: a URL, a path, an upload' }),
    by: text.nullable(),
    files: z.int(),
    bytes: z.int(),
    accepted: z
      .object({ by: text, why: text, faults: listOf(text) })
      .nullable()
      .meta({ description: 'who published it in spite of faults, and why' }),
    signed: listOf(z.object({ document: text, key: text })).meta({
      description: 'the documents that a trusted key signed, with the fingerprint of that key',
    }),
    sha256: z
      .record(text, text)
      .meta({ description: 'of its boot images when it was published; hex by path' }),
    upstream: text
      .nullable()
      .meta({ description: 'where its packages are, when only its boot files are here' }),
    bootTest: listOf(bootTestResult)
      .nullable()
      .meta({ description: 'what machines showed before it was published; null when none was booted' }),
    needed: text.nullable().meta({ description: 'why it may not be removed now; null when it may' }),
  })
  .meta({ id: 'TreeVersion' })

export const treeVersionPage = pageOf(treeVersion, 'TreeVersionPage')

export const treeUser = z
  .object({
    kind: z.enum(['guest', 'profile', 'mirror']),
    name: text,
    how: z.enum(['id', 'traits', 'installing', 'mirror']).meta({
      description:
        '`id`: it names this tree. `traits`: it asks for traits, and this tree fits best. `installing`: its machine is being installed from it. `mirror`: it fetches this tree',
    }),
    where: text.meta({ description: 'where that is said: `guests.d/web02.yaml:3`, `config.yaml:21`' }),
  })
  .meta({ id: 'TreeUser' })

export const treeRemoval = z
  .object({
    id: text,
    removed: z.boolean().meta({ description: 'false with `dry-run`' }),
    version: z
      .int()
      .nullable()
      .meta({ description: 'the version that clients see no more; null when none was offered' }),
    users: listOf(treeUser).meta({ description: 'who used it and gets the other tree (`replace-by`)' }),
    others,
    deleted: listOf(z.object({ version: z.int(), files: z.int(), bytes: z.int() })).meta({
      description: 'the versions that go from the disk (`versions=all`); without it all of them stay',
    }),
  })
  .meta({ id: 'TreeRemoval' })

export const treeUserPage = pageOf(treeUser, 'TreeUserPage')

export const treeFile = z
  .object({
    path: relativePath,
    kind: z.enum(['file', 'folder', 'symlink']),
    bytes: z.int(),
    modified: time,
    sha256: text.nullable().meta({ description: 'as the file is here, where it is known; hex' }),
    expected: text.nullable().meta({ description: 'the digest that a descriptor names: `sha256:<hex>`' }),
    role: text.nullable().meta({ description: '`kernel`, `initrd`, `stage2`, `instimage`; null for others' }),
  })
  .meta({ id: 'TreeFile' })

export const treeFilePage = pageOf(treeFile, 'TreeFilePage')
