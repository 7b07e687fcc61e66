import { formatKernelArg } from '../core/boot/kernel-args.ts'
import type { KernelArg } from '../core/boot/plan.ts'
import { byteLength } from '../core/boot/text.ts'
import { Failure } from '../core/failure.ts'

/**
 * One quoting function per target language. Every text in a rendered file passes one of these, or is a
 * literal of ours. When a language cannot express a text, the function throws `invalid-data` with the text
 * and the language: a wrong boot file is worse than none.
 */

const control = /[\x00-\x1f\x7f]/

function quotingFailure(language: string, text: string, why: string): Failure {
  return new Failure(
    'invalid-data',
    `${language} cannot express ${JSON.stringify(text.slice(0, 200))}: ${why}`,
  )
}

function refuseControl(language: string, text: string): void {
  if (control.test(text)) throw quotingFailure(language, text, 'it holds a control character')
}

/**
 * A message for people, as any screen shows it: control characters become blanks, runs of blanks one, and
 * other characters than ASCII a question mark (firmware consoles have code page 437 at best). Of a text that would fill
 * the screen, the beginning. Never for data.
 */
export function screenText(text: string): string {
  const shown = text
    .slice(0, 4 * mostOnScreen)
    .replace(/[\x00-\x1f\x7f\s]+/g, ' ')
    .replace(/[^\x20-\x7e]/gu, '?')
    .trim()
  return shown.length <= mostOnScreen ? shown : `${shown.slice(0, mostOnScreen - 3).trimEnd()}...`
}

/** Five lines of 80 columns: the message of a template may have any length. */
const mostOnScreen = 400

/**
 * POSIX shell (XCU 2.2.2): single quotes keep everything but the single quote, which is written `'\''`. Plain
 * words get no quotes; a word that begins with `=` gets them, because zsh replaces `=ls` by the path of ls. Not
 * for the first word of a command, where `a=b` is an assignment.
 */
