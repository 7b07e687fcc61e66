import type { KernelArg, ServerUrls } from '../core/boot/plan.ts'
import { type CleanPath, cleanPath } from '../files/path.ts'
import { parseTarget } from '../protocols/http/target.ts'

/** The path in the namespace that a URL of ours names; undefined for a URL of another server. */
export function ownPath(url: string, { http, tftp, ftp, nfs }: ServerUrls): CleanPath | undefined {
  // anaconda's and dracut's own form: nfs:[OPTIONS:]HOST:/PATH
  const mounted = /^nfs:(?!\/\/)(?:[^:/]*:)?([^:/]+):(\/.*)$/.exec(url)
  if (mounted) return mounted[1] === nfs?.host ? cleanPath(mounted[2] ?? '/') : undefined
  const bases = [http, tftp, ftp, nfs && `nfs://${nfs.host}`].filter((base) => base !== undefined)
  const base = bases.find((each) => url === each || url.startsWith(`${each}/`))
  return base === undefined ? undefined : parseTarget(url.slice(base.length) || '/').path
}

/** URLs in the value of a kernel argument, which may have several, or words before one: `live:http://...`. */
const urlForm = /(?:https?|ftp|tftp|nfs):\/\/[^\s,;]+|nfs:(?:[^:/\s]*:)?[^:/\s]+:\/[^\s,;]*/g

export function urlsIn({ value = '' }: KernelArg): readonly string[] {
  return value.match(urlForm) ?? []
}
