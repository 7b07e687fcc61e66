import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Snapshot } from '../../server/catalog/snapshot.ts'
import type { Config } from '../../server/config/schema.ts'
import type { ServerUrls } from '../../server/core/boot/plan.ts'
import type { Guest, Sourced, VarValue } from '../../server/core/guest/guest.ts'
import { createGuestIndex } from '../../server/core/guest/match.ts'
import type { NetworkSettings } from '../../server/core/guest/network.ts'
import { createTreeIndex } from '../../server/core/select/select.ts'
import type { Tree } from '../../server/core/tree/tree.ts'

/** Guests, trees and snapshots for the tests of answer files. */

const said = <T>(value: T): Sourced<T> => ({ value, from: 'guest web01 (config.yaml:21)' })

export const urls: ServerUrls = {
  http: 'http://mirror.example:8080',
  ftp: 'ftp://mirror.example',
  nfs: { host: 'mirror.example', options: '' },
}

export function guestWith(
  template: string,
  vars: Readonly<Record<string, VarValue>> = {},
  more: Partial<Guest> = {},
): Guest {
  return {
    name: 'web01',
    macs: ['52:54:00:aa:bb:01'],
    profiles: ['web', 'base'],
    definedAt: 'config.yaml:21',
    settings: {
      template: said(template),
      args: [],
      vars: Object.fromEntries(Object.entries(vars).map(([name, value]) => [name, said(value)])),
      virt: {
        hypervisor: said('kvm'),
        type: said('hvm'),
        memory: said(2048),
        vcpus: said(2),
        disk: said(20),
        network: said('bridge=br0'),
      },
      source: said('http'),
      retry: said(false),
    },
    ...more,
  }
}

/** The same guest with a network, as `network:` of config.yaml says it. */
export function withNetwork(guest: Guest, network: NetworkSettings): Guest {
  const sourced = Object.fromEntries(Object.entries(network).map(([key, value]) => [key, said(value)]))
  return { ...guest, settings: { ...guest.settings, network: sourced } }
}

export function treeWith(more: Partial<Tree>): Tree {
  return {
    id: 'fedora-40',
    distro: 'fedora',
    era: 'treeinfo-1.2',
    family: 'Fedora',
    version: '40',
    variant: 'Server',
    arch: 'x86_64',
    platforms: {
      x86_64: { kernel: 'images/pxeboot/vmlinuz', initrd: 'images/pxeboot/initrd.img', others: {} },
    },
    repositories: [{ id: 'Server', name: 'Server', kind: 'variant', path: '.' }],
    checksums: {},
    problems: [],
    origin: { kind: 'folder', path: '/srv/trees/fedora-40' },
    state: 'ready',
    reasons: [],
    sizes: {},
    sha256: {},
    modifiedMs: 0,
    ...more,
  }
}

export const rocky9 = treeWith({
  id: 'rocky/9/BaseOS/x86_64/os',
  distro: 'rocky',
  family: 'Rocky Linux',
  version: '9.4',
  variant: 'BaseOS',
  repositories: [
    { id: 'BaseOS', name: 'BaseOS', kind: 'variant', path: '.' },
    { id: 'AppStream', name: 'AppStream', kind: 'variant', path: '../../../AppStream/x86_64/os' },
    {
      id: 'HighAvailability',
      name: 'HighAvailability',
      kind: 'addon',
      path: '../../../HighAvailability/x86_64/os',
    },
  ],
})

export const centos7 = treeWith({
  id: 'centos-7',
  distro: 'centos',
  family: 'CentOS',
  version: '7',
  variant: '',
  repositories: [],
})

export const debian12 = treeWith({
  id: 'debian-12',
  distro: 'debian',
  family: 'Debian',
  version: '12',
  variant: '',
  arch: 'amd64',
  codename: 'bookworm',
  repositories: [],
})

export const ubuntu2404 = treeWith({
  ...debian12,
  id: 'ubuntu-24.04',
  distro: 'ubuntu',
  family: 'Ubuntu',
  version: '24.04',
  codename: 'noble',
})

export const leap15 = treeWith({
  id: 'leap-15.6',
  distro: 'opensuse',
  family: 'openSUSE Leap',
  version: '15.6',
  variant: '',
  repositories: [],
})

export const leap16 = treeWith({ ...leap15, id: 'leap-16.0', version: '16.0' })

/** The templates that treeboot ships, as the catalog reads them. */
export function shippedTemplates(): ReadonlyMap<string, string> {
  const folder = join(import.meta.dirname, '../../kickstart-templates')
  // Folders have no dot in their names.
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.\w/.test(name))
  return new Map(
    names
      .filter((name) => !name.endsWith('.md'))
      .sort()
      .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  )
}

export function snapshotWith(
  guests: readonly Guest[],
  templates: ReadonlyMap<string, string>,
  generation = 1,
): Snapshot {
  return {
    generation,
    config: {} as Config,
    trees: createTreeIndex([]),
    guests: createGuestIndex(guests),
    profiles: new Map(),
    selectors: [],
    templates,
    problems: [],
  }
}
