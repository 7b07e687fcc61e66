import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ListingSource } from '../../server/files/listing-source.ts'
import { rootPath } from '../../server/files/path.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

test('a name with a control character is left out, and the folder is listed all the same', async () => {
  const folder = temporaryFolder()
  for (const name of ['a', 'b\nc', 'd']) writeFileSync(join(folder, name), '')
  const symlinksStayIn = folder
  const entries = await new ListingSource(folder, symlinksStayIn).list(rootPath)
  expect(entries?.map(({ name }) => name)).toEqual(['a', 'd'])
})
