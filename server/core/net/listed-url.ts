/** URLs that begin with a listed one. Both are compared as the URL standard reads them. */

/** The ports that a URL need not name, of the schemes that the URL standard does not know as such. */
const defaultPorts: Readonly<Record<string, string>> = { 'rsync:': '873' }

/** What allows a source, with the line to write. The section `import` beside it says other things. */
export function allowingLine(source: string): string {
  const line = `imports: { allow: [${JSON.stringify(source)}] }`
  return `imports.allow in config.yaml (not the section import) must list it: ${line}`
}

/**
 * A URL of a tree that may be fetched: without user and password, which would be shown, and without escaped
 * slashes and dots, which servers take for folders.
 *
 * @returns Undefined for any other text.
 */
export function plainSourceUrl(text: string): URL | undefined {
  if (!/^(https?|ftp|rsync):\/\//i.test(text) || !URL.canParse(text)) return undefined
  const url = new URL(text)
  if (url.username !== '' || url.password !== '' || url.host === '') return undefined
  return isPlainPath(url.pathname) ? url : undefined
}

function isPlainPath(path: string): boolean {
  try {
    const decoded = decodeURIComponent(path)
    const hasSlash = /%2f|%5c|\\/i.test(path)
    return !hasSlash && decoded.split('/').every((part) => part !== '..' && part !== '.')
  } catch {
    return false
  }
}

/** Whether a URL is a listed one, or lies below it. `http://host/a` lists `http://host/a/b` and not `http://host/ab`. */
export function isBelowUrl(url: URL, listed: readonly string[]): boolean {
  if (!isPlainPath(url.pathname)) return false
  return listed.some((each) => {
    if (!URL.canParse(each)) return false
    const above = new URL(each)
    const isSameServer =
      url.protocol === above.protocol &&
      url.hostname.toLowerCase() === above.hostname.toLowerCase() &&
      portOf(url) === portOf(above)
    const folder = above.pathname.replace(/\/*$/, '/')
    return isSameServer && (`${url.pathname}/`.startsWith(folder) || url.pathname === above.pathname)
  })
}

function portOf({ protocol, port }: URL): string {
  return port === '' ? (defaultPorts[protocol] ?? '') : port
}
