import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { run, startChild } from '../../server/emulator/child.ts'
import { UndoStack } from '../../server/emulator/undo.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { buildTreeboot, labCache, treebootMain } from '../support/lab/lab.ts'

describe('npm run demo', () => {
  let folder: string
  const undo = new UndoStack()

  beforeAll(() => {
    buildTreeboot()
    folder = mkdtempSync(join(tmpdir(), 'treeboot-demo-'))
    undo.push(folder, () => rmSync(folder, { recursive: true, force: true }))
  })
  afterAll(() => undo.unwind())

  const demo = (...args: string[]) =>
    startChild(
      undo,
      [process.execPath, treebootMain, 'demo', '--folder', 'demo', '--cache', labCache, ...args],
      folder,
    )

  test('without a boot: the lookup, and what to type into virt-install and QEMU', async () => {
    const child = demo('--no-boot')
    expect(await child.ended, child.output.tail()).toBe(0)
    const said = child.output.text
    expect(said).toMatch(
      /"location": "http:\/\/127\.0\.0\.1:\d+\/trees\/debian\/dists\/\w+\/main\/installer-amd64"/,
    )
    expect(said).toMatch(/virt-install --name demo/)
    expect(said).toMatch(/-append '.*preseed\/url=http:\/\/10\.0\.2\.2:\d+\/ks\/demo/)
  })

  describe('with QEMU and root', () => {
    beforeEach(() => {
      requireRoot()
      requireClient('qemu-system-x86_64', 'dnsmasq', 'ip', '/usr/lib/ipxe/qemu/pxe-virtio.rom')
    })

    test('the real installer boots over PXE and fetches its preseed; nothing is left behind', async () => {
      const child = demo()
      expect(await child.ended, child.output.tail()).toBe(0)
      for (const path of ['/pxelinux.0', '/linux', '/initrd.gz']) expect(child.output.text).toContain(path)
      expect(child.output.text).toMatch(/http +\/ks\/demo/)
      expect(child.output.text).toMatch(/has its answer file, \d+ s after power on/)
      expect(networkNamespacesOf(child.pid)).toEqual([])
    }, 480_000)

    test('Ctrl-C in the middle takes machine and network down', async () => {
      const child = demo()
      await child.output.waitFor(/SeaBIOS/, 60_000)
      const [namespace = ''] = networkNamespacesOf(child.pid)
      expect(namespace).not.toBe('')
      process.kill(child.pid, 'SIGINT')
      await child.ended
      expect(networkNamespacesOf(child.pid)).toEqual([])
      expect(existsSync(`/run/netns/${namespace}`)).toBe(false)
    })
  })
})

function networkNamespacesOf(pid: number): string[] {
  return run('ip', 'netns', 'list').match(new RegExp(`^tb-${pid}-\\d+`, 'gm')) ?? []
}
