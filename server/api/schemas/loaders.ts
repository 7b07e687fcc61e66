import { z } from 'zod'
import { listOf, text } from './common.ts'

export const loaderReport = z
  .object({
    firmware: listOf(
      z.object({
        firmware: text,
        loader: text.optional().meta({ description: 'what machines with it are sent now; absent: nothing' }),
        why: text,
      }),
    ),
    loaders: listOf(
      z.object({
        place: text.meta({ description: 'its path on this server' }),
        what: text,
        from: z.enum(['tftpboot', 'host', 'tree', 'missing']),
        file: text.optional().meta({ description: 'its path on the disk; for admins' }),
        package: text.optional().meta({ description: 'of the system that the server runs on' }),
      }),
    ),
    command: text.optional().meta({ description: 'installs all that are missing and have a package' }),
  })
  .meta({ id: 'LoaderReport' })

export const dhcpConfig = z
  .object({
    server: text.meta({ description: 'the address of treeboot; with an IPv6 address it is about DHCPv6' }),
    scriptUrl: text.meta({ description: 'for clients that run iPXE already' }),
    rules: listOf(
      z.object({
        name: text,
        firmware: text,
        archs: listOf(z.int()).meta({ description: 'option 93, or option 61 of DHCPv6' }),
        http: z.boolean().meta({ description: 'the reply needs the vendor class HTTPClient' }),
        bootFile: text.meta({ description: 'a path for TFTP, or a URL' }),
        restartSeconds: z.int().optional().meta({ description: 'option 211' }),
      }),
    ),
    missing: listOf(text).meta({ description: 'firmware for which there is no loader' }),
    notes: listOf(text).meta({ description: 'what is left out, and why' }),
  })
  .meta({ id: 'DhcpConfig' })
