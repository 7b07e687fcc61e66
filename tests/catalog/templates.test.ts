import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { LiveTemplates, watchTemplates } from '../../server/catalog/live-templates.ts'
import { readTemplates } from '../../server/catalog/templates.ts'
import { findTemplates } from '../../server/config/find-templates.ts'
import { configurationLimits } from '../../server/core/limits/configuration.ts'
import { eventually } from '../support/eventually.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

test('templates and snippets are read with their paths; hidden files and those of editors are not', async () => {
  const folder = temporaryFolder()
  writeBelow(folder, 'fedora.ks', 'text\n')
  writeBelow(folder, 'snippets/users.ks', 'rootpw\n')
  for (const name of ['.git/config', 'fedora.ks~', '.fedora.ks.swp']) writeBelow(folder, name, 'no')
  const { texts, problems } = await readTemplates(folder)
  expect([...texts]).toEqual([
    ['fedora.ks', 'text\n'],
    ['snippets/users.ks', 'rootpw\n'],
  ])
  expect(problems).toEqual([])
})

test('a file that is not text is left out and becomes a problem', async () => {
  const folder = temporaryFolder()
  writeBelow(folder, 'binary', Buffer.from([1, 0, 2]))
  writeBelow(folder, 'latin1', Buffer.from([0x66, 0xfc, 0x72]))
  writeBelow(folder, 'large', 'x'.repeat((1 << 20) + 1))
  const { texts, problems } = await readTemplates(folder)
  expect([...texts]).toEqual([])
  expect(problems.map(({ where, message }) => [where.slice(folder.length + 1), message])).toEqual([
    ['binary', 'is not a text file'],
    ['large', 'has more than 1048576 bytes'],
    ['latin1', 'is not UTF-8 text'],
  ])
})

describe('up to its limit it is read, and beyond it is left out with a problem:', () => {
  const { bytes, depth } = configurationLimits.templates

  test('16 MiB of templates together', async () => {
    const folder = temporaryFolder()
    const names = [...'abcdefghijklmnop']
    expect(names.length * bytes).toBe(configurationLimits.allTemplates.bytes)
    for (const name of names) writeBelow(folder, name, 'x'.repeat(bytes))
    expect([...(await readTemplates(folder)).texts.keys()]).toEqual(names)
    writeBelow(folder, 'ab', 'x')
    writeBelow(folder, 'q', 'x')
    const { texts, problems } = await readTemplates(folder)
    expect([...texts.keys()]).toEqual(['a', 'ab', ...names.slice(1, -1)])
    expect(problems).toMatchObject([{ where: join(folder, 'p') }])
  })

  test('a template of 1 MiB', async () => {
    const folder = temporaryFolder()
    writeBelow(folder, 'large', 'x'.repeat(bytes))
    writeBelow(folder, 'larger', 'x'.repeat(bytes + 1))
    const { texts, problems } = await readTemplates(folder)
    expect([...texts.keys()]).toEqual(['large'])
    expect(problems).toMatchObject([{ where: join(folder, 'larger') }])
  })

  test('a template in 16 folders', async () => {
    const folder = temporaryFolder()
    const deep = (levels: number) => `${'d/'.repeat(levels)}file`
    writeBelow(folder, deep(depth), 'text')
    expect(await readTemplates(folder)).toMatchObject({
      texts: new Map([[deep(depth), 'text']]),
      problems: [],
    })
    writeBelow(folder, deep(depth + 1), 'text')
    const { texts, problems } = await readTemplates(folder)
    expect([...texts.keys()]).toEqual([deep(depth)])
    expect(problems).toMatchObject([{ where: join(folder, 'd/'.repeat(depth), 'd') }])
  })

  /** Finds templates, of 100 files and folders at most. */
  const find = async (folder: string) => {
    const problems: string[] = []
    const note = (path: string, message: string) => problems.push(`${path}: ${message}`)
    return { files: await findTemplates(folder, note, { entries: 100, depth }), problems }
  }

  test('as many files and folders as may be', async () => {
    const folder = temporaryFolder()
    for (let i = 0; i < 99; i++) writeBelow(folder, `a/${i}`, '')
    const full = await find(folder)
    expect([full.files.length, full.problems]).toEqual([99, []])
    for (const name of ['b', 'c']) writeBelow(folder, name, '')
    expect(await find(folder)).toEqual({
      files: full.files,
      problems: [expect.stringMatching(/^b: more than 100 /)],
    })
  })

  test('folders that symlinks show under more paths than can be searched', async () => {
    const folder = temporaryFolder()
    const names = [...'abcdef']
    for (const name of names) {
      mkdirSync(join(folder, name))
      for (const other of names) if (other !== name) symlinkSync(`../${other}`, join(folder, name, other))
    }
    const { files, problems } = await find(folder)
    expect(files).toEqual([])
    expect(problems).toEqual([expect.stringMatching('16 folders'), expect.stringMatching('more than 100 ')])
  })
})

