import type { TemplateProblem } from './problem.ts'

/** The engine has a bug or ran out of memory. The state of WebAssembly is undefined afterwards. */
export class EnginePanic extends Error {}

/**
 * Makes a problem from an exception of the engine, such as `undefined value (in fedora.ks:12)`.
 *
 * @throws EnginePanic when the exception is not an error of a template
 */
export function engineProblem(error: unknown, name: string): TemplateProblem {
  const text = error instanceof Error ? error.message : String(error)
  const errorName = error instanceof Error ? error.name : ''
  // A trap of WebAssembly, a stack overflow in it, or an object that a panic left locked (wasm-bindgen).
  if (errorName === 'RuntimeError' || errorName === 'RangeError' || text.includes('unsafe aliasing'))
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

/**
 * The message when the fuel is used up. Such a template is not rendered a second time for a better message:
 * that would take as long as the first time.
 */
export const tooMuchWork = 'the template does too much work'

/** What people write who know Python, and what the engine says to it. */
const pythonisms: readonly { pattern: RegExp; message: string; remedy: string }[] = [
  {
    pattern: /^invalid operation: invalid (?:float|integer) literal/,
    message: 'a text is not a number',
    remedy: 'write int(default=0), or float(default=0), for texts that may be none',
  },
  {
    pattern: /operator on unsupported types string and/,
    message: 'a text and a value of another kind cannot be joined by this operator',
    remedy: 'write {{ pattern | format(value) }} instead of %, and ~ instead of +',
  },
  {
    pattern: /unknown method: sequence has no method named (?:append|extend|insert|update)/,
    message: 'a list cannot be changed',
    remedy:
      'write {% set list = list + [value] %}; in a loop, {% set ns.list = ns.list + [value] %} of a namespace',
  },
  {
    pattern: /unknown method: map has no method named (?:update|setdefault|pop)/,
    message: 'a mapping cannot be changed',
    remedy: "write {% set map = map | combine({'key': value}) %}",
  },
  {
    pattern: /unknown statement (?:continue|break)/,
    message: 'there is no {% continue %} and no {% break %}',
    remedy: 'write {% for x in list if condition %}, or {% if %} in the loop',
  },
  {
    pattern: /unexpected `,`, expected assignment operator/,
    message: '{% set %} takes one name',
    remedy: 'write one {% set %} for each name',
  },
]

function inOurWords(message: string): { message: string; remedy?: string } {
  const known = pythonisms.find(({ pattern }) => pattern.test(message))
  if (known) return { message: known.message, remedy: known.remedy }
  if (message.includes('ran out of fuel'))
    return {
      message: tooMuchWork,
      remedy: 'look for a loop that does not end, or for nested loops over long ranges',
    }
  if (message.includes('unexpected end of comment'))
    return {
      message: 'a comment begins with {# and does not end',
      remedy: `\${#x} of bash begins a comment: put {% raw %} before it and {% endraw %} after it`,
    }
  const filter = /^unknown filter: filter (\w+) is unknown/.exec(message)?.[1]
  if (filter !== undefined)
    return {
      message: `the filter ${filter} does not exist`,
      remedy: 'README.md in the templates folder lists all filters',
    }
  const test = /^unknown test: test (\w+) is unknown/.exec(message)?.[1]
  if (test !== undefined)
    return {
      message: `the test ${test} does not exist`,
      remedy: 'README.md in the templates folder lists what holds of Jinja2 and Ansible',
    }
  const method = /^unknown method: (\w+) has no method named (\w+)/.exec(message)
  if (method)
    return {
      message: `a ${method[1]} has no method ${method[2]}`,
      remedy: 'write a filter: README.md in the templates folder lists them',
    }
  const callee = /^unknown function: (\S+) is unknown/.exec(message)?.[1]
  if (callee === 'lookup' || callee === 'query')
    return {
      message: `there is no ${callee}()`,
      remedy: 'give the value in vars of the guest or its profile',
    }
  if (callee !== undefined) return { message: `the function or macro ${callee} does not exist` }
  return { message }
}

/** The name of the snippet that failed, when the message of the engine says nothing else. */
export function failedInclude(problem: TemplateProblem): string | undefined {
  return /^could not render include: error in "(.+?)"/.exec(problem.message)?.[1]
}

/** The name of the missing template of an include, extends or import. */
export function absentTemplate(problem: TemplateProblem): string | undefined {
  const match = /non-existing template "(.+?)"|template "(.+?)" does not exist/.exec(problem.message)
  return match?.[1] ?? match?.[2]
}
