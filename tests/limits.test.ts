import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { failureKind } from '../server/core/failure.ts'
import { limitTables } from '../server/core/limits/limits.ts'
import { upstreamLimits } from '../server/core/limits/upstreams.ts'
import { parseLookupQuery } from '../server/core/lookup/query.ts'
import { canonicalSerial } from '../server/core/net/uuid.ts'
import { readDescriptor } from '../server/core/tree/descriptors/descriptor.ts'
import { folderEntry } from '../server/files/entry.ts'
import { textEntry } from '../server/files/memory.ts'
import { cleanPath } from '../server/files/path.ts'
import type { Entry } from '../server/files/source.ts'
import { FtpUpstream } from '../server/intake/mirror/ftp-upstream.ts'
import { HttpUpstream } from '../server/intake/mirror/http-upstream.ts'
import { decodePacket } from '../server/protocols/dhcp/packet.ts'
import { factsLine } from '../server/protocols/ftp/data/listing.ts'
import { parseRange } from '../server/protocols/http/files/range.ts'
import { type FuzzerName, fuzzers } from './fuzz/parsers.ts'
import { openFtp } from './support/ftp.ts'
import { expectGoldenPart } from './support/golden.ts'
import { proofs } from './support/limit-proofs.ts'
import { limitsPage } from './support/limits-page.ts'

describe('the table of limits', () => {
  test('is what docs/limits.md shows (npm run golden writes it)', () => {
    expectGoldenPart('docs/limits.md', 'limits', limitsPage())
  })

  test('names each limit once', () => {
    const names = Object.values(limitTables).flatMap((limits) => Object.keys(limits))
    expect(names.sort()).toEqual(Object.keys(proofs).sort())
  })

  test('names tests that are there', () => {
    const missing = Object.values(proofs).filter(({ test: proof }) => {
      if (proof === undefined) return false
      const [file = '', ...title] = proof.split(': ')
      return !readFileSync(join(import.meta.dirname, file), 'utf8').includes(title.join(': '))
    })
    expect(missing).toEqual([])
  })

  test('names every fuzzer', () => {
    const named = new Set(Object.values(proofs).map(({ fuzz }) => fuzz))
    const own: readonly FuzzerName[] = ['treeinfo-repair', 'armour']
    expect(Object.keys(fuzzers).filter((name) => !named.has(name as FuzzerName))).toEqual(own)
  })

  test('has a fuzzer for every parser', () => {
    const server = join(import.meta.dirname, '../server')
    const fuzzed = readdirSync(join(import.meta.dirname, 'fuzz'))
      .map((file) => readFileSync(join(import.meta.dirname, 'fuzz', file), 'utf8'))
      .join('\n')
    const parser = /^export (?:async )?function\*? ((?:parse|decode)[A-Z]\w*)/gm
    const found = readdirSync(server, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) =>
        [...readFileSync(join(server, file), 'utf8').matchAll(parser)].map(([, name]) => name ?? ''),
      )
    expect(found.filter((name) => !fuzzed.includes(name) && !(name in readByOthers)).sort()).toEqual([])
  })
})

/** Parsers that a fuzzer reaches by way of another one, or that read what we wrote ourselves. */
const readByOthers: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['decodeCs0', 'decodePath', 'decodeTime'].map((name) => [name, 'by `udf-image`'])),
  decodeName: 'by `iso-image`',
  parsePrefixed: 'an address of config.yaml, which the operator writes',
  ...Object.fromEntries(
    ['decodeText', 'parseIni', 'parseDigest', 'parseDistro', 'parseVersion'].map((name) => [
      name,
      'by `descriptor`',
    ]),
  ),
  parseConfig: 'what `yaml` gives, searched in tests/config/hostile.test.ts',
  parseSchedule: 'one value of the configuration',
  parseKernelArgs: 'one value of the configuration, searched in tests/core/boot/kernel-args.test.ts',
  decodeId: 'names of folders that we made',
  decodeReply: 'of the port mapper of this machine, searched in tests/protocols/nfs/wire.test.ts',
}