export function shellWord(text: string): string {
  if (text.includes('\0')) throw quotingFailure('a shell', text, 'it holds a NUL')
  if (/^[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+:,./=-]*$/.test(text)) return text
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** The right side of `NAME=` in a shell: always quoted, and newlines are kept. */
export function shellValue(text: string): string {
  if (text.includes('\0')) throw quotingFailure('a shell', text, 'it holds a NUL')
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/**
 * Part of a comma-separated option of virt-install. Its parser is Python's shlex in POSIX mode with `,` as
 * the only blank: quotes and backslashes count, so whatever is not plain goes into double quotes.
 */
export function virtInstallPart(text: string): string {
  refuseControl('virt-install', text)
  if (/^[A-Za-z0-9_@%+:./ ~-]*$/.test(text)) return text
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/**
 * Value inside a QEMU option such as `-drive file=...`: a comma is doubled (qemu-options, "-drive"), no other
 * character is special.
 */
export function qemuPart(text: string): string {
  refuseControl('a QEMU option', text)
  return text.replaceAll(',', ',,')
}

/**
 * The text after APPEND, SAY or MENU LABEL in a PXELINUX configuration. It has no quotes or escapes and ends
 * with its line. Blanks around it are lost. An APPEND of `-` alone means none (syslinux 6.04, readconfig.c).
 */
export function pxelinuxLine(text: string): string {
  refuseControl('PXELINUX', text)
  if (text !== text.trim()) throw quotingFailure('PXELINUX', text, 'it begins or ends with a blank')
  if (text === '-') throw quotingFailure('PXELINUX', text, 'a lone - means "no arguments"')
  return text
}

/** A file name in a PXELINUX configuration. It ends at the first blank; FILENAME_MAX is 256 with its NUL. */
export function pxelinuxPath(text: string): string {
  refuseControl('PXELINUX', text)
  if (text === '' || /\s/.test(text))
    throw quotingFailure('PXELINUX', text, 'a file name there holds no blank')
  if (byteLength(text) > 255)
    throw quotingFailure('PXELINUX', text, `${byteLength(text)} bytes in a file name; at most 255`)
  return text
}

/**
 * A word of a GRUB script (GRUB manual 16.3): like the shell, single quotes keep all but the single quote.
 * Newlines are kept as well, but no command of ours wants one.
 */
export function grubWord(text: string): string {
  refuseControl('GRUB', text)
  if (/^[A-Za-z0-9_@%+:,./=-]+$/.test(text)) return text
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/**
 * A kernel argument as a word of GRUB's `linux` command. GRUB writes the command line itself
 * (grub_create_loader_cmdline, 2.06): a word with a space gets double quotes around it, which the kernel
 * takes off again, and quotes and backslashes get a backslash in front, which the kernel does not take off.
 * So `'`, `"` and `\` cannot be written.
 */
export function grubKernelArg(arg: KernelArg): string {
  formatKernelArg(arg)
  const word = arg.value === undefined ? arg.key : `${arg.key}=${arg.value}`
  if (/["'\\]/.test(word))
    throw quotingFailure(
      'GRUB',
      word,
      'it puts a backslash before every quote and backslash of a kernel argument',
    )
  return grubWord(word)
}

/**
 * Text in an iPXE command. iPXE splits at blanks, knows no quotes, and expands `${...}` word by word until
 * none is left (exec.c, settings.c), so a literal `${` cannot be written. Blanks that must survive as they
 * are, a `#` that would begin a comment, `&&`, `||` and `;` alone, and a backslash at the end of a line come
 * from the variables of `ipxeVariables`.
 */
export function ipxeText(text: string): string {
  refuseControl('iPXE', text)
  if (text.includes('${')) throw quotingFailure('iPXE', text, `it would expand \${...}`)
  return (
    text
      .replace(/^ | $| (?= )/g, `\${sp}`)
      // After `}`, too: it may be the end of a `${sp}` that stands for a blank.
      .replace(/(^|[ }])#/g, `$1\${hash}`)
      .replace(/(^| )&&(?= |$)/g, `$1\${amp}&`)
      .replace(/(^| )\|\|(?= |$)/g, `$1\${bar}|`)
      .replace(/(^| );(?= |$)/g, `$1\${semi}`)
      .replace(/\\$/, `\${bs}`)
  )
}

/** One word of an iPXE command: no blank may separate it. */
export function ipxeWord(text: string): string {
  return ipxeText(text).replaceAll(' ', `\${sp}`)
}

/**
 * Commands that set those variables of `ipxeText` that a script uses. They come first in the script. A
 * variable set by `:hex` would also be printed as hex, so it is set once more as `:string`.
 */
export function ipxeVariables(script: string): string {
  const hex: Readonly<Record<string, string>> = {
    sp: '20',
    hash: '23',
    amp: '26',
    bar: '7c',
    semi: '3b',
    bs: '5c',
  }
  return Object.keys(hex)
    .filter((name) => script.includes(`\${${name}}`))
    .map((name) => `set ${name}:hex ${hex[name]}\nset ${name} \${${name}:string}\n`)
    .join('')
}

/**
 * Text or a quoted attribute value in HTML: references by number need no list of entities (WHATWG HTML,
 * 13.1.4).
 */
export function htmlText(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}

/**
 * Text or an attribute value in XML 1.0. Most control characters, U+FFFE, U+FFFF and lone surrogates are not
 * XML characters (2.2).
 */
export function xmlText(text: string): string {
  refuseNonXml(text)
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&apos;',
    '\t': '&#9;',
    '\n': '&#10;',
    '\r': '&#13;',
  }
  return text.replace(/[&<>"'\t\n\r]/g, (char) => entities[char] ?? char)
}

/**
 * The inside of an XML comment (2.5): `--` and a `-` at the end are not allowed, and entities are not read
 * there.
 */
export function xmlComment(text: string): string {
  if (/--|-$/.test(text)) throw quotingFailure('an XML comment', text, 'it holds -- or ends with -')
  refuseNonXml(text)
  return text
}

function refuseNonXml(text: string): void {
  if (/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(text) || /\p{Surrogate}/u.test(text))
    throw quotingFailure('XML', text, 'it holds a character that XML has no way to write')
}

/**
 * A string in xl.cfg (libxlu_cfg.c): double quotes, `\"` and `\\`, as in Python. Its `\x41` skips a digit and
 * its `\101` is decimal, so no other escape is used and control characters are refused.
 */
export function xlString(text: string): string {
  refuseControl('xl.cfg', text)
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
