import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { noMachines } from '../../server/machines/no-machines.ts'
import { renderAnswerFile } from '../../server/namespace/answer-files.ts'
import { TemplateRenderer } from '../../server/templates/renderer.ts'
import { answerCases } from '../support/answer-cases.ts'
import { answerJudges } from '../support/answer-judges.ts'
import { shippedTemplates, snapshotWith, urls } from '../support/answers.ts'
import { unpackPackage } from '../support/lab/apt-package.ts'
import { labCache } from '../support/lab/lab.ts'

/**
 * The answer files that ship, read by the programs of those who will read them. A failing program fails the
 * test.
 */
const run = promisify(execFile)
const renderer = new TemplateRenderer()
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'treeboot-answers-'))
})
afterAll(async () => {
  await renderer.close()
  await rm(folder, { recursive: true })
})

type Case = (typeof answerCases)[number]

async function fileOf({ golden, guest, tree }: Case): Promise<string> {
  const snapshot = snapshotWith([guest], shippedTemplates())
  const options = { snapshot: () => snapshot, renderer, machines: noMachines, facts: () => ({ tree, urls }) }
  const { text } = await renderAnswerFile(options, guest, { protocol: 'internal', address: '::1' })
  const file = join(folder, golden)
  await writeFile(file, text)
  return file
}

const endingIn = (end: string): Case[] => answerCases.filter(({ golden }) => golden.endsWith(end))

test.each(answerCases)('$golden is read', async (each) => {
  const { golden, guest, syntax = '' } = each
  const judge = answerJudges[guest.settings.template?.value ?? '']
  expect(await judge?.([{ file: await fileOf(each), what: golden, syntax }])).toBe('')
})

describe('netplan', () => {
  // Only unpacked: its installation would bring a network service.
  const netplan = () => {
    const [program = '', library = ''] = ['netplan.io', 'libnetplan0'].map((name) =>
      unpackPackage(labCache, name),
    )
    const generate = join(program, 'usr/libexec/netplan/generate')
    return { generate, env: { ...process.env, LD_LIBRARY_PATH: join(library, 'usr/lib/x86_64-linux-gnu') } }
  }
  const cases = endingIn('.user-data').filter(({ guest }) => guest.settings.network !== undefined)
  test.each(cases)('$golden', async (each) => {
    mkdirSync(labCache, { recursive: true })
    const { generate, env } = netplan()
    const { autoinstall } = parse(readFileSync(await fileOf(each), 'utf8')) as {
      autoinstall: { network: object }
    }
    const root = join(folder, `${each.golden}.root`)
    mkdirSync(join(root, 'etc/netplan'), { recursive: true })
    const text = JSON.stringify({ network: autoinstall.network })
    writeFileSync(join(root, 'etc/netplan/00-installer.yaml'), text, { mode: 0o600 })
    const { stderr } = await run(generate, ['--root-dir', root], { env })
    expect(stderr).toBe('')
    const networkd = join(root, 'run/systemd/network')
    const made = readdirSync(networkd)
      .map((name) => readFileSync(join(networkd, name), 'utf8'))
      .join('\n')
    for (const { address = [] } of each.guest.settings.network?.interfaces?.value ?? [])
      for (const text of address.filter((word) => word.includes('/')))
        expect(made).toContain(`Address=${text}`)
    expect(made).toContain('Gateway=')
  })
})
