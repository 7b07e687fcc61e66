import { unquote } from './descriptors/text.ts'

const rolling =
  'rawhide|development|devel|tumbleweed|factory|testing|unstable|sid|stable|cauldron|eln|[a-z]+-rolling'
const number =
  '\\d[\\w.]*(?:[ -]?(?:SP|R|U|Update|Beta|Alpha|RC)[ -]?\\d*(?![\\w]))?(?: (?:r\\d+\\w*|LTS|GA|Beta|Alpha|RC\\d*))?'
const pattern = new RegExp(`^(.*?)[\\s_-]+(?:release |version |v)?(${number}|${rolling})(?:\\D{0,2})$`, 'i')

/**
 * Takes a product line apart: `Fedora Core 2`, `SUSE Linux Enterprise Server 12 SP5`, `Fedora-Server 21_Alpha`,
 * `Fedora development`, `Debian GNU/Linux 4.0 r1`. CentOS 7 writes the bare version into `.discinfo`; a name without
 * a number has no version.
 */
export function splitRelease(text: string): { family: string; version: string } {
  const line = unquote(text.replace(/\s+/g, ' ').trim())
  if (/^\d[\w.]*$/.test(line)) return { family: '', version: line }
  const match = pattern.exec(line)
  return match
    ? { family: (match[1] ?? '').trim(), version: (match[2] ?? '').trim() }
    : { family: line, version: '' }
}