test('symlinks are followed inside the folder only', async () => {
  const folder = temporaryFolder()
  const elsewhere = temporaryFolder()
  writeBelow(elsewhere, 'shadow', 'secret')
  writeBelow(folder, 'a/real.ks', 'text')
  symlinkSync(join(elsewhere, 'shadow'), join(folder, 'shadow.ks'))
  symlinkSync(elsewhere, join(folder, 'out'))
  symlinkSync('a/real.ks', join(folder, 'link.ks'))
  symlinkSync('..', join(folder, 'a/up'))
  expect([...(await readTemplates(folder)).texts.keys()]).toEqual(['a/real.ks', 'link.ks'])
})

test('a missing folder is a problem with a remedy', async () => {
  const { problems } = await readTemplates(join(temporaryFolder(), 'none'))
  expect(problems).toMatchObject([{ severity: 'warning', remedy: 'make it, or set paths.templates' }])
})

test('changes are noticed, and what is written while a new folder begins to be watched', async () => {
  const folder = temporaryFolder()
  let shown: string[] = []
  const changed = vi.fn(async () => {
    shown = [...(await readTemplates(folder)).texts.keys()]
  })
  onTestFinished(await watchTemplates(folder, changed))
  writeFileSync(join(folder, 'new.ks'), 'text')
  await eventually(() => expect(shown).toEqual(['new.ks']), 5000)
  changed.mockClear()
  // The event of the folder, and the second look.
  mkdirSync(join(folder, 'later'))
  await eventually(() => expect(changed).toHaveBeenCalledTimes(2), 5000)
  mkdirSync(join(folder, 'at-once'))
  writeFileSync(join(folder, 'at-once/inner.ks'), 'text')
  await eventually(() => expect(shown).toEqual(['at-once/inner.ks', 'new.ks']), 5000)
})

describe('a template that is being saved', () => {
  async function live(quietMs: number) {
    const folder = temporaryFolder()
    writeBelow(folder, 'a.ks', 'one\ntwo\n')
    const seen: (string | undefined)[] = []
    const templates = await LiveTemplates.open({
      folder,
      quietMs,
      onChange: () => seen.push(templates.current.texts.get('a.ks')),
    })
    onTestFinished(() => templates.close())
    await templates.look()
    return { folder, templates, seen }
  }

  test('is not taken before its end, also on demand', async () => {
    const { folder, templates, seen } = await live(200)
    writeBelow(folder, 'a.ks', 'three\n')
    const looked = templates.look()
    setTimeout(() => writeBelow(folder, 'a.ks', 'three\nfour\n'), 50)
    await looked
    expect(templates.current.texts.get('a.ks')).toBe('three\nfour\n')
    expect(seen).not.toContain('three\n')
  })

  test('all the time: the one before stays, and a problem says so', async () => {
    const { folder, templates, seen } = await live(50)
    let times = 0
    const save = () => writeBelow(folder, 'a.ks', `three ${times++}`)
    save()
    const saving = setInterval(save, 1)
    await templates.look()
    clearInterval(saving)
    expect(seen.filter((text) => text?.startsWith('three'))).toEqual([])
    expect(templates.current.problems).toMatchObject([{ message: expect.stringContaining('all the time') }])
    await eventually(() => expect(templates.current.texts.get('a.ks')).toBe(`three ${times - 1}`))
    expect(templates.current.problems).toEqual([])
  })
})
