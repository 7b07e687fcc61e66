import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { loadConfigFile } from '../../server/config/last-good.ts'
import { failureMessage } from '../../server/core/failure.ts'
import { configurationLimits } from '../../server/core/limits/configuration.ts'
import { parse } from '../support/config.ts'
import { stating } from '../support/stating.ts'

describe('the file of the configuration', () => {
  const folder = mkdtempSync(join(tmpdir(), 'treeboot-config-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  test('without config.yaml everything has its default, and no file is named', async () => {
    const { config } = await loadConfigFile({ cwd: folder })
    expect(config.file).toBeUndefined()
    expect(config.paths.trees).toBe(join(folder, 'trees'))
  })

  test('a named file must exist, be a file, and be UTF-8', async () => {
    writeFileSync(join(folder, 'utf16.yaml'), Buffer.from('\uFEFFhttp:', 'utf16le'))
    await expect(loadConfigFile({ file: 'x.yaml', cwd: folder })).rejects.toThrow(
      stating('x.yaml', 'does not exist'),
    )
    await expect(loadConfigFile({ file: '.', cwd: folder })).rejects.toThrow(/^\. .*folder/)
    await expect(loadConfigFile({ file: 'utf16.yaml', cwd: folder })).rejects.toThrow(
      stating('utf16.yaml', 'UTF-8'),
    )
  })

  test('a file of 64 MiB is read, and a larger one is refused, without reading it to its end', async () => {
    const { bytes } = configurationLimits.configuration
    const file = join(folder, 'large.yaml')
    // A file of zeros that takes no room; its first byte is not UTF-8, so that nothing needs to parse it.
    writeFileSync(file, Buffer.from([0xff]))
    const refusal = (size: number) => {
      truncateSync(file, size)
      return loadConfigFile({ file, cwd: folder }).then(() => 'accepted', failureMessage)
    }
    expect(await refusal(bytes)).toMatch('UTF-8')
    for (const size of [bytes + 1, 2 ** 40])
      expect(await refusal(size)).toMatch(stating('large.yaml', `more than ${bytes} bytes`))
  })

  test('paths are relative to the file, not to the working folder', async () => {
    writeFileSync(join(folder, 'my.yaml'), 'paths: { trees: ../iso, data: /var/lib/treeboot }')
    const { config } = await loadConfigFile({ file: join(folder, 'my.yaml'), cwd: '/' })
    expect(config.file).toBe(join(folder, 'my.yaml'))
    expect(config.paths).toMatchObject({ trees: join(folder, '../iso'), data: '/var/lib/treeboot' })
  })
})

describe('the shipped config.yaml', () => {
  const text = readFileSync(join(import.meta.dirname, '../../config.yaml'), 'utf8')
  const [defaultsPart = '', examplePart = ''] = text.split('# ---- Example')
  /** Removes the `#` before settings (`#key` and `#  key`). A sentence has one blank after its `#`. */
  const live = (part: string) => part.replaceAll(/^#( {2,}\S|\w)/gm, '$1')

  test('loads as it is, without guests', () => {
    expect(parse(text)).toMatchObject({ guests: [], problems: [] })
  })

  test('shows the true defaults', () => {
    const { server, ...config } = parse(live(defaultsPart)).config
    const { server: _, ...defaults } = parse('').config
    expect(config).toEqual(defaults)
    expect(server.url).toBe('http://mirror.example:8080')
  })

  test('has an example that loads when its comment signs are removed', () => {
    const { guests, problems, config } = parse(live(`# ---- Example${examplePart}`))
    expect(config.mirrors.map(({ id }) => id)).toEqual(['fedora-40'])
    expect(guests.map(({ name, profiles }) => ({ name, profiles }))).toEqual([
      { name: 'web01', profiles: ['web', 'base'] },
    ])
    expect(problems).toEqual([])
  })
})
