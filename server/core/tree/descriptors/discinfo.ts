import { defined } from '../../defined.ts'
import { isKnownArch } from '../arch.ts'
import { type Description, nameOnly } from '../description.ts'
import { createNotes, splitLines, splitRelease } from './text.ts'

/**
 * Reads `.discinfo`: line 1 the timestamp, line 2 the release, line 3 the arch, line 4 `ALL` or the disc
 * numbers (absent since Fedora 15 and in CentOS 7); Fedora 2 to 8 and what was built from them add three
 * folders. anaconda compares line 3 with the machine and reads nothing else.
 */
export function readDiscinfo(file: string, text: string): Description | undefined {
  const notes = createNotes(file)
  const lines = splitLines(text).map((line) => line.trim())
  const [stamp = '', release = '', arch = '', discs = ''] = lines
  // A stamp has ten digits, and Red Star's date twelve; fewer than six are something else.
  if (!/^\d{6,}(\.\d+)?$/.test(stamp)) return undefined
  if (!/^[a-z][a-z0-9_,-]{0,31}$/i.test(arch)) {
    if (arch !== '' || release === '') return undefined
    notes.add('has no arch in line 3', 3)
  } else if (!isKnownArch(arch)) notes.add(`arch ${arch} is unknown`, 3)

  const { family, version } = splitRelease(release)
  if (release === '') notes.add('has no release in line 2', 2)
  else if (family === '') notes.add(`line 2 names only a version, ${version}`, 2)
  if (lines.length > 4) notes.add('has more than four lines; those after line 4 are not used', 5)
  return {
    ...nameOnly('discinfo', { family, version, arch }),
    timestamp: secondsOf(stamp),
    ...defined({ disc: discOf(discs) }),
    problems: notes.list(),
  }
}

/** Seconds since 1970, also of a date as Red Star writes it: `201204151234`. */
function secondsOf(stamp: string): number {
  const [, year, ...rest] = /^(20\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(stamp) ?? []
  if (year === undefined) return Number(stamp)
  const [month = 1, day = 1, hour = 0, minute = 0] = rest.map(Number)
  return Date.UTC(Number(year), month - 1, day, hour, minute) / 1000
}

/**
 * Which disc of a set this is: `1`, or `1,2,3` when one medium holds several. The largest number is taken as
 * the total. Undefined for `ALL`.
 */
function discOf(discs: string): Description['disc'] {
  const numbers = discs.split(',').map(Number)
  const [number] = numbers
  return number !== undefined && number > 0 ? { number, total: Math.max(...numbers) || number } : undefined
}
