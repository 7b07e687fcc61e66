import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EventReader } from '../../server/cli/remote/event-reader.ts'
import { readYaml } from '../../server/config/yaml.ts'
import { withLine } from '../../server/core/boots/log-line.ts'
import { Failure } from '../../server/core/failure.ts'
import { requestLimits } from '../../server/core/limits/requests.ts'
import { parseBootPath } from '../../server/core/loader/boot-path.ts'
import { parseLookupQuery } from '../../server/core/lookup/query.ts'
import { canonicalIp } from '../../server/core/net/address.ts'
import { canonicalMac } from '../../server/core/net/mac.ts'
import { canonicalSerial, canonicalUuid } from '../../server/core/net/uuid.ts'
import { readDescriptors } from '../../server/core/tree/conclude.ts'
import { descriptorFormats } from '../../server/core/tree/descriptors/formats.ts'
import { repairTreeinfo } from '../../server/core/tree/descriptors/repair.ts'
import { kernelArchs } from '../../server/core/tree/kernel-header.ts'
import { cleanPath } from '../../server/files/path.ts'
import { namesOnPage } from '../../server/intake/mirror/index-page.ts'
import { decodePxe } from '../../server/protocols/dhcp/options/pxe-vendor.ts'
import { decodePacket as decodeDhcp } from '../../server/protocols/dhcp/packet.ts'
import { clientFacts } from '../../server/protocols/dhcp/request.ts'
import { parseEprt, parsePort } from '../../server/protocols/ftp/data/endpoint.ts'
import { parseListArgument, parseTime } from '../../server/protocols/ftp/data/listing.ts'
import { LineReader, parseCommand } from '../../server/protocols/ftp/line/command.ts'
import { parsePlainGet } from '../../server/protocols/http/fast/plain-get.ts'
import { parseHttpDate } from '../../server/protocols/http/files/conditions.ts'
import { parseRange } from '../../server/protocols/http/files/range.ts'
import { parseTarget, repairRequestLine } from '../../server/protocols/http/target.ts'
import { decodeHandle } from '../../server/protocols/nfs/handle.ts'
import { RecordReader } from '../../server/protocols/nfs/record.ts'
import { decodeMessage } from '../../server/protocols/nfs/rpc.ts'
import { XdrError } from '../../server/protocols/nfs/xdr.ts'
import { FrameReader } from '../../server/protocols/syslog/frames.ts'
import { parseLine } from '../../server/protocols/syslog/line.ts'
import { decodePacket as decodeTftp } from '../../server/protocols/tftp/wire/packet.ts'
import { parseChecksumList } from '../../server/verify/documents/checksum-list.ts'
import { parseRelease, readPackagesIndex } from '../../server/verify/documents/debian-index.ts'
import { readPackages } from '../../server/verify/documents/primary.ts'
import { parseRepomd } from '../../server/verify/documents/repomd.ts'
import { armourBlocks, findClearsigned } from '../../server/verify/signatures/armour.ts'
import { Keyring } from '../../server/verify/signatures/keyring.ts'
import { bytes, corpusOf, type Fuzzer, refusesBy, text } from '../support/fuzz.ts'
import { fromSparseHex, walkImage } from '../support/iso/walk-image.ts'
import { kernelHeads } from '../support/kernel-heads.ts'
import { guestsToImport } from './guests-to-import.ts'
import { imageTokens, iniTokens, pathTokens, xmlTokens } from './tokens.ts'

async function drained(items: AsyncIterable<unknown>): Promise<void> {
  try {
    for await (const _ of items);
  } catch (error) {
    if (!(error instanceof Failure)) throw error
  }
}

async function* inPieces(input: Buffer) {
  for (let at = 0; at < input.length; at += 61) yield input.subarray(at, at + 61)
}

const images = (folder: string) => corpusOf(folder).map((hex) => fromSparseHex(hex.toString('utf8')))

async function readImage(input: Buffer): Promise<void> {
  const { readings } = await walkImage(input)
  if (readings > 20_000) throw new Error(`${readings} reads of an image of ${input.length} bytes`)
}

