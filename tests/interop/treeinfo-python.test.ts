import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { generatedTreeinfo } from '../../server/core/tree/descriptors/generated.ts'
import { parseIni } from '../../server/core/tree/descriptors/ini.ts'
import { createNotes, decodeText } from '../../server/core/tree/descriptors/text.ts'
import { writeTreeinfo } from '../../server/core/tree/descriptors/write.ts'
import { requireClient } from '../support/clients.ts'
import { nastyDescription } from '../support/nasty-descriptions.ts'
import { readCorpus } from '../support/treeinfo-corpus.ts'

type Sections = Record<string, Record<string, string>>

/**
 * Reads a JSON list of texts, parses each with ConfigParser as argv[1] says, and prints what every section
 * holds.
 */
const script = `
import configparser, json, sys
out = []
for text in json.load(sys.stdin):
    strict = sys.argv[1] == 'strict'
    parser = configparser.ConfigParser() if strict else configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(text)
    out.append({s: {k: parser.get(s, k) for k in parser.options(s)} for s in parser.sections()})
print(json.dumps(out))
`

function readWithPython(mode: 'strict' | 'lenient', texts: readonly string[]): Sections[] {
  const python = requireClient('python3')
  const out = execFileSync(python, ['-c', script, mode], {
    input: JSON.stringify(texts),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  return JSON.parse(out) as Sections[]
}

/** Our reading, with keys in lower case as Python has them. */
function readOurselves(text: string): Sections {
  const { sections } = parseIni(text, createNotes('.treeinfo'))
  return Object.fromEntries(
    [...sections.values()].map(({ name, entries }) => [
      name,
      Object.fromEntries([...entries.values()].map(({ key, value }) => [key.toLowerCase(), value])),
    ]),
  )
}

test('real files say the same to us and to Python', () => {
  const texts = readCorpus()
    .filter(({ file }) => file.startsWith('trees/'))
    .map(({ bytes }) => decodeText(bytes, createNotes('.treeinfo')))
  expect(texts.map(readOurselves)).toEqual(readWithPython('lenient', texts))
})

test('what we write is read by strict Python with interpolation, as we read it', () => {
  const descriptions = fc.sample(nastyDescription, { numRuns: 2000, seed: 1 })
  const texts = descriptions.map((each, at) =>
    at % 2 === 0 ? writeTreeinfo(each) : generatedTreeinfo(each, ['install/netboot/x/linux']),
  )
  expect(texts.map(readOurselves)).toEqual(readWithPython('strict', texts))
})
