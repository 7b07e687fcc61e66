import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { requireClient } from '../support/clients.ts'
import { exchange } from '../support/http.ts'
import { type Bench, guestImages, makeBench, startTreeboot, type Treeboot } from '../support/lab/lab.ts'
import type { LabImages } from '../support/lab/trees.ts'
import { startXen } from '../support/lab/xen.ts'
import { dom0Needs } from '../support/lab/xen-dom0.ts'

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')

/** Reports the end of the installation, and says on the guest's console as what Xen runs it. */
const template = `text
%post
printf 'POST %s HTTP/1.0\\r\\nContent-Length: 0\\r\\n\\r\\n' {{ report_url | quote }} | \\
  busybox nc -w 5 {{ server.host }} {{ server.port }}
echo {{ guest.name }} installed on Xen as $(cat /sys/hypervisor/guest_type)
%end
`

interface XenGuest {
  readonly name: string
  readonly type: 'pv' | 'hvm'
  readonly mac: string
  readonly uuid?: string
  /** The tree it is installed from, and the folder there of the images that it must get. */
  readonly tree: string
  readonly images: string
}

const guests: readonly XenGuest[] = [
  {
    name: 'pv01',
    type: 'pv',
    mac: '52:54:00:aa:bb:01',
    uuid: '4c4c4544-0042-3510-8052-b4c04f4a3132',
    tree: 'with-xen',
    images: 'images/xen',
  },
  { name: 'pv02', type: 'pv', mac: '52:54:00:aa:bb:02', tree: 'without-xen', images: 'images/pxeboot' },
  { name: 'hvm01', type: 'hvm', mac: '52:54:00:aa:bb:03', tree: 'with-xen', images: 'images/pxeboot' },
]

describe('guests of a real Xen', () => {
  let bench: Bench

  beforeEach(() => {
    requireClient(...dom0Needs)
    bench = makeBench()
    return () => bench.undo.unwind()
  })

  test('PV and HVM: xl takes our xl.cfg as it is, and the guests install the same way', async () => {
    const { folder, undo } = bench
    const images = await guestImages()
    layTree(join(folder, 'trees/with-xen'), images, ['images/pxeboot', 'images/xen'])
    layTree(join(folder, 'trees/without-xen'), images, ['images/pxeboot'])
    writeFileSync(join(folder, 'templates/small.ks'), template)
    const treeboot = await startTreeboot(bench, {
      trees: ['with-xen', 'without-xen'],
      config: { guests: Object.fromEntries(guests.map((guest) => [guest.name, settingsOf(guest)])) },
    })
    // Asked before: once a guest is installed, it has no xl.cfg any more.
    const expected = await Promise.all(guests.map((guest) => whatGuestGets(treeboot, guest)))

    const { output, ended } = startXen(undo, {
      folder,
      treeboot: origin(treeboot),
      guests: guests.map(({ name }) => name),
    })
    await output.waitFor(/dom0: xen_version .*\n/, 120_000)
    for (const [index, { name, type }] of guests.entries()) {
      await output.waitFor(new RegExp(`dom0: ${name}: xl\\.cfg`), 60_000)
      await output.waitFor(new RegExp(`guest: booted with .*/ks/${name}\\b`), 180_000)
      await output.waitFor(new RegExp(`dom0: ${name}: xl create ended with \\d+\n`), 180_000)
      const said = saidBetween(
        output.text,
        `dom0: ${name}: xl.cfg`,
        `dom0: ${name}: xl create ended with 0\n`,
      )
      for (const line of expected[index] ?? []) expect(said).toContain(`${line}\n`)
      expect(said).toContain(`guest post: ${name} installed on Xen as ${type.toUpperCase()}\n`)
      expect(JSON.parse(treeboot.get(`/api/v1/guests/${name}`))).toMatchObject({ state: 'installed' })
    }
    expect(await ended, output.tail()).toBe(0)
  }, 600_000)
})

function settingsOf({ type, mac, uuid, tree }: XenGuest): Record<string, unknown> {
  return {
    mac,
    ...(uuid !== undefined && { uuid }),
    tree,
    template: 'small.ks',
    args: [`console=${type === 'pv' ? 'hvc0' : 'ttyS0'}`, 'quiet'],
    virt: { hypervisor: 'xen', type, memory: 256, vcpus: 1, disk: 1, network: 'bridge=br0' },
  }
}

/**
 * What must be read on the serial line when dom0 got that guest's xl.cfg and images, and the guest what these
 * say.
 */
async function whatGuestGets(treeboot: Treeboot, { name, type, images }: XenGuest): Promise<string[]> {
  const configuration = await asGuestsSee(treeboot, `/boot/${name}/xl.cfg`)
  const answer = JSON.parse(await asGuestsSee(treeboot, `/api/v1/lookup?guest=${name}&virt=${type}`))
  expect([answer.kernel.path, answer.initrd.path]).toEqual([`${images}/vmlinuz`, `${images}/initrd.img`])
  const answers = `${origin(treeboot)}/ks/${name}`
  expect(answer.cmdline).toContain(`inst.ks=${answers} `)
  return [
    `dom0: ${name}: xl.cfg sha256 ${sha256(configuration)}`,
    `dom0: ${name}: kernel sha256 ${answer.kernel.sha256}`,
    `dom0: ${name}: ramdisk sha256 ${answer.initrd.sha256}`,
    `guest: booted with ${answer.cmdline}`,
    `guest: answers ${answers} sha256 ${sha256(await asGuestsSee(treeboot, `/ks/${name}`))}`,
  ]
}

function saidBetween(text: string, from: string, to: string): string {
  const start = text.indexOf(from)
  const end = text.indexOf(to, start)
  if (start < 0 || end < 0)
    throw new Error(`expected ${from}, then ${to}:\n${text.slice(start, start + 6000)}`)
  return text.slice(start, end)
}

/** QEMU's own network calls this machine so, and so do the URLs that a guest is told there. */
function origin(treeboot: Treeboot): string {
  return `http://10.0.2.2:${treeboot.ports.http}`
}

async function asGuestsSee(treeboot: Treeboot, path: string): Promise<string> {
  const { host } = new URL(origin(treeboot))
  const { body } = await exchange(treeboot.ports.http ?? 0, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  return body.toString()
}

/**
 * A tree as Fedora 20 had it. Every platform has the same bytes, at a place of its own, so that a test sees
 * which were taken.
 */
function layTree(folder: string, from: LabImages, places: readonly string[]): void {
  const files = places.flatMap((place) => [
    [`${place}/vmlinuz`, from.kernel] as const,
    [`${place}/initrd.img`, from.initrd] as const,
  ])
  for (const [path, file] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    copyFileSync(file, join(folder, path))
  }
  // The small system loads no second stage, but without one no guest would be sent into the installer.
  mkdirSync(join(folder, 'LiveOS'), { recursive: true })
  writeFileSync(join(folder, 'LiveOS/squashfs.img'), 'second stage\n')
  const sections = places.map(
    (place) => `[images-${place.endsWith('/xen') ? 'xen' : 'x86_64'}]
kernel = ${place}/vmlinuz
initrd = ${place}/initrd.img
`,
  )
  const sums = files.map(([path, file]) => `${path} = sha256:${sha256(readFileSync(file))}\n`)
  writeFileSync(
    join(folder, '.treeinfo'),
    `[general]
name = Fedora-20
family = Fedora
timestamp = 1386857206.06
variant = Fedora
version = 20
packagedir =
arch = x86_64

${sections.join('\n')}
[checksums]
${sums.join('')}`,
  )
}
