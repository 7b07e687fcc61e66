import type { configurationLimits } from '../../server/core/limits/configuration.ts'
import type { documentLimits } from '../../server/core/limits/documents.ts'
import type { imageLimits } from '../../server/core/limits/images.ts'
import type { requestLimits } from '../../server/core/limits/requests.ts'
import type { treeLimits } from '../../server/core/limits/trees.ts'
import type { upstreamLimits } from '../../server/core/limits/upstreams.ts'
import type { FuzzerName } from '../fuzz/parsers.ts'

export type LimitName =
  | keyof typeof configurationLimits
  | keyof typeof documentLimits
  | keyof typeof imageLimits
  | keyof typeof requestLimits
  | keyof typeof treeLimits
  | keyof typeof upstreamLimits

/** What shows that a limit holds. */
interface Proof {
  /** The test, as `file: title`, below `tests/`. Undefined: there is none yet. */
  readonly test?: string
  /** The search for inputs that do harm, or why there is none. */
  readonly fuzz: FuzzerName | { readonly none: string }
}

/** Why there is no search: a library parses it, or it only limits how much is done. */
const counted = { none: 'counts what others have parsed' }
const byLibrary = (name: string) => ({ none: `parsed by ${name}` })

/** The compiler asks for a line for each limit: a new parser has a limit, a test and a search. */
export const proofs: Readonly<Record<LimitName, Proof>> = {
  requestPath: { test: 'limits.test.ts: a path of 4096 characters', fuzz: 'path' },
  identity: { test: 'limits.test.ts: an identity of 128 characters', fuzz: 'lookup' },
  lookupValue: { test: 'limits.test.ts: a value of 512 characters', fuzz: 'lookup' },
  httpHead: {
    test: 'protocols/http/connections.test.ts: a head of 16 KiB is read, and a longer one is refused',
    fuzz: byLibrary("Node's HTTP parser; the fast path has `http-request`"),
  },
  definitionBody: {
    test: 'api/resources/definitions.test.ts: a definition of 5,000 values and 128 KiB is read, and a larger one is refused',
    fuzz: { none: 'parsed by JSON.parse and by the reader of YAML, which has its own search' },
  },
  jsonBody: {
    test: 'api/routes.test.ts: reads a body of 16 KiB, and refuses a longer one, announced or in chunks',
    fuzz: byLibrary('body-parser'),
  },
  reportDetail: {
    test: 'api/routes.test.ts: keeps the first 500 characters of a detail',
    fuzz: byLibrary('body-parser'),
  },
  apiCalls: {
    test: 'api/call-limits.test.ts: a caller may make its calls in a second, and twice as many at once',
    fuzz: counted,
  },
  eventStreams: {
    test: 'api/resources/events.test.ts: the twenty-first stream of an account is refused',
    fuzz: counted,
  },
  allEventStreams: {
    test: 'api/event-streams.test.ts: of all accounts there are at most 1000 streams',
    fuzz: counted,
  },
  eventsBehind: {
    test: 'api/event-streams.test.ts: a client that does not read is disconnected, and costs little memory meanwhile',
    fuzz: counted,
  },
  upload: {
    test: 'api/routes.test.ts: takes a file of 100 GiB by tus, and refuses a longer one before its first byte',
    fuzz: counted,
  },
  ranges: { test: 'limits.test.ts: 256 ranges', fuzz: 'http-request' },
  tftpRequest: { test: 'protocols/tftp/wire/packet.test.ts: number of options', fuzz: 'tftp-packet' },
  dhcpPacket: { test: 'limits.test.ts: a DHCP packet of 4096 octets', fuzz: 'dhcp-packet' },
  ftpLine: {
    test: 'protocols/ftp/harm.test.ts: of the length of a line, and of unknown commands in a row',
    fuzz: 'ftp-command',
  },
  ftpListings: {
    test: 'protocols/ftp/harm.test.ts: of names in listings to one client, until those before have ended',
    fuzz: counted,
  },
  ftpStatus: {
    test: 'protocols/ftp/harm.test.ts: a folder of 1000 names is shown by STAT, and a larger one by LIST',
    fuzz: counted,
  },
  syslogLine: {
    test: 'protocols/syslog/frames.test.ts: of a line of more than 8 KiB the first 8 KiB are kept',
    fuzz: 'syslog-line',
  },
  syslogLines: {
    test: 'protocols/syslog/rates.test.ts: an address has 200 lines and 256 KiB in a second, and twenty times as many at once',
    fuzz: counted,
  },
  syslogAllLines: {
    test: 'protocols/syslog/rates.test.ts: all addresses together have 4000 lines in a second, and twice as many at once',
    fuzz: counted,
  },
  syslogConnections: {
    test: 'protocols/syslog/server.test.ts: an address has eight connections, and a silent one is closed',
    fuzz: counted,
  },
  nfsRecord: {
    test: 'protocols/nfs/wire.test.ts: a record over the limit, whole or in sum, is refused before it is kept',
    fuzz: 'nfs-call',
  },
  nfsHandle: {
    test: 'protocols/nfs/wire.test.ts: a handle is decoded as it was encoded, within 64 bytes',
    fuzz: 'nfs-handle',
  },
  nfsName: {
    test: 'protocols/nfs/server.test.ts: LOOKUP finds files, folders and dots, and reports names that do not exist',
    fuzz: 'nfs-call',
  },
  descriptor: { test: 'catalog/scan/gather.test.ts: one that is too large is not read', fuzz: 'descriptor' },
  listingDescriptor: {
    test: 'catalog/scan/gather.test.ts: one that is too large is not read',
    fuzz: 'descriptor',
  },
  descriptorNotes: { test: 'limits.test.ts: 100 faults of a descriptor', fuzz: 'descriptor' },
  release: {
    test: 'core/tree/descriptors/hostile.test.ts: a descriptor that is as large as it may be is read in a moment:',
    fuzz: 'descriptor',
  },
  kernelHead: {
    test: 'catalog/scan/kernel-heads.test.ts: no more than its head and the mark of s390 is read of a kernel',
    fuzz: 'kernel-head',
  },
  treeFolders: {
    test: 'catalog/scan/gather.test.ts: down to the sixth level',
    fuzz: counted,
  },
  treeSearch: { test: 'catalog/scan/discover.test.ts: the depth is limited', fuzz: counted },
  checksumList: {
    test: 'verify/bounds.test.ts: a list and a Release with too many lines are findings',
    fuzz: 'checksum-list',
  },
  checksumListOfImage: {
    test: 'verify/bounds.test.ts: is read by one of 4 MiB, and a larger one names nothing',
    fuzz: 'checksum-list',
  },
  debianRelease: {
    test: 'verify/bounds.test.ts: a list and a Release with too many lines are findings',
    fuzz: 'release',
  },
  packagesIndex: {
    test: 'verify/bounds.test.ts: with packages of nothing is given up when there are too many',
    fuzz: 'packages-index',
  },
  packagesStanza: {
    test: 'verify/bounds.test.ts: without an empty line is given up when one package is too long, not at its end',
    fuzz: 'packages-index',
  },
  repomd: {
    test: 'verify/bounds.test.ts: repomd.xml with elements in one another is refused, with a short reason',
    fuzz: 'repomd',
  },
  primary: {
    test: 'verify/bounds.test.ts: primary.xml with packages of nothing is given up when there are too many',
    fuzz: 'primary',
  },
  primaryEntry: {
    test: 'verify/bounds.test.ts: primary.xml with one package without end is given up',
    fuzz: 'primary',
  },
  signature: {
    test: 'verify/signatures/signatures.test.ts: 32 signatures in one file',
    fuzz: 'signature',
  },
  documents: {
    test: 'verify/bounds.test.ts: that has too many documents gets a finding for those that are not read',
    fuzz: counted,
  },
  expectedFiles: {
    test: 'verify/bounds.test.ts: that names too many files gets a finding, and the event loop turns meanwhile',
    fuzz: counted,
  },
  documentSearch: {
    test: 'verify/bounds.test.ts: whose folders show each other is searched up to a number of folders, with a finding',
    fuzz: counted,
  },
  documentSearchNames: {
    test: 'verify/bounds.test.ts: a search for documents is given up when its folders show too many names',
    fuzz: counted,
  },
  volumeDescriptors: {
    test: 'files/iso/bounds.test.ts: 64 volume descriptors are read, and the image without the others',
    fuzz: 'iso-image',
  },
  udfSequence: {
    test: 'files/udf/hostile.test.ts: %s is refused, and the message has the place',
    fuzz: 'udf-image',
  },
  udfMetadata: {
    test: 'files/udf/bounds.test.ts: a metadata file in 1024 pieces is read, and the image of one in more is refused',
    fuzz: 'udf-image',
  },
  imageFolder: {
    test: 'files/iso/bounds.test.ts: a folder with more records than any disc has is refused, and the others are listed',
    fuzz: 'iso-image',
  },
  continuations: {
    test: 'files/iso/bounds.test.ts: up to 250,000 of them',
    fuzz: 'iso-image',
  },
  recordContinuations: {
    test: 'files/iso/bounds.test.ts: continuation areas that lead from one to the next are refused after some',
    fuzz: 'iso-image',
  },
  fileExtents: { test: 'files/iso/hostile.test.ts: %s costs a bounded number of reads', fuzz: 'iso-image' },
  allocationDescriptors: {
    test: 'files/udf/hostile.test.ts: %s is refused, and the message has the place',
    fuzz: 'udf-image',
  },
  folderAllocationDescriptors: {
    test: 'files/udf/hostile.test.ts: %s is refused, and the message has the place',
    fuzz: 'udf-image',
  },
  imagePath: { test: 'files/iso/hostile.test.ts: %s costs a bounded number of reads', fuzz: 'iso-image' },
  imageLink: {
    test: 'files/iso/bounds.test.ts: a symlink of 16 KiB is followed, and a longer one is not',
    fuzz: 'iso-image',
  },
  linkSteps: {
    test: 'files/iso/bounds.test.ts: symlinks that lead through thousands of components are left out when there are too many steps',
    fuzz: 'iso-image',
  },
  unpacked: {
    test: 'intake/import/unpack-budget.test.ts: an archive or image has a bounded number of entries',
    fuzz: counted,
  },
  unpackedPath: {
    test: 'intake/import/unpack-budget.test.ts: a path with %s is refused',
    fuzz: counted,
  },
  tarHeaders: {
    test: 'intake/import/tar.test.ts: a long name of 256 KiB is read, and a longer one is refused',
    fuzz: counted,
  },
  indexPage: { test: 'limits.test.ts: an index page of more than 8 MiB', fuzz: 'index-page' },
  crawl: {
    test: 'intake/mirror/fetch-file.test.ts: folders without end are refused, not cut off somewhere',
    fuzz: counted,
  },
  webhookAnswer: {
    test: 'webhooks/send.test.ts: a receiver that does not answer, or sends a long head, is given up',
    fuzz: byLibrary("Node's HTTP parser"),
  },
  redirects: { test: 'limits.test.ts: ten redirects', fuzz: counted },
  responseHead: {
    test: 'limits.test.ts: headers of more than 16 KiB',
    fuzz: byLibrary("Node's HTTP parser"),
  },
  decodedBody: {
    test: 'intake/mirror/content-coding.test.ts: no more than the limit is unpacked',
    fuzz: byLibrary('zlib'),
  },
  upstreamDescriptor: {
    test: 'intake/mirror/mirror-tree.test.ts: a partial file does not get the bytes of another, and a file that is too long is refused',
    fuzz: 'descriptor',
  },
  upstreamLists: {
    test: 'intake/mirror/fetch-file.test.ts: are fetched, 40 at most, those of the image among them',
    fuzz: 'checksum-list',
  },
  openIdProvider: {
    test: 'api/resources/session-oidc-provider.test.ts: a response of 1 MiB is read, and a longer one is refused',
    fuzz: byLibrary('openid-client'),
  },
  secretFile: {
    test: 'config/oidc.test.ts: a file of 64 KiB is read, and a larger one is refused',
    fuzz: { none: 'it is not parsed' },
  },
  apiResponse: {
    test: 'cli/remote/client.test.ts: a response of more than 64 MiB is not read to its end',
    fuzz: byLibrary('JSON.parse'),
  },
  streamedEvent: {
    test: 'cli/remote/event-reader.test.ts: an event without an end is refused',
    fuzz: 'event-stream',
  },
  configuration: {
    test: 'config/files.test.ts: a file of 64 MiB is read, and a larger one is refused, without reading it to its end',
    fuzz: 'yaml',
  },
  definitionFile: {
    test: 'config/definition-files.test.ts: a file of 1 MiB is read, and a larger one is refused by name',
    fuzz: 'yaml',
  },
  yaml: { test: 'config/hostile.test.ts: aliases that multiply', fuzz: 'yaml' },
  guestsToImport: {
    test: 'definitions/import/entries.test.ts: more entries than the limit are refused',
    fuzz: 'guests-to-import',
  },
  keyFile: {
    test: 'verify/signatures/signatures.test.ts: a key file of 16 MiB',
    fuzz: byLibrary('openpgp'),
  },
  templates: {
    test: 'catalog/templates.test.ts: as many files and folders as may be',
    fuzz: { none: 'they are text until they are rendered' },
  },
  allTemplates: {
    test: 'catalog/templates.test.ts: 16 MiB of templates together',
    fuzz: { none: 'they are text until they are rendered' },
  },
  rendering: { test: 'templates/hostile.test.ts: output of 20 MB is refused', fuzz: byLibrary('minijinja') },
}
