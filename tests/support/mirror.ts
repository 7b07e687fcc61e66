import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { diskSource } from '../../server/files/disk.ts'
import { mirrorTree } from '../../server/intake/mirror/mirror-tree.ts'
import type { MirrorOptions } from '../../server/intake/mirror/options.ts'
import { FtpListener } from '../../server/protocols/ftp/server.ts'
import { VersionStore } from '../../server/versions/version-store.ts'
import { faultyServer } from './faulty-server.ts'
import { temporaryFolder } from './tree-folder.ts'

/** A faulty server over the folder `upstream`, and mirrors from it into `trees`. */
export async function mirrorInputs() {
  const base = temporaryFolder()
  const upstream = join(base, 'upstream')
  const trees = join(base, 'trees')
  mkdirSync(upstream)
  mkdirSync(trees)
  const server = await faultyServer(upstream)
  const { pauses, ...fetching } = scriptedWaiting()
  const store = new VersionStore(trees)
  const mirror = (path: string, options: MirrorOptions = {}) =>
    mirrorTree(store, [`${server.url}${path}`], { fetching, ...options })
  return { base, upstream, trees, server, store, pauses, mirror, fetching }
}

/** Serves a folder by FTP, until the test ends. */
export async function ftpServing(folder: string): Promise<string> {
  const service = new FtpListener({
    bind: '127.0.0.1',
    port: 0,
    source: diskSource(folder),
    events: () => undefined,
  })
  await service.start()
  onTestFinished(() => service.stop())
  return `ftp://127.0.0.1:${service.address?.port}`
}

/** A clock that only pauses move. With `chance` 1 no pause is shortened. */
function scriptedWaiting() {
  const pauses: number[] = []
  let nowMs = 1_000_000
  const pause = async (ms: number) => {
    pauses.push(ms)
    nowMs += ms
  }
  return { pauses, pause, chance: () => 1, clock: () => nowMs }
}

export const filesBelow = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort()

export function expectSame(a: string, b: string) {
  for (const file of filesBelow(a))
    expect(readFileSync(join(b, file)).equals(readFileSync(join(a, file))), file).toBe(true)
}
