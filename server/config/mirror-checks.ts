import { canonicalIp } from '../core/net/address.ts'
import { allowingLine, isBelowUrl } from '../core/net/listed-url.ts'
import { reachOf } from '../core/net/reach.ts'
import type { ProblemList } from './problems.ts'
import type { Config } from './schema.ts'
import type { YamlText } from './yaml.ts'

/** A name may lead anywhere; an address of the own network or machine is told before the first run. */
export function checkMirrors({ mirrors, imports }: Config, text: YamlText, problems: ProblemList): void {
  for (const { id, urls, inFile } of mirrors) {
    const refused = urls.find(
      (each) => inFile && isOwnNetwork(each) && !isBelowUrl(new URL(each), imports.allow),
    )
    if (refused === undefined) continue
    const { protocol, host } = new URL(refused)
    const at = text.position(['mirrors', id, 'url'], 'value')
    const message = `mirrors.${id}.url: a mirror in mirrors.d does not fetch from ${host}, an address of your own network`
    problems.add('warning', at, message, allowingLine(`${protocol}//${host}/`))
  }
}

function isOwnNetwork(url: string): boolean {
  const address = URL.canParse(url) ? canonicalIp(new URL(url).hostname) : undefined
  return address !== undefined && reachOf(address) !== 'public'
}
