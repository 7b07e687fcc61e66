import type { Accounts } from './accounts/accounts.ts'
import { mayUpload } from './accounts/may-upload.ts'
import { isAppPath, refuseRequest } from './api/web-app.ts'
import type { Config } from './config/schema.ts'
import { defined } from './core/defined.ts'
import type { EventSink } from './events/bus.ts'
import type { FileSource } from './files/source.ts'
import type { Uploads } from './intake/uploads/uploads.ts'
import { DhcpListener, type DhcpListenerOptions } from './protocols/dhcp/server.ts'
import { FtpListener, type FtpListenerOptions } from './protocols/ftp/server.ts'
import { HttpListener, type HttpListenerOptions } from './protocols/http/server.ts'
import { NfsListener } from './protocols/nfs/server.ts'
import type { ListenerMakers } from './protocols/running-services.ts'
import { SyslogListener } from './protocols/syslog/server.ts'
import { TftpListener } from './protocols/tftp/server.ts'

/** What the services serve, and whom they ask. */
export interface ListenerParts {
  readonly config: () => Config
  readonly source: FileSource
  readonly events: EventSink
  /** Responds to the paths that the namespace does not have: the API and the pages. */
  readonly web: NonNullable<HttpListenerOptions['fallback']>
  readonly uploads: Uploads
  readonly accounts: Accounts
  /** Whether a boot is known at this address. */
  readonly knowsAddress: (address: string) => boolean
  readonly decideNetworkBoot: DhcpListenerOptions['decide']
}

/** How to make the listener of each service, with the settings of `config.yaml`. */
export function listenerMakers(parts: ListenerParts): ListenerMakers {
  const { config, source, events } = parts
  const common = { source, events }
  return {
    http: (bind, port) => {
      const { fastPath, connectionsPerClient, requestsPerClient, trustedProxies } = config().http
      const limits = { connections: connectionsPerClient, requests: requestsPerClient }
      const settings = { fastPath, limits, trustedProxies }
      return new HttpListener({
        ...common,
        ...settings,
        bind,
        port,
        isAppPath,
        refuse: refuseRequest,
        fallback: parts.web,
      })
    },
    tftp: (bind, port) => new TftpListener({ ...common, bind, port }),
    ftp: (bind, port) => {
      const { passivePorts, publicAddress, tls } = config().ftp
      const settings = defined({ passivePorts, publicAddress, tls })
      const authenticate: FtpListenerOptions['authenticate'] = (login) => mayUpload(parts.accounts, login)
      return new FtpListener({ ...common, ...settings, bind, port, uploads: parts.uploads, authenticate })
    },
    nfs: (bind, port) => {
      // No port mapper names an ephemeral port: neither our own on port 111 nor the rpcbind of the machine.
      const portmap = port === 0 ? 'off' : 'auto'
      return new NfsListener({ ...common, bind, port, portmap, dataFolder: config().paths.data })
    },
    syslog: (bind, port) => new SyslogListener({ bind, port, events, isKnown: parts.knowsAddress }),
    dhcp: (bind, port) => {
      const { interfaces } = config().dhcp
      return new DhcpListener({ bind, port, interfaces, decide: parts.decideNetworkBoot, events })
    },
  }
}
