import { createHash } from 'node:crypto'
import { htmlText } from '../../render/quote.ts'

const style = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 32rem; margin: 0 auto; padding: 1.5rem; }
`
const digest = createHash('sha256').update(style).digest('base64')

export const refusalPageHeaders = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'Cache-Control': 'no-store',
  'Referrer-Policy': 'no-referrer',
}

/**
 * Why a sign-in by a provider failed, for the browser of the person.
 *
 * @param again Where another one begins.
 */
export function refusalPage(why: string, again: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>treeboot: not signed in</title>
<style>${style}</style>
<main>
<h1>Not signed in</h1>
<p role="alert">${htmlText(why)}.</p>
<p><a href="${htmlText(again)}">Sign in again</a></p>
</main>
</html>
`
}
