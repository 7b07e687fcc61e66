import type { InstallSource } from '../services.ts'
import type { Tree } from '../tree/tree.ts'
import type { ServerUrls } from './plan.ts'
import { urlOfPath } from './urls.ts'

/** The path of a tree in the namespace. */
export function treeUrlPath(tree: Tree): string {
  return `/trees/${tree.id}`
}

/**
 * The path in the namespace of a file or folder of a tree. Descriptors also say `./images/...`, which is the
 * same file.
 */
export function treeFileUrlPath(tree: Tree, path: string): string {
  return `${treeUrlPath(tree)}/${path.replace(/^(\.?\/)+/, '')}`
}

/**
 * Base URL of the service that a guest installs by; undefined when that is FTP and FTP is closed. For NFS it
 * is the URL of HTTP: `nfsSource` has the NFS form.
 */
export function sourceBase(source: InstallSource, urls: ServerUrls): string | undefined {
  return source === 'ftp' ? urls.ftp : urls.http
}

/**
 * `nfs:[options:]host:/trees/<id>`, as anaconda and dracut read it (dracut.cmdline(7), anaconda inst.repo).
 * Undefined while NFS is closed.
 */
export function nfsSource(urls: ServerUrls, place: string): string | undefined {
  if (!urls.nfs) return undefined
  const options = urls.nfs.options === '' ? '' : `${urls.nfs.options}:`
  return `nfs:${options}${urls.nfs.host}:${place}`
}

/** `nfs://host/trees/<id>`, as linuxrc reads it. */
export function nfsUrl(urls: ServerUrls, place: string): string | undefined {
  return urls.nfs && urlOfPath(`nfs://${urls.nfs.host}`, place)
}

/**
 * The URL of the ISO image that a tree is read from. The image is served beside its contents, under its own
 * name. Undefined for a tree in a folder.
 */
export function isoUrl(tree: Tree, urls: ServerUrls): string | undefined {
  if (tree.origin.kind !== 'iso') return undefined
  const folder = tree.id.includes('/') ? tree.id.slice(0, tree.id.lastIndexOf('/') + 1) : ''
  return urlOfPath(urls.http, `/trees/${folder}${tree.origin.name}`)
}