describe('up to its limit something is read, and beyond it is refused:', () => {
  test('a path of 4096 characters', () => {
    expect(cleanPath(`/${'a/'.repeat(2047)}b`)).toHaveLength(4096)
    expect(() => cleanPath(`/${'a/'.repeat(2047)}bc`)).toThrow(/4097 characters/)
  })

  test('an identity of 128 characters', () => {
    expect(canonicalSerial('a'.repeat(128))).toBeDefined()
    expect(canonicalSerial('a'.repeat(129))).toBeUndefined()
  })

  test('a value of 512 characters', () => {
    expect(() => parseLookupQuery({ distro: 'a'.repeat(512) })).not.toThrow()
    expect(() => parseLookupQuery({ distro: 'a'.repeat(513) })).toThrow(/at most 512/)
  })

  test('256 ranges', () => {
    const ranges = (count: number) =>
      `bytes=${Array.from({ length: count }, (_, i) => `${2 * i}-${2 * i}`).join()}`
    expect(parseRange(ranges(256), 1000)).toHaveLength(256)
    expect(parseRange(ranges(257), 1000)).toBeUndefined()
  })

  test('a DHCP packet of 4096 octets', () => {
    const packet = Buffer.alloc(4097)
    packet.set([1, 1, 6])
    packet.set([0x63, 0x82, 0x53, 0x63, 0xff], 236)
    expect(decodePacket(packet.subarray(0, 4096))).not.toHaveProperty('malformed')
    expect(decodePacket(packet)).toHaveProperty('malformed')
  })

  test('100 faults of a descriptor', () => {
    const { problems } = readDescriptor(
      '.treeinfo',
      Buffer.from(`[general]\nfamily = F\n${'fault\n'.repeat(500)}`),
    )
    expect(problems).toHaveLength(101)
  })
})

describe('an upstream is not read beyond', () => {
  let server: Server | undefined
  afterEach(() => server?.close().closeAllConnections())
  const listed = async (respond: RequestListener) => {
    server = createServer(respond)
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const upstream = new HttpUpstream(`http://127.0.0.1:${port}/`)
    return upstream.list('').finally(() => upstream.close())
  }

  test('an index page of more than 8 MiB', async () => {
    const page = Buffer.alloc(1 << 20, ' ')
    let pieces = 0
    const endless: RequestListener = (_, res) => {
      res.setHeader('content-type', 'text/html')
      const more = (): void => {
        let hasRoom = true
        for (; hasRoom && !res.destroyed && pieces < 100; pieces++) hasRoom = res.write(page)
      }
      res.on('drain', more)
      more()
    }
    await expect(listed(endless).catch(failureKind)).resolves.toBe('too-large')
    expect(pieces).toBeLessThan(50)
  })

  test('a listing by FTP of more than 8 MiB', async () => {
    const { bytes } = upstreamLimits.indexPage
    let names: readonly Entry[] = []
    const { port } = await openFtp({
      source: { stat: () => Promise.resolve(folderEntry('', 0)), list: () => Promise.resolve(names) },
    })
    const upstream = new FtpUpstream(`ftp://127.0.0.1:${port}/`)
    onTestFinished(() => upstream.close())
    // 64 long lines, each with CRLF. The library asks for these facts.
    const named = (length: number) => textEntry('n'.repeat(length), '', 0)
    const facts = factsLine(named(0), '', ['type', 'size', 'modify'], 'read').length + 2
    names = Array<Entry>(64).fill(named(bytes / 64 - facts))
    expect(await upstream.list('')).toHaveLength(64)
    names = [...names.slice(1), named(bytes / 64 - facts + 1)]
    expect(await upstream.list('').catch(failureKind)).toBe('too-large')
  })

  test('ten redirects', async () => {
    let hops = 0
    const round: RequestListener = (_, res) => res.writeHead(302, { location: `/${++hops}/` }).end()
    await expect(listed(round)).rejects.toThrow(/more than 10 redirects/)
    expect(hops).toBe(10)
  })

  test('headers of more than 16 KiB', async () => {
    const large: RequestListener = (_, res) => res.writeHead(200, { 'x-large': 'a'.repeat(17 * 1024) }).end()
    await expect(listed(large)).rejects.toThrow(/Header overflow|HPE_HEADER_OVERFLOW/)
  })
})
