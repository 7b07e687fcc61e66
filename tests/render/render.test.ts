import { describe, expect, test } from 'vitest'
import type { BootPlan } from '../../server/core/boot/plan.ts'
import { planBoot } from '../../server/core/boot/plan-boot.ts'
import { failureKind, failureMessage } from '../../server/core/failure.ts'
import {
  bootFileOf,
  type Format,
  formatOfBootFile,
  formats,
  isForLoaders,
  isFormat,
  renderPlan,
} from '../../server/render/render.ts'
import {
  debian12,
  fedora9,
  fedora40,
  leap15,
  makeGuest,
  makeInputs,
  makeTree,
  rhel6,
} from '../support/boot-inputs.ts'
import { expectGolden } from '../support/golden.ts'

const trees = [fedora40, rhel6, fedora9, debian12, leap15]
const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3132'
const guests = [
  makeGuest('web01', { tree: fedora40, template: 'fedora.ks', args: ['console=ttyS0'], uuid }),
  makeGuest('pv01', { tree: fedora9, template: 'fedora.ks', virt: { hypervisor: 'xen', type: 'pv' } }),
  makeGuest('xen-hvm', { tree: fedora40, template: 'fedora.ks', virt: { hypervisor: 'xen' } }),
  makeGuest('el6', { tree: rhel6, template: 'rhel.ks', virt: { network: 'network=default' }, source: 'ftp' }),
  makeGuest('deb12', { tree: debian12, template: 'preseed.cfg', vars: { hostname: 'deb12.example' } }),
  makeGuest('leap', { tree: leap15, template: 'autoinst.xml' }),
  makeGuest("o'brien & <sons>", {
    tree: fedora40,
    macs: ['52:54:00:00:00:01', '52:54:00:00:00:02'],
    virt: { network: 'user' },
    args: ['motd="semi; $HOME `id` && <b> & 100% #1 \'{x}\'"', 'a=\\b', 'empty='],
  }),
]
const inputs = makeInputs(trees, guests)

const scenes: readonly (readonly [string, BootPlan, readonly Format[]])[] = [
  ['fedora-40-hvm', planBoot({ name: 'web01' }, inputs), formats],
  [
    'fedora-9-pv',
    planBoot({ name: 'pv01' }, inputs),
    ['json', 'virt-install', 'libvirt', 'xl', 'pxelinux', 'grub', 'ipxe'],
  ],
  ['fedora-40-xen-hvm', planBoot({ name: 'xen-hvm' }, inputs), ['virt-install', 'libvirt', 'xl']],
  ['rhel-6-ftp', planBoot({ name: 'el6' }, inputs), ['pxelinux', 'grub', 'ipxe', 'virt-install', 'qemu']],
  ['debian-12', planBoot({ name: 'deb12' }, inputs), ['pxelinux', 'grub', 'ipxe', 'virt-install', 'libvirt']],
  ['leap-15', planBoot({ name: 'leap' }, inputs), ['pxelinux', 'grub', 'ipxe', 'virt-install']],
  [
    'nasty',
    planBoot({ name: "o'brien & <sons>" }, inputs),
    ['json', 'env', 'virt-install', 'libvirt', 'qemu', 'ipxe', 'pxelinux'],
  ],
  ['menu', planBoot({ macs: ['52:54:00:00:00:99'] }, inputs), ['pxelinux', 'grub', 'ipxe', 'json', 'env']],
  [
    'local-disk',
    { kind: 'local-disk', why: 'web01 is installed' },
    ['pxelinux', 'grub', 'ipxe', 'json', 'env'],
  ],
  [
    'refuse',
    { kind: 'refuse', why: `no tree\nfits \${x} "here"; né` },
    ['pxelinux', 'grub', 'ipxe', 'json', 'env'],
  ],
]

describe.each(scenes)('%s', (name, plan, wanted) => {
  test.each(wanted)('as %s', (as) => {
    // The golden of xl.cfg has kept its older name.
    expectGolden(`render/${name}.${as === 'xl' ? as : bootFileOf(as)}`, renderPlan(plan, as))
  })
})

test('each format has one file below /boot/<guest>/; three formats are for loaders', () => {
  for (const as of formats) expect(formatOfBootFile(bootFileOf(as))).toBe(as)
  expect(formatOfBootFile('constructor')).toBeUndefined()
  expect(formats.filter(isForLoaders)).toEqual(['ipxe', 'pxelinux', 'grub'])
})

test('PXELINUX gets HTTP URLs over HTTP, and paths from the TFTP root below a folder', () => {
  const plan = planBoot({ name: 'web01' }, inputs)
  expect(renderPlan(plan, 'pxelinux', { via: 'http' })).toContain(
    '  LINUX http://192.0.2.1:8080/trees/fedora/40/x86_64/images/pxeboot/vmlinuz\n',
  )
  expect(renderPlan(plan, 'pxelinux', { loaderFolder: 'bios' })).toContain('  LINUX ::/trees/fedora/40/')
  expect(renderPlan(plan, 'pxelinux', { loaderFolder: '' })).toContain('  LINUX /trees/fedora/40/')
})

