import { GiB, KiB, type Limit, MiB } from './limit.ts'

const from = 'upstream'

/** What is read from servers: by a mirror from the one that it fetches a tree from, by commands from another treeboot. */
export const upstreamLimits = {
  /** The index of a folder with 20,000 files has some 5 MB. */
  indexPage: {
    what: 'index page of an HTTP server, listing of an FTP server',
    from,
    bytes: 8 * MiB,
    ms: 30_000,
    beyond: 'the mirror fails; half a listing would give half a tree. The time counts from the last byte',
  },
  /** Beyond these the URL is that of a whole mirror, or its folders have no end. */
  crawl: {
    what: 'listed files of an upstream',
    from,
    entries: 20_000,
    depth: 12,
    beyond: 'the mirror fails, and the message asks for the folder of one tree',
  },
  /** Its body is not read, and no redirect is followed. */
  webhookAnswer: {
    what: 'head of the answer of a webhook',
    from: 'receiver',
    bytes: 16 * KiB,
    ms: 10_000,
    beyond: 'the delivery is tried again later',
  },
  redirects: {
    what: 'redirects of one request',
    from,
    entries: 10,
    beyond: 'the next mirror is asked',
  },
  /** As Node has it by default. */
  responseHead: {
    what: 'status line and headers of a response',
    from,
    bytes: 16 * KiB,
    beyond: 'the next mirror is asked',
  },
  /** A DVD has 10 GB. A file whose size is named ends there, and `limits.min-free` holds as for each file. */
  decodedBody: {
    what: 'file that an upstream compresses without being asked, unpacked',
    from,
    bytes: 32 * GiB,
    beyond: 'the mirror fails',
  },
  upstreamDescriptor: {
    what: '`.treeinfo` and what lies beside it',
    from,
    bytes: 4 * MiB,
    beyond: 'the mirror fails',
  },
  upstreamLists: {
    what: 'checksum lists beside an image, and their signatures',
    from,
    bytes: 4 * MiB,
    entries: 40,
    beyond: 'the mirror fails; further lists are not fetched',
  },
  /** Discovery documents and key sets have some 10 kB, and a token with hundreds of groups as much. */
  openIdProvider: {
    what: 'response of an OpenID provider',
    from,
    bytes: MiB,
    ms: 10_000,
    beyond: 'the sign-in fails, and the log says why',
  },
  /** A page of 1000 guests has some 500 KB; one definition at most 1 MiB. */
  apiResponse: {
    what: 'response of a server to a command with `--server`',
    from,
    bytes: 64 * MiB,
    beyond: 'the command fails',
  },
  /** A boot with all its steps has some 10 KB. */
  streamedEvent: {
    what: 'event of the stream of a server, with all its lines: characters',
    from,
    bytes: MiB,
    beyond: 'the command fails',
  },
} as const satisfies Record<string, Limit>
