import { archsOfKernel } from '../catalog/scan/kernel-heads.ts'
import { treeFileUrlPath, treeUrlPath } from '../core/boot/install-source.ts'
import type { BootFile, InstallPlan } from '../core/boot/plan.ts'
import { firmwareOf, kernelArchsOf } from '../core/boot/test-firmware.ts'
import { urlOfPath } from '../core/boot/urls.ts'
import { defined } from '../core/defined.ts'
import { installerOf, isOldAnaconda } from '../core/distro/distro.ts'
import { neededFile } from '../core/distro/needed-files.ts'
import { lackText, type NeededFile, neededFileText } from '../core/tree/description.ts'
import { archOfPlatform, fitsKernel } from '../core/tree/kernel-arch.ts'
import type { Tree } from '../core/tree/tree.ts'
import { type CleanPath, cleanPath, joinPath } from '../files/path.ts'
import type { Client } from './clients.ts'
import { ownPath, urlsIn } from './own-urls.ts'
import { remedies } from './remedies.ts'
import type { StepName } from './steps.ts'
import type { Walk } from './walk.ts'

/**
 * What a machine asks for from its kernel on: kernel and initrd by its loader, and by its installer the second stage, the
 * answer file and the first file of its packages.
 *
 * @param client Fetches kernel and initrd.
 * @returns What happens at the end, in words.
 */
export async function walkInstaller(walk: Walk, plan: InstallPlan, client: Client): Promise<string> {
  await kernel(walk, plan, client)
  await image(walk, plan.initrd, 'initrd', client)
  await namedPlaces(walk, plan)
  await secondStage(walk, plan)
  await answerFile(walk, plan)
  await repository(walk, plan)
  return `installs ${plan.tree.id}`
}

async function kernel(walk: Walk, plan: InstallPlan, client: Client): Promise<void> {
  const { entry, step } = await fetchImage(walk, plan.kernel, 'kernel', client)
  const found = await archsOfKernel(entry)
  const told = archOfPlatform(plan.platform, plan.tree.arch).replace(/_v\d$/, '')
  const archs = found.length > 0 || told === '' ? found : [told]
  const { firmware, cpu } = walk.parts
  const real = firmwareOf(firmware, cpu)
  const runs = real === undefined ? archs : kernelArchsOf(real)
  const { outcome: _, ...asked } = step
  if (archs.length > 0 && !runs.some((arch) => fitsKernel(arch, archs)))
    walk.fail({
      ...asked,
      why: `is a kernel for ${archs.join(' or ')}, and the machine runs those for ${runs.join(' or ')}`,
      remedy: remedies.kernelArch,
    })
  const came = found.length > 0 ? `a kernel for ${found.join(' or ')}` : undefined
  const notes = found.length > 0 ? undefined : ['nothing in it says which machines it is for']
  walk.add({ ...step, ...defined({ came, notes }) })
}

async function image(walk: Walk, file: BootFile, what: StepName, client: Client): Promise<void> {
  walk.add((await fetchImage(walk, file, what, client)).step)
}

async function fetchImage(walk: Walk, { urlPath }: BootFile, what: StepName, client: Client) {
  const name = client.protocol === 'http' ? urlOfPath('', urlPath) : urlPath
  return walk.need({ what, name, client, isImage: true })
}

/** Arguments whose file an installer does without: anaconda says that it was not found, and goes on. */
const optionalKeys: ReadonlySet<string> = new Set(['inst.updates', 'updates', 'inst.dd', 'dd'])

/**
 * Places in trees that kernel arguments name. One that leads nowhere ends the installer, whoever wrote it. Below other paths
 * of ours a server in front of treeboot may have files that are not known here.
 */
async function namedPlaces(walk: Walk, { args, urls }: InstallPlan): Promise<void> {
  for (const arg of args.filter(({ key }) => !optionalKeys.has(key))) {
    for (const url of urlsIn(arg)) {
      const path = ownPath(url, urls)
      if (path === undefined || !path.startsWith('/trees/')) continue
      const why = await walk.whyNotThere(path)
      if (why !== undefined)
        walk.fail({
          what: 'argument',
          protocol: 'internal',
          asked: `${arg.key}=${url}`,
          path,
          why,
          remedy: remedies.argument,
        })
    }
  }
}

/** By which an installer fetches from the place where the guest installs from. */
function installerClient({ guest }: InstallPlan): Client {
  return { name: 'the installer', protocol: guest?.settings.source.value ?? 'http' }
}

/** Arguments of anaconda that name the tree with its second stage, the first that is given counts. */
const stage2Keys = ['inst.stage2', 'inst.repo']

/**
 * The second stage, or the rest of a live system. anaconda reads in `.treeinfo` where it is, and looks for two more images
 * that hardly a tree has (anaconda 45, dracut/anaconda-lib.sh, `anaconda_net_root`).
 */
async function secondStage(walk: Walk, plan: InstallPlan): Promise<void> {
  const { tree: own, args, urls } = plan
  const arg = stage2Keys.flatMap((key) => args.filter((each) => each.key === key)).at(0)
  const [url] = arg ? urlsIn(arg) : []
  const place = url === undefined ? undefined : ownPath(url, urls)
  if (url !== undefined && place === undefined) return otherServer(walk, 'second stage', url)
  const tree =
    place === undefined ? own : (walk.parts.snapshot.trees.byId(place.slice('/trees/'.length)) ?? own)
  const needed = neededFile(tree)
  if (!needed) return
  const folder = place ?? cleanPath(treeUrlPath(tree))
  const client =
    url === undefined ? installerClient(plan) : { name: 'the installer', protocol: protocolOf(url) }
  const isAnaconda =
    installerOf(tree.distro, tree.version, plan.kernel.path) === 'anaconda' && !isOldAnaconda(tree)
  const look = async (name: string) => {
    const found = await walk.look({
      what: 'second stage',
      name: nameFor(client, joined(folder, name)),
      client,
    })
    if (found) walk.add({ ...found.step })
    return found !== undefined
  }
  if (isAnaconda) await look('.treeinfo')
  await neededStep(walk, needed, { folder, client })
  if (isAnaconda) for (const name of ['images/updates.img', 'images/product.img']) await look(name)
}

