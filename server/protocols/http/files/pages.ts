import { bytes as size } from '../../../events/units.ts'
import { type CleanPath, parentPath } from '../../../files/path.ts'
import type { Entry } from '../../../files/source.ts'
import { encodePath } from '../target.ts'

/**
 * The pages of the file service: the listing of a folder, and the error page for browsers. Each page is
 * complete in itself: no script, no asset, nothing that a page of another origin could influence.
 */
const style = `
:root{color-scheme:light dark;--line:#d2d2d2;--dim:#5f6368;--link:#0059b3;--hover:#f3f6fa}
@media(prefers-color-scheme:dark){:root{--line:#3d4043;--dim:#a3a8ad;--link:#8ab8f5;--hover:#26292c}}
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.25rem;font-weight:600;margin:0 0 1rem;overflow-wrap:anywhere}
a{color:var(--link);text-decoration:none}a:hover,a:focus-visible{text-decoration:underline}
table{border-collapse:collapse;width:100%}
th{text-align:left;font-weight:600;color:var(--dim);font-size:.85rem}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line)}
tbody tr:hover{background:var(--hover)}
td:first-child,th:first-child{padding-left:0;overflow-wrap:anywhere}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;color:var(--dim)}
.sep{color:var(--dim);margin:0 .25em}
p,footer{color:var(--dim)}footer{margin-top:1rem;font-size:.85rem}
@media(max-width:32rem){.t{display:none}}`

/** The headers of every page. */
export const pageHeaders: readonly string[] = [
  'Content-Type',
  'text/html; charset=utf-8',
  'Content-Security-Policy',
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
  'Cache-Control',
  'no-cache',
  'Vary',
  'Accept',
]

/**
 * The listing of a folder as an HTML page. Links are absolute, so the page works with and without a slash at
 * the end of its URL.
 */
export function folderPage(path: CleanPath, entries: readonly Entry[]): Iterable<Buffer> {
  return inBlocks(folderPieces(path, entries))
}

function* folderPieces(path: CleanPath, entries: readonly Entry[]): Generator<string> {
  const folders = entries.filter((entry) => entry.kind === 'folder')
  const files = entries.filter((entry) => entry.kind !== 'folder')
  const base = path === '/' ? '' : encodePath(path)
  const bytes = files.reduce((sum, entry) => sum + entry.size, 0)
  const [before = '', after = ''] = page(
    path,
    `<h1><nav aria-label="Path">${breadcrumbs(path)}</nav></h1>
<table>
<thead><tr><th scope="col">Name</th><th scope="col" class="n">Size</th><th scope="col" class="n t">Modified (UTC)</th></tr></thead>
<tbody>
${rowsHere}</tbody>
</table>
<footer>${count(folders.length, 'folder')}, ${count(files.length, 'file')}, ${size(bytes)} in files</footer>`,
  ).split(rowsHere)
  yield before
  if (path !== '/')
    yield `<tr><td><a href="${escapeHtml(folderLink(parentPath(path)))}" rel="up">Parent folder</a></td><td class="n"></td><td class="n t"></td></tr>\n`
  for (const entry of folders) yield `${row(base, entry)}\n`
  for (const entry of files) yield `${row(base, entry)}\n`
  yield after
}

/** Marks where the rows go: a path never contains a control character. */
const rowsHere = '\0'
const blockLength = 64 * 1024

/**
 * Encodes text in blocks, each when it is asked for: the page of 60,000 files has 17 MiB.
 */
function* inBlocks(pieces: Iterable<string>): Generator<Buffer> {
  let text = ''
  for (const piece of pieces) {
    text += piece
    if (text.length < blockLength) continue
    yield Buffer.from(text, 'utf8')
    text = ''
  }
  yield Buffer.from(text, 'utf8')
}

/** The listing of a folder as JSON, for scripts that send `Accept: application/json`. */
export function folderJson(path: CleanPath, entries: readonly Entry[]): Iterable<Buffer> {
  return inBlocks(jsonPieces(path, entries))
}

function* jsonPieces(path: CleanPath, entries: readonly Entry[]): Generator<string> {
  yield `{"path":${JSON.stringify(path)},"entries":[`
  for (const [n, { name, kind, size, modifiedMs }] of entries.entries()) {
    const modified = new Date(modifiedMs).toISOString()
    yield `${n === 0 ? '' : ','}${JSON.stringify({ name, kind, size, modified })}`
  }
  yield ']}'
}

/** The error page for browsers; machines do not get it. `nearest`: the nearest folder that exists. */
export function errorPage(title: string, path: string, message: string, nearest?: CleanPath): string {
  const hint =
    nearest === undefined
      ? ''
      : `<p>The nearest folder that exists is <a href="${escapeHtml(folderLink(nearest))}">${escapeHtml(nearest)}</a>.</p>`
  return page(
    title,
    `<h1>${escapeHtml(title)}</h1>\n<p>${escapeHtml(message)}: <code>${escapeHtml(path)}</code></p>\n${hint}`,
  )
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} - treeboot</title>
<style>${style}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`
}

function row(base: string, entry: Entry): string {
  const folder = entry.kind === 'folder'
  const link = escapeHtml(`${base}/${encodeURIComponent(entry.name)}${folder ? '/' : ''}`)
  const iso = new Date(entry.modifiedMs).toISOString()
  const shown = folder ? '' : `<span title="${entry.size} bytes">${size(entry.size)}</span>`
  const time = `<time datetime="${iso}">${iso.slice(0, 16).replace('T', ' ')}</time>`
  return `<tr><td><a href="${link}">${escapeHtml(entry.name)}${folder ? '/' : ''}</a></td><td class="n">${shown}</td><td class="n t">${time}</td></tr>`
}

function breadcrumbs(path: CleanPath): string {
  const names = path.split('/').filter((name) => name !== '')
  let link = '/'
  const crumbs = ['<a href="/" aria-label="Root folder">/</a>']
  for (const [i, name] of names.entries()) {
    link += `${encodeURIComponent(name)}/`
    const text = escapeHtml(name)
    crumbs.push(
      i === names.length - 1
        ? `<span aria-current="page">${text}</span>`
        : `<a href="${escapeHtml(link)}">${text}</a>`,
    )
  }
  const [root = '', ...others] = crumbs
  return `${root}<span class="sep"></span>${others.join('<span class="sep">/</span>')}`
}

function folderLink(path: CleanPath): string {
  return path === '/' ? '/' : `${encodePath(path)}/`
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
