import { createHash } from 'node:crypto'
import { withIncludes } from './includes.ts'

/** A tag that takes in another template, and is not an `include` of one literal name. */
const otherIncludes =
  /\{%[-+]?\s*(?:import|extends|from|include\s+[^'"\s]|include\s+['"][^'"]*['"]\s*[^-+%\s])/

/**
 * A digest of all texts that a rendering of this template can be made of: the template and what it includes, or every
 * template where it names others in a way that only the engine can follow.
 */
export function templateDigest(name: string, templates: ReadonlyMap<string, string>): string {
  const own = withIncludes(name, templates)
  const isOpen = own.some((each) => otherIncludes.test(templates.get(each) ?? ''))
  const names = isOpen ? [...templates.keys()] : own
  const hash = createHash('sha256')
  for (const each of names) hash.update(JSON.stringify([each, templates.get(each)]))
  return hash.digest('base64')
}
