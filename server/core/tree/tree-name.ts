import { distroName, parseDistro } from '../distro/distro.ts'
import { type Distro, recordOf } from '../distro/families.ts'
import { archIn, withoutArchs } from './arch.ts'
import { versionOfCodename } from './version.ts'
import type { Identity } from './volume-ids.ts'

/**
 * What the path of a tree below `trees/` says of it: `fedora/40/x86_64`, `Fedora-Server-netinst-x86_64-25-1.3`.
 *
 * The name of a distribution counts wherever it stands, and the one nearest to the tree wins. A version must follow
 * it: behind it in the same folder's name, or in the names below. When no folder names a distribution, only the
 * tree's own name may have a version: folders above hold anything (`lay2/copy-x86_64`).
 */
export function readTreeName(path: string): Identity {
  const folders = path.split('/').map(wordsOf)
  const named = nearestDistro(folders)
  const arch =
    path
      .split('/')
      .map(archIn)
      .findLast((found) => found !== undefined) ?? ''
  if (!named) return { family: '', version: versionIn(folders.at(-1) ?? []), variant: '', arch }
  const { at, word, distro } = named
  const own = folders[at] ?? []
  const version = [own.slice(word), ...folders.slice(at + 1), own.slice(0, word)].map(versionIn).find(Boolean)
  return { family: distroName(distro), version: version ?? '', variant: '', arch }
}

/**
 * The words of a folder's name, without architectures. `64bit` and the 64 of `slackware64` say nothing of a version,
 * nor which architecture of 64 bits it is.
 */
function wordsOf(folder: string): string[] {
  return withoutArchs(folder)
    .replace(/(?<![a-z0-9])(?:32|64)[-_ ]?bits?(?![a-z0-9])/gi, ' ')
    .replace(/(?<=[a-z]{4})64(?![a-z0-9.])/gi, ' ')
    .split(/[_\s-]+/)
    .map((word) => word.replace(/^\.+|\.+$/g, ''))
    .filter((word) => word !== '')
}

interface NamedDistro {
  readonly distro: Distro
  /** The folder's index, and that of the word which may begin the version. */
  readonly at: number
  readonly word: number
}

function nearestDistro(folders: readonly (readonly string[])[]): NamedDistro | undefined {
  for (let at = folders.length - 1; at >= 0; at--) {
    const words = folders[at] ?? []
    for (let first = 0; first < words.length; first++) {
      const named = distroAt(words, first)
      if (named) return { ...named, at }
    }
  }
  return undefined
}

/** The longest name of a distribution has five words: SUSE Linux Enterprise Server, with its version in the last. */
const mostWords = 5

/** The distribution that the words from `first` on name, by as many words as possible: CentOS Stream before CentOS. */
function distroAt(words: readonly string[], first: number): Omit<NamedDistro, 'at'> | undefined {
  for (let end = Math.min(words.length, first + mostWords); end > first; end--) {
    const name = words.slice(first, end)
    // Digits end a name: it is `centos7`, and not `centos 7 x`.
    if (name.slice(0, -1).some((word) => /\d/.test(word)) || !/^[a-z]/i.test(words[end - 1] ?? '')) continue
    const text = name.join('')
    const bare = text.replace(/\d[\d.]*(?:(?:u|sp)\d+)?$/i, '')
    const distro = distroCalled(bare)
    // `el` and `f` alone may mean anything: `el9`, `f40` and `fc-6` are read.
    if (distro && bare.length <= 2 && bare === text && versionAt(words, end) === undefined) continue
    if (distro) return { distro, word: bare === text ? end : end - 1 }
  }
  return undefined
}

/** `arch` alone may mean an architecture; `archlinux` does not. */
function distroCalled(name: string): Distro | undefined {
  const distro = parseDistro(name)
  if (!distro || distro === 'other') return undefined
  return recordOf(distro).commonWord && name.toLowerCase() === distro ? undefined : distro
}

function versionIn(words: readonly string[]): string {
  for (const at of words.keys()) {
    const version = versionAt(words, at)
    if (version !== undefined) return version
  }
  return ''
}

const rollingWord = /^(?:rawhide|tumbleweed|slowroll|sid|testing|unstable|cauldron|sisyphus|eln)$/i
/** Letters that may stand directly before a version, beside the name of a distribution: `v9.4`, `R9` of Oracle, `p10` of ALT. */
const versionPrefix = /^(?:v|ver|version|r|rel|release|p)$/i
/** A number as a version has it. Dates are not versions: two digits before the first dot, or the year of Kali. */
const numbered = /^([a-z]*)(\d{1,2}(?:\.\d+)*|20\d\d\.\d{1,2}(?:\.\d{1,2})?)(?:(?:u|sp)(\d{1,2}))?$/i

/** The version that a word begins; undefined when it is not one: `disc1`, `20240210`, `lab2`. */
function versionAt(words: readonly string[], at: number): string | undefined {
  const word = words[at] ?? ''
  if (rollingWord.test(word)) return word
  const codename = versionOfCodename(word)
  if (codename !== undefined) return codename
  const [, prefix = '', number = '', update] = numbered.exec(word) ?? []
  // 05-ubuntu is the fifth of a list.
  if (number === '' || /^0\d/.test(number) || !mayPrecede(prefix)) return undefined
  const next = words[at + 1] ?? ''
  // R9-U4 of Oracle Linux is 9.4, and 15-SP5 of SUSE 15.5.
  const minor = update ?? /^(?:u|sp)(\d{1,2})$/i.exec(next)?.[1]
  if (minor !== undefined && !number.includes('.')) return `${number}.${minor}`
  return /^(?:alpha|beta|rc)\d*$/i.test(next) ? `${number}_${next}` : number
}

function mayPrecede(prefix: string): boolean {
  return prefix === '' || versionPrefix.test(prefix) || (parseDistro(prefix) ?? 'other') !== 'other'
}
