import { Failure } from '../failure.ts'
import type { KernelArg } from './plan.ts'

/**
 * Splits a kernel command line by the rules of `next_arg` in Linux's lib/cmdline.c: blanks separate, double
 * quotes hide blanks from the separator, and there is no escape character. A quote right after `=` or before
 * the key is removed, together with a quote at the end of the argument; all others stay in it.
 */
export function parseKernelArgs(text: string): KernelArg[] {
  return text.match(word)?.map(parseWord) ?? []
}

/** Neither blanks nor quotes, and whatever is quoted; an unpaired quote goes to the end. */
const word = /(?:[^\s"]|"[^"]*(?:"|$))+/g

function parseWord(text: string): KernelArg {
  const quotedWhole = text.startsWith('"')
  const bare = quotedWhole ? text.slice(1) : text
  const equals = bare.indexOf('=')
  const key = equals < 0 ? bare : bare.slice(0, equals)
  if (equals < 0) return { key: quotedWhole ? unquoteEnd(key) : key }
  const value = bare.slice(equals + 1)
  if (value.startsWith('"')) return { key, value: unquoteEnd(value.slice(1)) }
  return { key, value: quotedWhole ? unquoteEnd(value) : value }
}

function unquoteEnd(text: string): string {
  return text.endsWith('"') ? text.slice(0, -1) : text
}

/**
 * Writes one argument so that the kernel reads the same argument back: without quotes if that is possible,
 * else with double quotes: `key="a b"`.
 *
 * @throws Failure `invalid-data` for an argument without a spelling: control characters, an unpaired double
 * quote, an empty key, or a blank in the key of a value.
 */
export function formatKernelArg(arg: KernelArg): string {
  if (plainKey.test(arg.key) && (arg.value === undefined || plainValue.test(arg.value)))
    return arg.value === undefined ? arg.key : `${arg.key}=${arg.value}`
  const candidates =
    arg.value === undefined
      ? [arg.key, `"${arg.key}"`]
      : [`${arg.key}=${arg.value}`, `${arg.key}="${arg.value}"`]
  const spelling = candidates.find((text) => !control.test(text) && parsesBackTo(text, arg))
  if (spelling !== undefined) return spelling
  throw new Failure(
    'invalid-data',
    `kernel argument ${JSON.stringify(`${arg.key}=${arg.value ?? ''}`)} cannot be written on a command line: ` +
      'expected no control characters, no unpaired double quote, and no blank in the key',
  )
}

/** Keys and values that need no quotes: nearly all. */
const plainKey = /^[^\s"=\x00-\x1f\x7f]+$/
const plainValue = /^[^\s"\x00-\x1f\x7f]*$/
const control = /[\x00-\x1f\x7f]/

function parsesBackTo(text: string, arg: KernelArg): boolean {
  const [first, ...more] = parseKernelArgs(text)
  if (first?.key !== arg.key || first.value !== arg.value || more.length > 0 || first.key === '') return false
  // An unpaired quote swallows the arguments that follow.
  return (text.split('"').length - 1) % 2 === 0
}

/** All arguments, one space between them. */
export function formatCmdline(args: readonly KernelArg[]): string {
  return args.map(formatKernelArg).join(' ')
}
