import { Failure } from '../../core/failure.ts'

/**
 * The URL of a server as it is used and kept: without a slash at its end.
 *
 * @throws Failure `bad-request` for what is no such URL.
 */
export function serverUrl(text: string): string {
  const url = /^https?:\/\/./i.test(text) && URL.canParse(text) ? new URL(text) : undefined
  const isPlain = url && url.username + url.password + url.search + url.hash === ''
  if (!isPlain)
    throw new Failure(
      'bad-request',
      `${JSON.stringify(text.replace(/\/\/[^/]*@/, '//***@'))} is not the URL of a server; expected one such as http://mirror:8080`,
    )
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '')
}