interface Place {
  readonly folder: CleanPath
  readonly client: Client
}

async function neededStep(walk: Walk, needed: NeededFile, { folder, client }: Place): Promise<void> {
  const names = [...needed.anyOf, ...(await namesIn(walk, needed, folder))]
  const what = 'second stage'
  for (const [index, name] of names.entries()) {
    const wanted = { what, name: nameFor(client, joined(folder, name)), client, isImage: true } as const
    const isLast = index === names.length - 1
    const remedy = remedies.secondStage
    const found = isLast && !needed.folder ? await walk.need({ ...wanted, remedy }) : await walk.look(wanted)
    if (found) return walk.add({ ...found.step, came: needed.what })
  }
  walk.fail({
    what,
    protocol: client.protocol,
    asked: `${folder}/${neededFileText(needed)}`,
    why: `${folder}: ${lackText(needed)}`,
    remedy: remedies.secondStage,
  })
}

/** The files of a folder that would do, whatever their names are. */
async function namesIn(
  walk: Walk,
  { folder: any }: NeededFile,
  folder: CleanPath,
): Promise<readonly string[]> {
  if (!any) return []
  const listed = await walk.parts.source
    .list(joined(folder, any.path), walk.who('http'))
    .catch(() => undefined)
  return (listed ?? []).filter(({ name }) => any.name.test(name)).map(({ name }) => `${any.path}/${name}`)
}

/** cloud-init appends these to the URL of its data source, in this order. */
const seedFiles = ['network-config', 'meta-data', 'user-data', 'vendor-data']

/**
 * The answer file is made as for the installer, and is not claimed: only its size is told, because its text has the secrets
 * of the guest.
 */
async function answerFile(walk: Walk, { answerFile: url, urls, guest }: InstallPlan): Promise<void> {
  const path = url === undefined ? undefined : ownPath(url, urls)
  if (url === undefined || path === undefined) return
  const protocol = protocolOf(url)
  const client: Client = { name: 'the installer', protocol }
  const names = url.endsWith('/') ? seedFiles.map((name) => joined(path, name)) : [path]
  const template = guest?.settings.template?.value
  for (const name of names) {
    const { step } = await walk.need({ what: 'answer file', name: nameFor(client, name), client })
    walk.add({ ...step, came: `made from ${template}` })
  }
}

/** The file by which a package manager begins, where treeboot knows it. */
function firstFile(tree: Tree): CleanPath | undefined {
  const [repository] = tree.repositories
  // A sibling's path leads out of the tree, and stays below /trees.
  if (repository) return cleanPath(`${treeUrlPath(tree)}/${repository.path}/repodata/repomd.xml`)
  const isDebian = tree.hasPackages === true && tree.codename !== undefined
  return isDebian ? cleanPath(treeFileUrlPath(tree, `dists/${tree.codename}/Release`)) : undefined
}

async function repository(walk: Walk, plan: InstallPlan): Promise<void> {
  const { tree, args, urls } = plan
  const foreign = args
    .filter(({ key }) => key === 'inst.repo' || key === 'method')
    .flatMap(urlsIn)
    .find((url) => ownPath(url, urls) === undefined)
  if (tree.upstream !== undefined) return otherServer(walk, 'repository', tree.upstream)
  if (foreign !== undefined) return otherServer(walk, 'repository', foreign)
  const path = firstFile(tree)
  if (path === undefined) return
  const client = installerClient(plan)
  const without =
    plan.answerFile === undefined
      ? 'at the machine, another place for packages can be named'
      : 'the answer file does not name the tree for packages'
  const wanted = { what: 'repository', name: nameFor(client, path), client } as const
  const found = (await readsTree(walk, plan))
    ? await walk.need({ ...wanted, remedy: remedies.repository })
    : await walk.look({ ...wanted, without })
  if (found) walk.add(found.step)
}

/** Whether the installer takes its packages from the tree, and from nowhere else: its answer file says so. */
async function readsTree(walk: Walk, { tree, answerFile: url }: InstallPlan): Promise<boolean> {
  if (url === undefined) return false
  const { answers, guest, snapshot } = walk.parts
  const { text } = await answers.render({ guest, snapshot, who: walk.who('http') })
  return text.includes(urlOfPath('', treeUrlPath(tree)))
}

function otherServer(walk: Walk, what: StepName, url: string): void {
  walk.add({
    what,
    protocol: 'internal',
    asked: url,
    outcome: 'skipped',
    why: 'it is on another server, which is not asked',
  })
}

function protocolOf(url: string): Client['protocol'] {
  const [scheme] = /^(?:ftp|nfs|tftp)(?=:)/.exec(url) ?? ['http']
  return scheme as Client['protocol']
}

function joined(folder: CleanPath, name: string): CleanPath {
  return name.split('/').reduce<CleanPath>((path, part) => joinPath(path, part), folder)
}

function nameFor({ protocol }: Client, path: CleanPath): string {
  return protocol === 'http' ? urlOfPath('', path) : path
}
