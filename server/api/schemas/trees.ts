import { z } from 'zod'
import { listOf, pageOf, text } from './common.ts'

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
