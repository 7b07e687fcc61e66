import { treeUrlPath } from '../core/boot/install-source.ts'
import type { ServerUrls } from '../core/boot/plan.ts'
import { urlOfPath } from '../core/boot/urls.ts'
import { Failure } from '../core/failure.ts'
import { treeRepositories } from '../core/kickstart/repositories.ts'
import type { InstallSource } from '../core/services.ts'
import type { Tree } from '../core/tree/tree.ts'
import { kickstartQuote } from './kickstart-quote.ts'

/**
 * The kickstart command that names the installation source: `url --url=...` for HTTP and FTP, `nfs
 * --server=... --dir=...` for NFS.
 *
 * @param repository URL of the packages, where that is not the tree.
 * @throws Failure `unavailable` when the guest is to install by a service that is closed.
 */
export function renderInstallSource(
  tree: Tree,
  urls: ServerUrls,
  source: InstallSource,
  repository?: string,
): string {
  if (repository !== undefined) return `url --url=${kickstartQuote(repository)}`
  // Only the boot files are here. The packages come from the upstream, whichever service the guest installs
  // by.
  if (tree.upstream !== undefined) return `url --url=${kickstartQuote(tree.upstream)}`
  const place = treeUrlPath(tree)
  if (source === 'nfs') {
    if (!urls.nfs) throw closed('nfs')
    const { host, options } = urls.nfs
    const extra = options === '' ? '' : ` --opts=${kickstartQuote(options)}`
    return `nfs --server=${kickstartQuote(host)} --dir=${kickstartQuote(place)}${extra}`
  }
  return `url --url=${kickstartQuote(urlOfPath(openBase(urls, source), place))}`
}

/**
 * One `repo` line for each variant of the tree except the base, which the `url` command has already. For
 * guests that install by NFS they are HTTP URLs, because `repo --baseurl` wants a URL. Optional repositories
 * and add-ons have no line: a template can add them from `repos`.
 */
export function renderRepoLines(tree: Tree, urls: ServerUrls, source: InstallSource): readonly string[] {
  const { base, all } = treeRepositories(tree, openBase(urls, source))
  return all
    .filter((each) => each !== base && each.kind === 'variant')
    .map((each) => `repo --name=${kickstartQuote(each.id)} --baseurl=${kickstartQuote(each.url)}`)
}

/** Base URL: of FTP for `ftp`, else of HTTP. Unlike `sourceBase` of core, it throws when FTP is closed. */
function openBase(urls: ServerUrls, source: InstallSource): string {
  if (source !== 'ftp') return urls.http
  if (urls.ftp === undefined) throw closed('ftp')
  return urls.ftp
}

function closed(service: string): Failure {
  return new Failure(
    'unavailable',
    `the guest installs by ${service}, and that service is closed: open it in config.yaml (${service}.enabled), or set source: http`,
  )
}