describe('text that a format cannot express is refused, with the name of the format', () => {
  const planOf = (arg: string) => {
    const guest = makeGuest('a', { tree: fedora40, args: [arg] })
    return planBoot({ name: 'a' }, makeInputs([fedora40], [guest]))
  }
  test.each([
    ['grub', `x=it's`],
    ['grub', 'x=a\\b'],
    ['grub', 'x={"a":1}'],
    ['ipxe', `x=\${net0/mac}`],
  ] as const)('%s and %s', (as, arg) => {
    try {
      renderPlan(planOf(arg), as)
      expect.unreachable()
    } catch (error) {
      expect(failureKind(error)).toBe('invalid-data')
      expect(failureMessage(error)).toMatch(new RegExp(as, 'i'))
    }
  })
  test('PXELINUX refuses a kernel with a blank in its path, except over HTTP', () => {
    const tree = makeTree('my tree')
    const plan = planBoot({ name: 'a' }, makeInputs([tree], [makeGuest('a', { tree })]))
    expect(() => renderPlan(plan, 'pxelinux')).toThrow(/pxelinux.*\/trees\/my tree\//i)
    expect(renderPlan(plan, 'pxelinux', { via: 'http' })).toContain('/trees/my%20tree/')
    expect(renderPlan(plan, 'grub')).toContain(`linux '/trees/my tree/images`)
  })
  test('a machine that a hypervisor cannot run is refused', () => {
    const pv = planBoot({ name: 'pv01' }, inputs)
    expect(() => renderPlan(pv, 'qemu')).toThrow(/qemu.*\bPV\b/i)
    const user = planBoot({ name: "o'brien & <sons>", virt: 'pv' }, inputs)
    expect(() => renderPlan(user, 'xl')).toThrow(/\bxl\b.*bridge/i)
    expect(() => renderPlan(user, 'libvirt')).toThrow(/user network/)
  })
  test('without KVM a PC has the best processor that QEMU can be: EL 9 and 10 panic on the default one', () => {
    const guest = makeGuest('tcg', { tree: fedora40, virt: { hypervisor: 'qemu' } })
    const plan = planBoot({ name: 'tcg' }, makeInputs([fedora40], [guest]))
    expect(renderPlan(plan, 'libvirt')).toContain("<cpu mode='maximum'/>")
    expect(renderPlan(plan, 'qemu')).toContain('-cpu max')
  })
  test('a machine description needs a plan to install', () => {
    expect(() => renderPlan({ kind: 'local-disk', why: 'web01 is installed' }, 'libvirt')).toThrow(
      'web01 is installed',
    )
  })
})

test('virt-install gets kernel and initrd where it would find wrong ones by itself', () => {
  const location = (tree: typeof fedora40, virt: 'hvm' | 'pv' = 'hvm') => {
    const plan = planBoot({ name: 'a', virt }, makeInputs([tree], [makeGuest('a', { tree })]))
    return /--location '?([^\s']+)/.exec(renderPlan(plan, 'virt-install'))?.[1]
  }
  expect(location(fedora40)).toBe('http://192.0.2.1:8080/trees/fedora/40/x86_64')
  expect(location(fedora9, 'pv')).toBe('http://192.0.2.1:8080/trees/f9-i386')
  const bare = makeTree('t', { platforms: { x86_64: { kernel: 'k', initrd: 'i', others: {} } } })
  expect(location(bare)).toBe('http://192.0.2.1:8080/trees/t')
  expect(location(bare, 'pv')).toBe('http://192.0.2.1:8080/trees/t,kernel=k,initrd=i')
  expect(location({ ...bare, problems: [{ message: 'key twice' }] })).toContain(',kernel=k,')
  expect(location(debian12)).toContain(',kernel=debian-installer/amd64/linux,')
})

test('only known names are formats', () => {
  expect(isFormat('ipxe')).toBe(true)
  expect(isFormat('toString')).toBe(false)
})

test('iPXE under BIOS asks again where the disk of a held machine does not start, and ends under UEFI', () => {
  const plan = { kind: 'local-disk', why: 'web01 is held', asksAgain: true } as const
  const lines = renderPlan(plan, 'ipxe', { server: { http: 'http://192.0.2.1:8080' } }).split('\n')
  const order = [
    'goto firmware',
    ':disk',
    'sanboot',
    'asking treeboot again',
    'sleep 20',
    'boot.ipxe || goto disk',
  ]
  const at = [...order, ':firmware', 'exit 1'].map((text) => lines.findIndex((line) => line.includes(text)))
  expect(at).not.toContain(-1)
  expect(at).toEqual(at.toSorted((a, b) => a - b))
  // Where treeboot cannot be named, the script ends as for any other machine.
  expect(renderPlan(plan, 'ipxe', {})).toBe(
    renderPlan({ kind: 'local-disk', why: 'web01 is held' }, 'ipxe', {}),
  )
})

test('iPXE under UEFI continues with a GRUB that finds the disk, and names treeboot as its server', () => {
  const plan = { kind: 'local-disk', why: 'web01 is installed' } as const
  const server = { http: 'http://192.0.2.1:8080', address: '192.0.2.1' }
  const lines = renderPlan(plan, 'ipxe', { server }).split('\n')
  const at = (text: string) => lines.findIndex((line) => line.includes(text))
  expect(lines[at('next-server')]).toBe('iseq ${platform} efi && set netX/next-server 192.0.2.1 ||')
  expect(lines[at('grubx64')]).toContain('chain --autofree http://192.0.2.1:8080/grubx64.efi ||')
  expect(lines[at('grubaa64')]).toContain('iseq ${buildarch} arm64 &&')
  const inOrder = ['sanboot', 'next-server', 'grubx64', 'grubaa64', 'exit 1'].map(at)
  expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b))
  // For a client that does not reach treeboot by IPv4, iPXE keeps its own next server.
  expect(renderPlan(plan, 'ipxe', { server: { http: 'http://[2001:db8::1]:8080' } })).not.toContain(
    'next-server',
  )
})
