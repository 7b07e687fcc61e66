import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BootTestRequest } from '../../server/boottest/request.ts'
import { type ServedVersion, serveVersion } from '../../server/boottest/serve-version.ts'
import { answerLine } from '../../server/core/boottest/goals.ts'
import { keptFolder, makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

const requestFor = (path: string): BootTestRequest => ({
  id: 'fedora-40',
  path,
  kind: 'folder',
  trees: ['.'],
  firmware: ['bios'],
  reach: 'auto',
  timeoutMs: 'auto',
  folder: '/nowhere',
})

describe('a version under test', () => {
  const home = keptFolder()
  let served: ServedVersion
  let base: string
  const get = (path: string) => fetch(base + path)

  beforeAll(async () => {
    const area = join(home.path, 'uploads')
    makeTree(join(area, 'fedora-40'))
    makeTree(join(area, 'fedora-41'))
    writeFileSync(join(area, 'secret.txt'), 'of somebody else')
    const made = await serveVersion(requestFor(join(area, 'fedora-40')))
    if (!made) throw new Error('no tree')
    served = made
    base = served.url.replace('10.0.2.2', '127.0.0.1')
  })
  afterAll(async () => {
    await served.close()
    home.remove()
  })

  test('boots every time the guest that exists only there, by URLs of QEMU’s user network', async () => {
    const script = await (await get('/boot/by/52:54:00:b0:07:e5/boot.ipxe')).text()
    const own = script.includes('kernel ') ? script : await (await get('/boot/boot-test/ipxe')).text()
    expect(own).toContain(`${served.url}/trees/fedora-40/images/pxeboot/vmlinuz`)
    expect(own).toContain('console=ttyS0')
    expect(own).not.toContain('quiet')
  })

  test('its answer file says that it was read, and ends the machine', async () => {
    const text = await (await get('/ks/boot-test')).text()
    expect(text).toContain(answerLine)
    expect(text).toMatch(/%pre[\s\S]*poweroff -f/)
    expect(text).not.toMatch(/clearpart|autopart|^part /m)
    // As often as the machine likes.
    expect((await get('/ks/boot-test')).status).toBe(200)
  })

  test('is all that is served: not what lies beside it', async () => {
    expect((await get('/trees/fedora-40/.treeinfo')).status).toBe(200)
    for (const path of [
      '/trees/fedora-41/.treeinfo',
      '/trees/secret.txt',
      '/trees/../secret.txt',
      '/api/v1/trees',
    ])
      expect([path, (await get(path)).status]).toEqual([path, 404])
    const listing = await (await get('/trees/')).text()
    expect(listing).toContain('fedora-40')
    expect(listing).not.toMatch(/fedora-41|secret/)
  })
})

test('a version that no machine would be sent into is refused with the reason, before anything boots', async () => {
  const folder = temporaryFolder()
  makeTree(join(folder, 'fedora-40'))
  rmSync(join(folder, 'fedora-40/images/install.img'))
  await expect(serveVersion(requestFor(join(folder, 'fedora-40')))).rejects.toThrow(/no machine is sent into/)
})

test('from a repository nothing boots, and nothing is tested', async () => {
  const folder = temporaryFolder()
  const treeinfo = '[general]\nfamily = Fedora\nversion = 40\narch = x86_64\n'
  writeBelow(join(folder, 'AppStream'), '.treeinfo', treeinfo)
  expect(await serveVersion(requestFor(join(folder, 'AppStream')))).toBeUndefined()
})
