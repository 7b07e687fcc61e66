import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { imageLimits } from '../../../server/core/limits/images.ts'
import { openDisc } from '../../../server/files/iso/disc.ts'
import { cleanPath } from '../../../server/files/path.ts'
import { isSearch } from '../../support/fuzz.ts'
import { hostileFiles } from '../../support/iso/hostile-files.ts'
import { type Hostile, small } from '../../support/iso/hostile-udf.ts'
import { hostileVolumes } from '../../support/iso/hostile-volumes.ts'
import { fromSparseHex, imageOf, sparseHex, walkImage } from '../../support/iso/walk-image.ts'
import { fieldAt, identifier, seal, writeUdf } from '../../support/iso/write-udf.ts'

const hostile: Readonly<Record<string, () => Hostile>> = { ...hostileFiles, ...hostileVolumes }

describe('a hostile image', () => {
  // Half a million descriptors are read before the budget of a folder ends: seconds, and many more on a loaded machine.
  const isDear = (name: string): boolean => /sixty|seventy thousand/.test(name)
  test.each(Object.entries(hostile).filter(([name]) => isSearch || !isDear(name)))(
    '%s is refused, and the message has the place',
    async (_name, make) => {
      const { bytes, says } = make()
      const { nodes, failures, readings } = await walkImage(bytes)
      // What a listing says of files that cannot be read.
      const troubles = nodes.flatMap(([, { trouble }]) => (trouble ? [trouble.message] : []))
      // A folder that cannot be read is not in the listing of its parent; a request for it gets the failure.
      const asked = await openDisc(imageOf(bytes))
        .then((disc) => Promise.allSettled(['/a', '/a/b', '/link'].map((path) => disc.find(cleanPath(path)))))
        .catch(() => [])
      const refused = asked.flatMap((each) =>
        each.status === 'rejected' ? [String(each.reason.message)] : [],
      )
      const messages = [...failures.map(({ message }) => message), ...troubles, ...refused]
      expect(
        messages.filter((message) => message.includes(says)),
        messages.join('\n'),
      ).not.toEqual([])
      for (const message of messages)
        expect(message).toMatch(/^x\.iso(?:, byte \d+: |: .* at bytes \d+ to \d+)/)
      expect(readings).toBeLessThan(20_000)
    },
    120_000,
  )

  test('one damaged file does not hide the others', async () => {
    const { bytes, entries } = small({ bad: 'x', good: 'y', folder: 'z', 'deep/er': '1' })
    // Their file entries lose their tags, of 16 bytes.
    for (const path of ['bad', 'deep'])
      bytes.fill(0, entries.get(path)?.at, (entries.get(path)?.at ?? 0) + 16)
    const disc = await openDisc(imageOf(bytes))
    const listed = await disc.list(cleanPath('/'))
    expect(listed?.map(({ name, trouble }) => [name, trouble?.kind])).toEqual([
      ['bad', 'invalid-data'],
      ['good', undefined],
      ['folder', undefined],
    ])
    await expect(disc.find(cleanPath('/deep/er'))).rejects.toThrow(`x.iso, byte ${entries.get('deep')?.at}: `)
  })

  test('symlinks that double with each step, and a thousand nested folders, cost a bounded number of reads', async () => {
    const links = Array.from(
      { length: 60 },
      (_, i) => [`l${i}`, { target: `l${i + 1}/../l${i + 1}` }] as const,
    )
    for (const shape of [
      { ...Object.fromEntries(links), 'l60/file': 'x' },
      { [`${'d/'.repeat(1000)}file`]: 'x' },
    ])
      expect((await walkImage(writeUdf({ files: shape }).bytes)).readings).toBeLessThan(3000)
  })

  // It takes two seconds.
  test.runIf(isSearch)('a file with a hundred thousand names is read once', async () => {
    // The blocks of the partition: 0 has the file set, 1 the root's file entry, 2 that of `file`.
    const identifiers = Array.from({ length: 100_000 }, (_, i) => identifier({ name: `n${i}`, block: 2 }))
    const { nodes, failures, readings } = await walkImage(
      writeUdf({ files: { file: 'x' }, identifiers }).bytes,
    )
    expect([nodes.length, failures.length]).toEqual([100_001, 0])
    expect(readings).toBeLessThan(300)
  })

  // It takes two seconds.
  test.runIf(isSearch)('a folder with one name more than the limit says is refused', async () => {
    const { entries } = imageLimits.imageFolder
    // Block 2 of the partition has the file entry of the folder.
    const name = identifier({ name: 'n00000', block: 2 })
    // The CRC is over more bytes than there are, which is not checked: the tag is right for any name.
    name.writeUInt16LE(0xffff, fieldAt.tag.crcLength)
    seal(name)
    const bytes = Buffer.alloc((entries + 1) * name.length, name)
    for (let i = 0; i <= entries; i++)
      bytes.write(`${100_000 + i}`, i * name.length + fieldAt.fileIdentifier.name + 1, 'latin1')
    const { bytes: image, entries: places } = writeUdf({ files: { folder: { type: 4, bytes } } })
    const disc = await openDisc(imageOf(image))
    await expect(disc.find(cleanPath('/folder/100000'))).rejects.toThrow(
      `x.iso, byte ${places.get('folder')?.at}: the file entry is of a folder with more than ${entries} names`,
    )
  })
})

describe('an image of the corpus is read or refused:', () => {
  const folder = join(import.meta.dirname, '../../corpus/udf')
  // Set by hand, to write the images above into the corpus.
  if (process.env.UPDATE_CORPUS) {
    mkdirSync(folder, { recursive: true })
    for (const [name, make] of Object.entries(hostile)) {
      const text = sparseHex(make().bytes)
      // Small images only.
      if (text.length < 20_000) writeFileSync(join(folder, `${name.replaceAll(' ', '-')}.hex`), text)
    }
  }
  test.each(readdirSync(folder).filter((name) => name.endsWith('.hex')))('%s', async (name) => {
    await walkImage(fromSparseHex(readFileSync(join(folder, name), 'utf8')))
  })
})
