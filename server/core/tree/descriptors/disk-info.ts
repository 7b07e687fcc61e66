import { defined } from '../../defined.ts'
import { archIn } from '../arch.ts'
import { type Description, nameOnly } from '../description.ts'
import { createNotes, splitLines, splitRelease } from './text.ts'

/**
 * Reads `.disk/info` of Debian, Ubuntu and what derives from them: one line, often without its newline.
 *
 *     Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST with firmware 20240210-11:27
 *     Ubuntu-Server 22.04.3 LTS "Jammy Jellyfish" - Release amd64 (20230810)
 *
 * Debian's live systems have another form, which names neither code name nor architecture (live-build):
 *
 *     Official Debian GNU/Linux Live 12.5.0 gnome 2024-02-10T11:30
 */
export function readDiskInfo(file: string, text: string): Description | undefined {
  const lines = splitLines(text)
  const line = lines.find((each) => each.trim() !== '')?.trim() ?? ''
  // Products and code names of real media are far shorter than the limits.
  const match = /^([^"]{2,80}?)\s*"([^"]{1,60})"\s*-(.*)$/.exec(line)
  // A longer file is something else.
  if (lines.length > 5) return undefined
  if (!match) return readLive(line)
  const [, product = '', codename = '', rest = ''] = match
  const notes = createNotes(file)
  const { family, version } = splitRelease(product)
  const flavour = /^(Ubuntu)-(.+)$/i.exec(family)
  const medium = /\b(NETINST|DVD|CD|BD|DLBD|LIVE)\b/i.exec(rest)?.[1]?.toUpperCase()
  const arch = archIn(rest) ?? ''
  if (arch === '') notes.add('names no arch', 1)
  if (version === '') notes.add('names no version', 1)
  const names = {
    family: flavour?.[1] ?? family,
    version: version.replace(/ LTS$/i, ''),
    variant: flavour?.[2] ?? medium ?? '',
    arch,
  }
  return {
    ...nameOnly('disk-info', names),
    codename: codename.toLowerCase(),
    ...defined({ timestamp: timestampIn(rest) }),
    problems: notes.list(),
  }
}

function readLive(line: string): Description | undefined {
  const match = /^(?:\w+ )?(\w[\w/ ]{1,40}) Live (\d[\w.]{0,20}) [\w-]{1,40}(?: (20\d\d-\d\d-\d\d.*))?$/.exec(
    line,
  )
  if (!match) return undefined
  const [, family = '', version = '', date = ''] = match
  return {
    ...nameOnly('disk-info', { family, version, variant: 'LIVE', arch: '' }),
    ...defined({ timestamp: timestampIn(date) }),
  }
}

/** `20240210-11:27`, `(20230810)` or `2024-02-10T11:30`, taken as UTC. */
function timestampIn(text: string): number | undefined {
  const match = /\b(20\d\d)-?(\d\d)-?(\d\d)(?:[-.T](\d\d):(\d\d))?/.exec(text)
  if (!match) return undefined
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0] = match.slice(1).map((part) => Number(part ?? 0))
  return Date.UTC(year, month - 1, day, hour, minute) / 1000
}

/**
 * Reads `version.info` of Debian's unpacked `netboot.tar.gz`, which has no other descriptor:
 *
 *     Debian version:  12 (bookworm)
 *     Installer build: 20230607+deb12u10
 */
export function readVersionInfo(_file: string, text: string): Description | undefined {
  // A longer file is something else.
  if (text.length > 4096) return undefined
  const match = /^(Debian|Ubuntu|Kali|Devuan)[ \w/]* version:\s*(\S+)(?:\s+\((\S+)\))?/im.exec(text)
  if (!match) return undefined
  const [, family = '', version = '', codename] = match
  return {
    ...nameOnly('version-info', { family, version, variant: 'netboot' }),
    ...defined({ codename: codename?.toLowerCase() }),
  }
}
