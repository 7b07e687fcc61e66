import type { TemplateProblem } from './problem.ts'

/** The engine broke an inner promise or ran out of memory; WebAssembly's state is undefined after it. */
export class EnginePanic extends Error {}

/**
 * What the engine threw, as a problem: `undefined value (in fedora.ks:12)` and the like.
 *
 * @throws EnginePanic for what is no error of a template
 */
export function engineProblem(error: unknown, name: string): TemplateProblem {
  const text = error instanceof Error ? error.message : String(error)
  const kind = error instanceof Error ? error.name : ''
  if (kind === 'RuntimeError' || kind === 'RangeError' || text.includes('unsafe aliasing'))
    throw new EnginePanic(text)
  const first = text.split('\n', 1)[0] ?? text
  const match = /^(.*) \(in (.+):(\d+)\)$/.exec(first)
  return {
    template: match?.[2] ?? name,
    line: Number(match?.[3] ?? 1),
    severity: 'error',
    ...inOurWords(match?.[1] ?? first),
  }
}

/** A second look would only take as long again. */
export const tooMuchWork = 'it does too much work'

function inOurWords(message: string): { message: string; remedy?: string } {
  if (message.includes('ran out of fuel'))
    return {
      message: 'it does too much work',
      remedy: 'look for a loop that does not end, or ranges multiplied',
    }
  if (message.includes('unexpected end of comment'))
    return {
      message: 'a comment begins with {# and does not end',
      remedy: `bash's \${#x} opens one: put {% raw %} before and {% endraw %} after it`,
    }
  const filter = /^unknown filter: filter (\w+) is unknown/.exec(message)?.[1]
  if (filter !== undefined)
    return { message: `there is no filter ${filter}`, remedy: 'README.md in the templates folder lists them' }
  const callee = /^unknown function: (\S+) is unknown/.exec(message)?.[1]
  if (callee !== undefined) return { message: `there is no function or macro ${callee}` }
  return { message }
}

/** The snippet in which it went wrong, when the engine says no more than that. */
export function failedInclude(problem: TemplateProblem): string | undefined {
  return /^could not render include: error in "(.+?)"/.exec(problem.message)?.[1]
}

/** The name that an include, extends or import asked for in vain. */
export function absentTemplate(problem: TemplateProblem): string | undefined {
  const match = /non-existing template "(.+?)"|template "(.+?)" does not exist/.exec(problem.message)
  return match?.[1] ?? match?.[2]
}
