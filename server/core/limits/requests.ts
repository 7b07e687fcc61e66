import { GiB, KiB, type Limit } from './limit.ts'

const from = 'network'

/** What the services read from their clients. */
export const requestLimits = {
  requestPath: {
    what: 'path of a request, in any protocol: characters',
    from,
    bytes: 4096,
    beyond: 'the request is refused',
  },
  /** A MAC, a UUID or an address has at most 45 characters. */
  identity: {
    what: 'MAC, UUID or address in a URL or header: characters',
    from,
    bytes: 128,
    beyond: 'it is not an identity',
  },
  lookupValue: {
    what: 'value in a query of the lookup: characters',
    from,
    bytes: 512,
    beyond: '400',
  },
  /** As Node has it by default. `Upload-Metadata` of tus is a header, too. */
  httpHead: {
    what: 'head of an HTTP request, with the headers of tus',
    from,
    bytes: 16 * KiB,
    ms: 30_000,
    beyond: '431, or 408 and the connection is closed',
  },
  jsonBody: {
    what: 'JSON body of the API',
    from,
    bytes: 16 * KiB,
    beyond: '413',
  },
  /** A guest has some twenty values. To write 5,000 of them costs half a second of the server's time. */
  definitionBody: {
    what: 'definition in a request of the API: values',
    from: 'operator',
    bytes: 128 * KiB,
    entries: 5_000,
    beyond: '413, or 400 for too many values; a file may be edited by hand',
  },
  reportDetail: {
    what: 'detail in a report: characters',
    from,
    bytes: 500,
    beyond: 'the rest is cut off',
  },
  apiCalls: {
    what: 'calls of the API by one token, account, or address without credentials; twice as many at once',
    from,
    entries: 1000,
    ms: 1000,
    beyond: '429, and Retry-After says when; what is open to everybody is not counted',
  },
  eventStreams: {
    what: 'event streams of one account; without credentials, of one address',
    from,
    entries: 20,
    beyond: '429',
  },
  allEventStreams: {
    what: 'event streams of all together',
    from,
    entries: 1000,
    beyond: '503',
  },
  /** What waits in memory for one client is some KiB: the rest is read from the ring that all share. */
  eventsBehind: {
    what: 'events that a client of an event stream may be behind, and how long it may read nothing',
    from,
    entries: 1000,
    ms: 30_000,
    beyond: 'its stream ends; it may come back with Last-Event-ID',
  },
  upload: {
    what: 'file that is uploaded by tus',
    from: 'administrator',
    bytes: 100 * GiB,
    beyond: '413',
  },
  ranges: {
    what: 'ranges in one HTTP request',
    from,
    entries: 256,
    beyond: 'the whole file is sent',
  },
  /** One Ethernet frame: no client sends longer requests. */
  tftpRequest: {
    what: 'TFTP request: options',
    from,
    bytes: 1472,
    entries: 32,
    beyond: 'ERROR 4',
  },
  dhcpPacket: {
    what: 'DHCP packet',
    from,
    bytes: 4096,
    beyond: 'the packet is dropped',
  },
  ftpLine: {
    what: 'FTP command line; unknown commands in a row',
    from,
    bytes: 8192,
    entries: 20,
    beyond: '500; after so many unknown commands 421 and the end',
  },
  /** A listing is in memory until the client has read it, with some 800 bytes a name. */
  ftpListings: {
    what: 'FTP: names of all listings that are being sent to one client, when there are several',
    from,
    entries: 200_000,
    beyond: '450, until others have ended',
  },
  /** The reply is in memory as a whole, where LIST makes its lines while the client reads. */
  ftpStatus: {
    what: 'FTP: names that STAT shows',
    from,
    entries: 1000,
    beyond: '501; LIST shows them',
  },
  /** RFC 5424 section 6.1 asks for 480 octets and wishes for 2048; rsyslog sends up to 8 KiB. */
  syslogLine: {
    what: 'line by syslog',
    from,
    bytes: 8 * KiB,
    beyond: 'the rest is cut off',
  },
  /** Anaconda sends its whole journal when it begins: some 3,000 lines at once. */
  syslogLines: {
    what: 'syslog lines of one machine in a second; at once twenty times as many',
    from,
    bytes: 256 * KiB,
    entries: 200,
    ms: 1000,
    beyond: 'lines are dropped and counted, as are all lines of addresses that boot nothing here',
  },
  syslogAllLines: {
    what: 'syslog lines of all machines in a second; at once twice as many',
    from,
    entries: 4000,
    ms: 1000,
    beyond: 'lines are dropped and counted',
  },
  syslogConnections: {
    what: 'syslog connections of one address, and for how long they may be silent; 512 of all together',
    from,
    entries: 8,
    ms: 30 * 60_000,
    beyond: 'the connection is closed',
  },
  /** WRITE is refused, so a call has little more than a handle and a name. */
  nfsRecord: {
    what: 'NFS call over TCP: fragments',
    from,
    bytes: 128 * KiB,
    entries: 64,
    beyond: 'the connection is closed',
  },
  nfsHandle: {
    what: 'NFS file handle',
    from,
    bytes: 64,
    beyond: 'the call is garbage (RFC 5531)',
  },
  nfsName: {
    what: 'name in an NFS call',
    from,
    bytes: 255,
    beyond: 'NFS3ERR_NAMETOOLONG',
  },
} as const satisfies Record<string, Limit>
