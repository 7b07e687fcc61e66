import type { Signature } from './filters/filter.ts'
import type { Token } from './lexer.ts'

/** A call of a filter, a test or a method that cannot be made as it is written. */
export class WrongCall extends Error {
  readonly offset: number
  readonly remedy: string

  constructor(token: Token, message: string, remedy: string) {
    super(message)
    this.offset = token.start
    this.remedy = remedy
  }
}

/** An argument: a range of tokens without its name. */
export interface Argument {
  readonly name: string | undefined
  readonly from: number
  readonly to: number
}

/** @throws WrongCall */
export function checkCall(
  token: Token,
  signature: Signature,
  args: readonly Argument[],
  what = 'filter',
): void {
  const { params = [], options = [], rest = false } = signature
  const name = what === 'method' ? `.${token.text}()` : token.text
  const known = [...params, ...options]
  const listed =
    known.length > 0 ? `its arguments are ${known.join(', ')}` : `write ${name} without arguments`
  const remedy = signature.remedy ?? listed
  const positional = args.filter((each) => each.name === undefined).length
  if (positional > params.length && !rest)
    throw new WrongCall(
      token,
      `${what} ${name}: takes at most ${params.length} values, found ${positional}`,
      remedy,
    )
  const seen = new Set(params.slice(0, positional))
  for (const { name: key } of args) {
    if (key === undefined) continue
    if (!known.includes(key) && signature.anyName !== true)
      throw new WrongCall(token, `${what} ${name}: there is no argument ${key}`, remedy)
    if (seen.has(key))
      throw new WrongCall(token, `${what} ${name}: the argument ${key} is given twice`, remedy)
    seen.add(key)
  }
}
