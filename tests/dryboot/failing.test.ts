import { rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { explainBoot } from '../../server/core/boot/explain.ts'
import type { TriedBoot } from '../../server/dryboot/steps.ts'
import type { TryOptions, TryParts } from '../../server/dryboot/try-boot.ts'
import { bootInputs } from '../../server/machines/decide.ts'
import { noMachines } from '../../server/machines/no-machines.ts'
import {
  allServices,
  efiFile,
  failureOf,
  loaderTexts,
  makeBootableTree,
  readFolder,
  tryIn,
} from '../support/dry-boot.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

const mac = '"52:54:00:aa:bb:01"'

/** A folder in which everything is right, but for what a test makes of it. */
function folderWith(guest: string, { config = 'dhcp: { mode: proxy }' } = {}): string {
  const folder = temporaryFolder()
  makeBootableTree(folder, 'fedora-40')
  for (const [name, bytes] of Object.entries(loaderTexts)) writeBelow(folder, `tftpboot/${name}`, bytes)
  writeBelow(folder, 'kickstart-templates/small.ks', 'text\n{{ install_source }}\n')
  const settings = `tree: { id: fedora-40 }, template: small.ks, ${guest}`
  writeBelow(folder, 'config.yaml', `${config}\nguests:\n  web01: { ${settings} }\n`)
  return folder
}

async function failureIn(folder: string, options: TryOptions = {}, parts: Partial<TryParts> = {}) {
  const [boot] = await tryIn(folder, 'web01', { firmware: 'bios', ...options }, parts)
  const failure = boot && failureOf(boot)
  expect(failure, JSON.stringify(boot?.steps)).toBeDefined()
  expect(boot?.steps.filter(({ outcome }) => outcome === 'failed')).toEqual([failure])
  return failure
}

describe('the loader', () => {
  test('is not there: the package that brings it', async () => {
    const folder = folderWith(`mac: ${mac}`)
    for (const name of ['undionly.kpxe', 'pxelinux.0']) rmSync(join(folder, 'tftpboot', name))
    expect(await failureIn(folder)).toMatchObject({
      what: 'dhcp',
      why: 'no loader for bios is there; treeboot loaders says what is missing',
      remedy: 'install ipxe (Debian) or ipxe-bootimgs-x86 (Fedora), or put undionly.kpxe into tftpboot/',
    })
  })

  test('has no package at all', async () => {
    const folder = folderWith(`mac: ${mac}, loader: grub`)
    for (const name of Object.keys(loaderTexts)) rmSync(join(folder, 'tftpboot', name))
    expect(await failureIn(folder)).toMatchObject({ remedy: 'put core.0 into tftpboot/' })
  })

  test('is one that another file belongs to', async () => {
    const folder = folderWith(`mac: ${mac}, loader: pxelinux`)
    rmSync(join(folder, 'tftpboot/ldlinux.c32'))
    expect(await failureIn(folder)).toMatchObject({
      what: 'loader',
      path: '/ldlinux.c32',
      remedy: expect.stringContaining('syslinux-common'),
    })
    const uefi = folderWith(`mac: ${mac}, loader: grub`)
    rmSync(join(uefi, 'tftpboot/grubx64.efi'))
    expect(await failureIn(uefi, { firmware: 'uefi-x64' })).toMatchObject({
      what: 'loader',
      path: '/grubx64.efi',
      remedy: expect.stringContaining('grub-efi-amd64-signed'),
    })
  })

  test.each([
    ['is empty', '', /is empty/],
    ['is a page that a download left', '<!DOCTYPE html><html>404', /is a web page/],
    ['is no UEFI program', 'iPXE', /is no UEFI program/],
    ['is for another CPU', efiFile({ cpu: 'arm64' }), /is for another machine than x64/],
  ])('%s', async (_, bytes, why) => {
    const folder = folderWith(`mac: ${mac}`)
    writeBelow(folder, 'tftpboot/snponly.efi', bytes)
    const failure = await failureIn(folder, { firmware: 'uefi-x64' })
    expect(failure).toMatchObject({ what: 'loader', path: '/snponly.efi' })
    expect(failure?.why).toMatch(why)
  })

  test('is longer than TFTP can count with the block size of a ROM', async () => {
    const folder = folderWith(`mac: ${mac}`)
    // 65,535 blocks of 1456 bytes, and one byte: that block is the first that it cannot count.
    truncateSync(join(folder, 'tftpboot/undionly.kpxe'), 65_535 * 1456 + 1)
    const failure = await failureIn(folder)
    expect(failure?.why).toMatch(/95418961 bytes: in blocks of 1456 these are 65536, .* counts to 65535/)
    truncateSync(join(folder, 'tftpboot/undionly.kpxe'), 65_535 * 1456 - 1)
    expect((await tryIn(folder, 'web01', { firmware: 'bios' }))[0]?.ok).toBe(true)
    // iPXE in the ROM counts on.
    truncateSync(join(folder, 'tftpboot/pxelinux.0'), 65_535 * 1456 + 1)
    const viaIpxe = folder
    writeBelow(
      viaIpxe,
      'guests.d/web02.yaml',
      'mac: 52:54:00:aa:bb:02\nloader: pxelinux\ntree: { id: fedora-40 }\n',
    )
    expect((await tryIn(viaIpxe, 'web02', { firmware: 'ipxe' }))[0]?.ok).toBe(true)
  })

  test('is not signed: a note, because firmware does not say whether Secure Boot is on', async () => {
    const folder = folderWith(`mac: ${mac}`)
    const notes = async (guest: string) => {
      writeBelow(
        folder,
        'config.yaml',
        `guests:\n  web01: { mac: ${mac}, tree: { id: fedora-40 }, ${guest} }\n`,
      )
      const [boot] = await tryIn(folder, 'web01', { firmware: 'uefi-x64' })
      return boot?.steps.flatMap((step) => step.notes ?? [])
    }
    expect(await notes('loader: ipxe')).toEqual([
      expect.stringMatching(/not signed: Secure Boot refuses it; set loader: grub/),
    ])
    expect(await notes('loader: grub')).toEqual([])
    writeBelow(folder, 'tftpboot/grubx64.efi', efiFile({ signed: false }))
    expect(await notes('loader: grub')).toEqual(['not signed: under Secure Boot shim refuses it'])
  })

  test('is not signed, and Secure Boot is on', async () => {
    const folder = folderWith(`mac: ${mac}`)
    const secure = { firmware: 'uefi-x64', secureBoot: true } as const
    expect(await failureIn(folder, secure)).toMatchObject({
      path: '/snponly.efi',
      why: 'not signed: Secure Boot refuses it',
      remedy: expect.stringContaining('set loader: grub'),
    })
    const signed = folderWith(`mac: ${mac}, loader: grub`, { config: '' })
    expect((await tryIn(signed, 'web01', secure))[0]).toMatchObject({ ok: true })
    writeBelow(signed, 'tftpboot/grubx64.efi', efiFile({ signed: false }))
    expect(await failureIn(signed, secure)).toMatchObject({ path: '/grubx64.efi' })
  })

  test('is Debian’s signed GRUB, by a proxy or by HTTP', async () => {
    const folder = folderWith(`mac: ${mac}, loader: grub`)
    expect((await failureIn(folder, { firmware: 'uefi-x64' }))?.why).toMatch(/never a proxy/)
    expect((await failureIn(folder, { firmware: 'uefi-http' }))?.why).toMatch(/has no HTTP inside/)
  })
})

describe('a service', () => {
  test('of DHCP that could not be opened', async () => {
    const { dhcp: _, ...services } = allServices
    expect(await failureIn(folderWith(`mac: ${mac}`), {}, { services })).toMatchObject({
      what: 'dhcp',
      why: 'the dhcp service is closed',
      remedy: expect.stringContaining('CAP_NET_BIND_SERVICE'),
    })
  })

  test('of TFTP where no firmware asks', async () => {
    const services = { ...allServices, tftp: { port: 10_069 } }
    expect((await failureIn(folderWith(`mac: ${mac}`), {}, { services }))?.why).toMatch(/not on port 69/)
  })

  test('of HTTP that is closed: what is fetched by it says so', async () => {
    const { http: _, ...services } = allServices
    const folder = folderWith(`mac: ${mac}`)
    expect((await failureIn(folder, { firmware: 'uefi-http' }, { services }))?.why).toMatch(
      /http service is closed/,
    )
    expect(await failureIn(folder, {}, { services })).toMatchObject({
      what: 'configuration',
      protocol: 'tftp',
      why: expect.stringMatching(/its installer would fetch .*, and the http service is closed/),
    })
  })

  test('on a machine without an IPv4 address', async () => {
    const who = { protocol: 'internal', address: '::1', localAddress: '2001:db8::1' } as const
    const folder = folderWith(`mac: ${mac}`)
    expect(await failureIn(folder, {}, { who })).toMatchObject({
      what: 'dhcp',
      why: 'treeboot has no IPv4 address for this machine (2001:db8::1)',
    })
    const off = folderWith(`mac: ${mac}`, { config: '' })
    expect(await failureIn(off, { firmware: 'bios' }, { who })).toMatchObject({ what: 'dhcp' })
    // UEFI gets its loader by DHCPv6 from another server.
    const [uefi] = await tryIn(off, 'web01', { firmware: 'uefi-x64' }, { who })
    expect(uefi?.ok, uefi?.end).toBe(true)
  })
})

describe('the tree', () => {
  test.each([
    ['kernel', 'images/pxeboot/vmlinuz'],
    ['initrd', 'images/pxeboot/initrd.img'],
    ['second stage', 'images/install.img'],
    ['repository', 'repodata/repomd.xml'],
  ])('lost its %s since it was read', async (what, path) => {
    const folder = folderWith(`mac: ${mac}`)
    const snapshot = await readFolder(folder)
    rmSync(join(folder, 'trees/fedora-40', path))
    const failure = await failureIn(folder, {}, { snapshot })
    expect(failure).toMatchObject({ what, path: `/trees/fedora-40/${path}` })
    expect(failure?.remedy).toBeDefined()
  })

  test('has a kernel for another machine', async () => {
    const folder = folderWith(`mac: ${mac}`)
    makeBootableTree(folder, 'fedora-arm', { arch: 'aarch64' })
    writeBelow(folder, 'config.yaml', `guests:\n  web01: { mac: ${mac}, tree: { id: fedora-arm } }\n`)
    expect(await failureIn(folder)).toMatchObject({
      what: 'kernel',
      why: 'is a kernel for aarch64, and the machine runs those for x86_64 or i386',
      remedy: expect.any(String),
    })
  })

  test('is not the one that an argument names', async () => {
    const folder = folderWith(`mac: ${mac}, args: ["inst.stage2=http://192.0.2.1:8080/trees/fedora-39"]`)
    expect(await failureIn(folder)).toMatchObject({
      what: 'argument',
      asked: 'inst.stage2=http://192.0.2.1:8080/trees/fedora-39',
      path: '/trees/fedora-39',
    })
  })

  test('lacks what an argument names that anaconda does without', async () => {
    const folder = folderWith(
      `mac: ${mac}, args: ["inst.updates=http://192.0.2.1:8080/trees/fedora-40/no.img"]`,
    )
    expect((await tryIn(folder, 'web01', { firmware: 'bios' }))[0]?.ok).toBe(true)
  })

  test('is another one, which has no second stage', async () => {
    const folder = folderWith(`mac: ${mac}, args: ["inst.stage2=http://192.0.2.1:8080/trees/fedora-39"]`)
    makeBootableTree(folder, 'fedora-39', { version: '39' })
    expect((await tryIn(folder, 'web01', { firmware: 'bios' }))[0]?.ok).toBe(true)
    const snapshot = await readFolder(folder)
    rmSync(join(folder, 'trees/fedora-39/images/install.img'))
    expect(await failureIn(folder, {}, { snapshot })).toMatchObject({
      what: 'second stage',
      path: '/trees/fedora-39/images/install.img',
    })
  })

  test('is on another server: that is not asked', async () => {
    const folder = folderWith(
      `mac: ${mac}, args: ["inst.stage2=http://203.0.113.1/39", "inst.repo=http://203.0.113.1/39"]`,
    )
    const [boot] = await tryIn(folder, 'web01', { firmware: 'bios' })
    expect(boot?.ok).toBe(true)
    const skipped = boot?.steps.filter(({ outcome }) => outcome === 'skipped')
    expect(skipped?.map(({ what, asked }) => [what, asked])).toEqual([
      ['second stage', 'http://203.0.113.1/39'],
      ['repository', 'http://203.0.113.1/39'],
    ])
  })

  test('has no packages, and the answer file takes them from elsewhere', async () => {
    const folder = folderWith(`mac: ${mac}`)
    rmSync(join(folder, 'trees/fedora-40/repodata'), { recursive: true })
    writeBelow(folder, 'kickstart-templates/small.ks', 'url --url=http://203.0.113.1/40\n')
    const [boot] = await tryIn(folder, 'web01', { firmware: 'bios' })
    expect(boot?.ok).toBe(true)
    const why = 'the answer file does not name the tree for packages'
    expect(boot?.steps.at(-1)).toMatchObject({ what: 'repository', outcome: 'absent', why })
  })
})

/** One home: these reasons are the planner's, and `explain` prints the same. */
describe('the words are those of explain', () => {
  async function wordsOf(folder: string): Promise<{ tried: TriedBoot | undefined; explained: string[] }> {
    const snapshot = await readFolder(folder)
    const [tried] = await tryIn(folder, 'web01', { firmware: 'bios' }, { snapshot })
    const who = { protocol: 'internal', address: '127.0.0.1', localAddress: '192.0.2.1' } as const
    const inputs = bootInputs({ snapshot, services: allServices, who, machines: noMachines })
    const whyNoAnswerFile = () => failureOf(tried as TriedBoot)?.why?.replace('guest web01: ', '')
    const lines = explainBoot({ name: 'web01' }, { ...inputs, whyNoAnswerFile })
    return { tried, explained: lines.filter(({ what }) => what === 'plan').map(({ from }) => from) }
  }

  test('a tree that is not there', async () => {
    const folder = folderWith(`mac: ${mac}`)
    rmSync(join(folder, 'trees/fedora-40'), { recursive: true })
    const { tried, explained } = await wordsOf(folder)
    expect(tried && failureOf(tried)?.why).toBe(`guest web01: ${explained[0]}`)
  })

  test('an answer file that cannot be made: template and line', async () => {
    const folder = folderWith(`mac: ${mac}`)
    writeBelow(folder, 'kickstart-templates/small.ks', 'text\n{{ nope }}\n')
    const { tried, explained } = await wordsOf(folder)
    expect(tried && failureOf(tried)).toMatchObject({
      what: 'configuration',
      why: expect.stringMatching(/its answer file cannot be made: small\.ks:2: .*nope/),
      remedy: expect.stringContaining('treeboot explain web01'),
    })
    expect(failureOf(tried as TriedBoot)?.why).toBe(`guest web01: ${explained[0]}`)
  })
})

describe('a guest that its machine cannot be known by', () => {
  test('has a serial number alone: iPXE tells it, PXELINUX does not', async () => {
    const folder = folderWith('serial: SN-1')
    const [boot] = await tryIn(folder, 'web01', { firmware: 'ipxe' })
    expect(boot).toMatchObject({ ok: true, end: 'installs fedora-40' })
    expect(boot?.steps[0]?.notes).toEqual(['by what it says to DHCP it is not this guest'])
    writeBelow(
      folder,
      'config.yaml',
      'dhcp: { loader: pxelinux }\nguests:\n  web01: { serial: SN-1, tree: { id: fedora-40 } }\n',
    )
    expect(await failureIn(folder)).toMatchObject({
      what: 'configuration',
      why: expect.stringMatching(/^the machine is taken for one that is no guest: menu of 1 trees/),
      remedy: expect.stringContaining('give the guest its MAC or UUID'),
    })
  })

  test('has a UUID alone, which GRUB does not send: DHCP has taught it', async () => {
    const folder = folderWith('uuid: 4c4c4544-0042-3510-8052-b4c04f4a3732, loader: grub', { config: '' })
    const seen = [
      {
        id: 'x',
        mac: '52:54:00:aa:bb:09',
        uuid: '4c4c4544-0042-3510-8052-b4c04f4a3732',
        firstMs: 1,
        lastMs: 1,
        count: 1,
      },
    ]
    const [boot] = await tryIn(folder, 'web01', { firmware: 'uefi-x64' }, { seen })
    expect(boot).toMatchObject({ ok: true })
  })
})

test('a boot configuration of the operator ends what is known', async () => {
  const folder = folderWith(`mac: ${mac}`)
  writeBelow(folder, 'tftpboot/boot.ipxe', '#!ipxe\nchain http://203.0.113.1/boot/by/x\n')
  const [boot] = await tryIn(folder, 'web01', { firmware: 'bios' })
  expect(boot).toMatchObject({
    ok: true,
    end: 'tftpboot/boot.ipxe, written by hand: what it boots is not known here',
  })
})