const fixtures = join(import.meta.dirname, '../fixtures/treeinfo/trees')
const descriptors = readdirSync(fixtures)
  .filter((_, at) => at % 8 === 0)
  .map((name) => readFileSync(join(fixtures, name)))
const digest = 'a'.repeat(64)
const paths = descriptorFormats.flatMap((format) => format.paths)
const request = 'GET /trees/a%20b/x?y=z HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n'
const emptyKeyring = new Keyring([])

/** Every reader of bytes from strangers, with what makes its search fruitful. */
export const fuzzers = {
  descriptor: {
    seeds: [
      ...descriptors,
      ...text('Debian GNU/Linux 12.0 "Bookworm" - Official amd64 NETINST 1\n', '1713.5\nFedora 40\nx86_64\n'),
    ],
    tokens: iniTokens,
    read: (input) => paths.map((path) => readDescriptors(new Map([[path, input]]))),
    cost: 10,
  },
  'treeinfo-repair': {
    seeds: descriptors,
    tokens: iniTokens,
    read: (input) => repairTreeinfo(input, { family: 'F', version: '1', arch: 'x86_64', variant: '' }),
    cost: 4,
  },
  'checksum-list': {
    seeds: text(`${digest}  a\n${digest} *b c\n`, `SHA256 (a) = ${digest}\n# a\n`),
    tokens: ['\n', '\\', ' *', '(', ') = ', digest, '-----BEGIN PGP SIGNATURE-----\n'],
    read: (input) => parseChecksumList(input.toString('utf8')),
  },
  release: {
    seeds: text(
      `Suite: x\nMD5Sum:\n ${'b'.repeat(32)} 5 a\nSHA256:\n ${digest} 5 main/binary-amd64/Packages\n`,
    ),
    tokens: ['\n', '\n ', ':', 'SHA512:\n', digest],
    read: (input) => parseRelease(input.toString('utf8')),
  },
  'packages-index': {
    seeds: text(
      `Package: a\nFilename: pool/a.deb\nSize: 5\nSHA256: ${digest}\n\nPackage: b\nFilename: b\nMD5sum: c\n\n`,
    ),
    tokens: ['\n', '\n\n', ':', 'Filename: ', 'Size: '],
    read: (input) => drained(readPackagesIndex(inPieces(input))),
  },
  repomd: {
    seeds: corpusOf('repomd').filter(({ length }) => length < 20_000),
    tokens: xmlTokens,
    read: (input) => refusesBy(Failure, () => parseRepomd(input.toString('utf8'))),
    cost: 5,
  },
  primary: {
    seeds: corpusOf('primary').filter(({ length }) => length < 20_000),
    tokens: xmlTokens,
    read: (input) => drained(readPackages(inPieces(input))),
    cost: 3,
  },
  armour: {
    seeds: text(
      '-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\ntext\n-----BEGIN PGP SIGNATURE-----\n\niQ\n-----END PGP SIGNATURE-----\n',
    ),
    tokens: ['\n', '- ', '-----', '-----END PGP SIGNATURE-----\n', ' '],
    read: (input) => [
      findClearsigned(input.toString('utf8')),
      armourBlocks(input.toString('latin1'), 'SIGNATURE'),
    ],
  },
  signature: {
    seeds: [
      ...bytes('c2 5e 04 00 11 08 00 06 05 02 5f 00 00 00 00 0a 09 10 11 22 33 44 55 66 77 88'),
      ...text(
        '-----BEGIN PGP SIGNATURE-----\n\niF4EABEIAAYFAl8AAAAACgkQESIzRFVmd4g=\n-----END PGP SIGNATURE-----\n',
      ),
    ],
    tokens: bytes('c2', '04', 'ffffffff', '88', '0a'),
    // It says what is wrong, whatever comes.
    read: (input) => emptyKeyring.checkDetached(Buffer.from('text'), input),
    cost: 20,
  },
  'iso-image': {
    seeds: images('iso').filter(({ length }) => length < 200_000),
    tokens: imageTokens,
    read: readImage,
    cost: 50,
  },
  'udf-image': {
    seeds: images('udf').filter(({ length }) => length < 400_000),
    tokens: imageTokens,
    read: readImage,
    cost: 100,
  },
  'index-page': {
    seeds: text(
      '<html><a href="a/">a/</a> <a href=\'b%20c\'>b</a> <a href="/pub/d">d</a><a href="?C=M">x</a>',
    ),
    tokens: ['<a ', 'href=', '"', "'", '>', '%', '&#65;', '&amp;', '..', '//', 'http://'],
    read: (input) => namesOnPage(input.toString('utf8'), new URL('http://host/pub/')),
  },
  yaml: {
    seeds: text(
      'a: &x [1, {b: c}]\nd: *x\n',
      'guests:\n  web01:\n    mac: 52:54:00:00:00:01\n    vars: {a: "b"}\n',
    ),
    tokens: [
      '\n',
      '  ',
      ': ',
      '- ',
      '&a ',
      '*a',
      '{',
      '[',
      '"',
      "'",
      '|',
      '>',
      '#',
      '!!',
      '---\n',
      '%',
      '? ',
      '<<: ',
    ],
    read: (input) => readYaml(input.toString('utf8')).position(['a', 0], 'value'),
    cost: 5,
  },
  'guests-to-import': guestsToImport,
  'kernel-head': {
    seeds: [...kernelHeads().values()].map(({ head }) => Buffer.from(head)),
    tokens: [
      ...['HdrS', 'MZ', 'PE\0\0', '\x7fELF', 'ARM\x64', 'RSC\x05', 'S390EP', '\0'],
      ...bytes('ffffffff', '64aa', '6486', '0c02', '1828 6f01'),
    ],
    read: (input) => {
      const archs = kernelArchs(input, input)
      if (archs.some((arch) => arch === '')) throw new Error('an arch without a name')
    },
  },
  'tftp-packet': {
    seeds: [
      ...text('\0\x01pxelinux.0\0octet\0tsize\x000\0blksize\x001468\0'),
      ...bytes('0004 0001', '0005 0008 00', '0003 0001 61'),
    ],
    tokens: ['\0', 'octet\0', 'blksize\0', '\0\x01', 'netascii\0'],
    read: decodeTftp,
  },
  'dhcp-packet': {
    seeds: [
      Buffer.concat([
        ...bytes('0101 0600 00000001 0000 8000'),
        Buffer.alloc(16),
        ...bytes('525400000001'),
        Buffer.alloc(202),
        ...bytes(
          '63825363 350101 3c09 505845436c69656e74 5d02 0007 611100 00112233445566778899aabbccddeeff ff',
        ),
      ]),
    ],
    tokens: bytes('ff', '00', '340103', '2bff', '5d02', '6111', '3cff'),
    read: (input) => {
      const packet = decodeDhcp(input)
      if (!('malformed' in packet)) clientFacts(packet)
      decodePxe(input)
    },
  },
  'syslog-line': {
    seeds: text(
      '<13>Nov  1 12:00:00 web01 anaconda[12]: Installing bash.x86_64 (12/412)\n',
      '<165>1 2026-11-01T12:00:00.003Z web01 anaconda 12 ID47 [a@1 b="c\\]"][d@1] \ufeffTraceback\n',
      "26 <30>Nov  1 12:00:00 a: ok.\n12 <13>Menu item 'x' selected",
    ),
    tokens: [
      '<13>',
      '1 ',
      '- ',
      '[',
      ']',
      '"',
      '\\',
      '\n',
      '\0',
      '9999999 ',
      '00',
      ': ',
      '(1/2)',
      '#012',
      '\ufeff',
    ],
    read: (input) => {
      const most = requestLimits.syslogLine.bytes
      const frames = new FrameReader((line) => {
        if (line.length > most) throw new Error(`a line of ${line.length} bytes`)
        const parsed = parseLine(line)
        if (/[\p{Cc}\u202e]/u.test(parsed.text + parsed.program)) throw new Error('a control character')
        if (!(parsed.severity >= 0 && parsed.severity <= 7)) throw new Error(`severity ${parsed.severity}`)
        withLine(undefined, parsed)
      })
      for (let at = 0; at < input.length; at += 61) frames.push(input.subarray(at, at + 61))
      frames.end()
    },
  },
  'ftp-command': {
    seeds: text('USER a\r\nRETR /a b\r\nPORT 127,0,0,1,1,2\r\nEPRT |1|127.0.0.1|5|\r\n'),
    tokens: ['\r\n', '\r', '\n', ' ', Buffer.from([0xff, 0xf4]), Buffer.from([0xff]), '\0'],
    read: (input) =>
      new LineReader(64).push(input).map((line) => {
        const { argument = '' } = parseCommand(line) ?? {}
        return [parsePort, parseEprt, parseListArgument, parseTime].map((parse) => parse(argument))
      }),
  },
  'event-stream': {
    seeds: text('retry: 10\nid: 1-a-2\n\n: still here\nevent: boots\r\nid: 2\ndata: {"a":1}\ndata\n\n'),
    tokens: ['\n', '\r', '\r\n', ':', ': ', 'data', 'id', 'event', '\0', '\ufeff', Buffer.from([0xc3])],
    read: (input) => {
      const whole = new EventReader().push(Buffer.concat([input, Buffer.from('\n\n')]))
      const reader = new EventReader()
      const pieces = [...input].flatMap((byte) => reader.push(Buffer.of(byte)))
      const all = [...pieces, ...reader.push(Buffer.from('\n\n'))]
      if (JSON.stringify(all) !== JSON.stringify(whole)) throw new Error('pieces are read otherwise')
    },
  },
  'nfs-call': {
    seeds: bytes(
      '80000028 00000007 00000000 00000002 000186a3 00000003 00000001 00000000 00000000 00000000 00000000',
    ),
    tokens: bytes('80000000', 'ffffffff', '00000000', '00000001', '000186a5'),
    read: (input) =>
      refusesBy(XdrError, () => new RecordReader(1024).push(input).map((record) => decodeMessage(record))),
  },
  'nfs-handle': {
    seeds: [Buffer.alloc(24), Buffer.alloc(64, 1)],
    tokens: bytes('00', 'ff', '01'),
    read: decodeHandle,
  },
  'http-request': {
    seeds: text(request),
    tokens: [...pathTokens, '\r\n', 'bytes=', '-', ',', 'HTTP/1.1', '#'],
    read: (input) => {
      const line = repairRequestLine(input).toString('latin1')
      parseRange(line, 1000)
      parsePlainGet(line)
      parseHttpDate(line)
      return refusesBy(Failure, () => parseTarget(line.split(' ')[1] ?? ''))
    },
  },
  path: {
    seeds: text(
      '/trees/fedora-40/images/pxeboot/vmlinuz',
      'pxelinux.cfg/01-52-54-00-00-00-01',
      '/boot/by/52:54:00:00:00:01/grub.cfg',
    ),
    tokens: [...pathTokens, 'pxelinux.cfg/', '01-', 'grub.cfg-'],
    read: (input) => {
      parseBootPath(input.toString('utf8'))
      return refusesBy(Failure, () => cleanPath(input.toString('utf8')))
    },
  },
  lookup: {
    seeds: text(
      'mac=52:54:00:00:00:01&distro=fedora&version=40&arch=x86_64',
      'uuid=00112233-4455-6677-8899-aabbccddeeff&ip=::1',
    ),
    tokens: ['&', '=', ':', '%', '::', '.', '-', '0x', 'fe80::1%eth0'],
    read: (input) => {
      const query = new URLSearchParams(input.toString('utf8'))
      for (const value of query.values())
        [canonicalMac, canonicalIp, canonicalUuid, canonicalSerial].map((each) => each(value))
      return refusesBy(Failure, () => parseLookupQuery(Object.fromEntries(query)))
    },
  },
} as const satisfies Record<string, Fuzzer>

export type FuzzerName = keyof typeof fuzzers
