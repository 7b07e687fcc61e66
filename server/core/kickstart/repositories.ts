import { urlOfPath } from '../boot/urls.ts'
import type { Repository, Tree } from '../tree/tree.ts'

/** A repository of a tree as templates see it. */
export interface TreeRepository {
  readonly id: string
  readonly name: string
  readonly kind: Repository['kind']
  readonly url: string
}

export interface TreeRepositories {
  /** What the installer itself takes as its base when it is given the tree. */
  readonly base?: TreeRepository
  /** All repositories, with the base, in the order of the descriptor. */
  readonly all: readonly TreeRepository[]
}

/**
 * The variants that anaconda takes as base when none lies in the tree's own folder (RHEL 8 and later: a full
 * DVD).
 */
const baseVariants = ['BaseOS', 'Everything', 'Server', 'Workstation', 'Client', 'Fedora', 'main']

/**
 * The repositories of a tree with full URLs. Paths are relative to the tree and may leave it upwards to a
 * sibling (`../../../AppStream/x86_64/os` in the composes of RHEL-like systems), as anaconda itself resolves
 * them: joined, then os.path.normpath. A path that leaves `/trees` is left out, because nothing is served
 * there.
 *
 * @param base Base of the URLs: `http://mirror.example:8080`
 */
export function treeRepositories(tree: Tree, base: string): TreeRepositories {
  const all: TreeRepository[] = []
  for (const repository of tree.repositories) {
    const url = repositoryUrl(tree, repository.path, base)
    if (url === undefined) continue
    const id = repository.id || repository.name || 'repository'
    if (all.some((other) => other.id === id)) continue
    const { kind } = repository
    all.push({ id, name: repository.name || id, kind, url })
  }
  const treeUrl = repositoryUrl(tree, '.', base)
  const found =
    all.find((each) => each.url === treeUrl) ??
    baseVariants.map((id) => all.find((each) => each.id === id)).find((each) => each !== undefined)
  return found ? { base: found, all } : { all }
}

/**
 * The URL of a repository: on this server, or on the upstream of a tree that has only its boot files here.
 */
function repositoryUrl(tree: Tree, path: string, base: string): string | undefined {
  if (tree.upstream !== undefined && URL.canParse(tree.upstream))
    return new URL(`./${path}/`, tree.upstream.replace(/\/*$/, '/')).href.replace(/\/+$/, '')
  const place = joinedPlace(tree.id, path)
  return place === undefined ? undefined : urlOfPath(base, place)
}

function joinedPlace(id: string, path: string): string | undefined {
  const kept = id.split('/')
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') kept.push(part)
    else if (kept.pop() === undefined) return undefined
  }
  return kept.length === 0 ? undefined : `/trees/${kept.join('/')}`
}
