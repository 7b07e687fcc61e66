import type { SnapshotProblem } from '../../core/problem.ts'
import { bootablePlatforms } from '../../core/tree/boot-files.ts'
import type { Tree } from '../../core/tree/tree.ts'
import { htmlText } from '../../render/quote.ts'

/** The contents of the front page, ready to be shown. */
export interface FrontView {
  readonly version: string
  /** The URL by which this browser reached us: `http://mirror.example:8080`. */
  readonly url: string
  /** These three are undefined for somebody who may not see them. */
  readonly services:
    | readonly {
        readonly name: string
        readonly where: string
        readonly note: string
        readonly open: boolean
        /** A URL that a browser or a desktop opens. */
        readonly link?: string
      }[]
    | undefined
  readonly trees: readonly Tree[]
  readonly guests:
    | readonly { readonly name: string; readonly identity: string; readonly plan: string }[]
    | undefined
  readonly problems: readonly SnapshotProblem[] | undefined
}

/**
 * The page at `/`: what is served, what is wrong, and a line to copy for each tree. It has no scripts, and
 * loads no other file.
 */
export function frontPage(view: FrontView): string {
  const ready = view.trees.filter((tree) => tree.state === 'ready').length
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>treeboot</title>
<style>${style}</style>
<header><h1>treeboot</h1><p>${ready} of ${view.trees.length} trees ready</p></header>
<main>
${problemSection(view.problems)}
${treeSection(view)}
${guestSection(view)}
${serviceSection(view)}
</main>
<footer>treeboot ${htmlText(view.version)} · <a href="/trees/">files</a> · <a href="/api/docs">API</a></footer>
</html>
`
}

function problemSection(problems: readonly SnapshotProblem[] = []): string {
  if (problems.length === 0) return ''
  const items = problems.map((problem) => {
    const remedy = problem.remedy ? ` <em>${htmlText(problem.remedy)}</em>` : ''
    return `<li class="${problem.severity}"><code>${htmlText(problem.where)}</code> ${htmlText(problem.message)}${remedy}</li>`
  })
  return `<section><h2>Problems</h2><ul class="problems">${items.join('\n')}</ul></section>`
}

function treeSection({ trees, url }: FrontView): string {
  if (trees.length === 0) {
    return `<section><h2>Trees</h2>
<p class="empty">No tree yet. Copy an installation tree into <code>trees/</code>, one folder for each; it then appears here.</p></section>`
  }
  const rows = trees.map(
    (tree) => `<tr>
<td><span class="state ${tree.state}">${tree.state}</span></td>
<th scope="row"><a href="${href(`/trees/${tree.id}/`)}">${htmlText(tree.id)}</a></th>
<td>${htmlText([tree.family, tree.version, tree.variant].filter(Boolean).join(' '))}</td>
<td>${htmlText(tree.arch)}</td>
<td>${howToInstall(tree, url)}</td>
</tr>`,
  )
  return `<section><h2>Trees</h2>
<table><thead><tr><th>State</th><th>Tree</th><th>System</th><th>Arch</th><th>Install from it</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></section>`
}

function howToInstall(tree: Tree, url: string): string {
  if (tree.state !== 'ready') return htmlText(tree.reasons.join('; '))
  if (bootablePlatforms(tree).length === 0) return 'packages only'
  return `<code>--location ${htmlText(`${url}/trees/${tree.id}`)}</code>`
}

function guestSection({ guests = [] }: FrontView): string {
  if (guests.length === 0) return ''
  const rows = guests.map(
    (guest) =>
      `<tr><th scope="row">${htmlText(guest.name)}</th><td><code>${htmlText(guest.identity)}</code></td><td>${htmlText(guest.plan)}</td>` +
      `<td><a href="${href(`/ks/${guest.name}`)}">answer file</a></td></tr>`,
  )
  return `<section><h2>Guests</h2>
<table><thead><tr><th>Guest</th><th>Known by</th><th>Would boot</th><th></th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></section>`
}

function serviceSection({ services = [] }: FrontView): string {
  if (services.length === 0) return ''
  const rows = services.map(
    (service) =>
      `<tr class="${service.open ? '' : 'off'}"><th scope="row">${htmlText(service.name)}</th>` +
      `<td>${htmlText(service.where)}</td><td>${linkTo(service.link)} ${htmlText(service.note)}</td></tr>`,
  )
  return `<section><h2>Services</h2><table><tbody>${rows.join('\n')}</tbody></table></section>`
}

function linkTo(url: string | undefined): string {
  return url === undefined ? '' : `<a href="${htmlText(url)}">${htmlText(url)}</a>`
}

function href(path: string): string {
  return htmlText(path.split('/').map(encodeURIComponent).join('/'))
}

const style = `
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--good:#3e8635;--bad:#c9190b;--wait:#b58100}
body{font:15px/1.5 "Red Hat Text",system-ui,sans-serif;max-width:72rem;margin:0 auto;padding:1.5rem}
header{display:flex;align-items:baseline;gap:1rem}h1{margin:0;font-size:1.6rem}header p{margin:0;opacity:.7}
h2{font-size:1.1rem;margin:2rem 0 .5rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.4rem .8rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top;font-weight:400}
thead th{opacity:.6;font-size:.85rem}tbody th{font-weight:600;white-space:nowrap}
code{font:13px ui-monospace,monospace;background:var(--soft);padding:.1rem .3rem;border-radius:3px;word-break:break-all}
.state{font-size:.85rem;padding:.1rem .5rem;border-radius:1rem;border:1px solid currentColor}
.ready{color:var(--good)}.broken,.error code{color:var(--bad)}.incoming,.verifying{color:var(--wait)}
.problems{padding-left:1.2rem}.off{opacity:.5}.empty{opacity:.8}footer{margin-top:2.5rem;opacity:.7;font-size:.9rem}`
