import { describe, expect, test } from 'vitest'
import type { BootPlan } from '../../server/core/boot/plan.ts'
import { planBoot } from '../../server/core/boot/plan-boot.ts'
import { failureKind, failureMessage } from '../../server/core/failure.ts'
import { ipxeEntryScript } from '../../server/render/ipxe.ts'
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
    expect(renderPlan(plan, 'virt-install')).toContain('--cpu mode=maximum \\\n')
    const withKvm = planBoot({ name: 'kvm' }, makeInputs([fedora40], [makeGuest('kvm', { tree: fedora40 })]))
    expect(renderPlan(withKvm, 'virt-install')).not.toContain('--cpu')
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

describe('after a failed download', () => {
  const install = planBoot({ name: 'web01' }, inputs)
  const menu = planBoot({ macs: ['52:54:00:00:00:99'] }, inputs)
  const server = { http: 'http://192.0.2.1:8080', address: '192.0.2.1' }

  test.each([install, menu])(
    'iPXE asks for its own script again, and the last failure leads to the disk',
    (plan) => {
      const lines = renderPlan(plan, 'ipxe', { server }).split('\n')
      const at = (text: string, from = 0) => lines.findIndex((line, n) => n >= from && line.includes(text))
      for (const line of lines.filter((each) => /^(kernel|initrd) /.test(each))) {
        expect(line).toMatch(/^\w+ --timeout 60000 .* \|\| goto again$/)
      }
      const again = at(':again')
      const order = [
        'imgfree',
        'inc treeboot-pause',
        'goto failed',
        'sleep ${treeboot-pause}',
        'chain',
        ':failed',
      ]
      const found = order.map((text) => at(text, again))
      expect(found).not.toContain(-1)
      expect(found).toEqual(found.toSorted((a, b) => a - b))
      expect(lines[at('chain', again)]).toBe(
        'chain --replace --autofree http://192.0.2.1:8080/boot.ipxe || goto again',
      )
      const disk = renderPlan({ kind: 'local-disk', why: 'x' }, 'ipxe', { server })
        .split('\n')
        .slice(2)
        .join('\n')
      expect(lines.join('\n').endsWith(disk)).toBe(true)
    },
  )

  test('the pause of iPXE doubles up to the one at which it gives up', () => {
    const script = renderPlan(install, 'ipxe', { server })
    const first = Number(/set treeboot-pause:int32 (\d+)/.exec(script)?.[1])
    const last = Number(/iseq \$\{treeboot-pause\} (\d+) && goto failed/.exec(script)?.[1])
    const doublings = Math.log2(last / first)
    expect(Number.isInteger(doublings)).toBe(true)
    expect(doublings).toBeLessThan(10)
    expect(script).toContain('inc treeboot-pause ${treeboot-pause}')
  })

  test('the script that every machine begins with asks again as well', () => {
    const lines = ipxeEntryScript('http://192.0.2.1:8080', server).split('\n')
    const at = (text: string) => lines.findIndex((line) => line.includes(text))
    const order = [
      ':ask',
      'chain --replace',
      ':again',
      'goto failed',
      'sleep',
      'goto ask',
      ':failed',
      'exit 1',
    ]
    expect(order.map(at)).not.toContain(-1)
    expect(order.map(at)).toEqual(order.map(at).toSorted((a, b) => a - b))
  })

  test.each([install, menu])(
    'GRUB starts no kernel without its initrd, and counts how often it asked',
    (plan) => {
      const text = renderPlan(plan, 'grub')
      // `linux` and `initrd` are conditions: nothing is left for the end of the entry to boot.
      expect(text).not.toMatch(/^\s*(linux|initrd) /m)
      const entries = text.split(/^menuentry /m).slice(1)
      for (const entry of entries.filter((each) => each.includes('linux ')))
        expect(entry).toMatch(/then boot; fi\n {2}fi\n {2}treeboot_again\n {2}treeboot_disk\n\}/)
      const steps = [...text.matchAll(/"\$treeboot_pause" = "(\d*)" \]; then set treeboot_pause=(\d+)/g)]
      expect(steps.map(([, before]) => before)).toEqual([
        '',
        ...steps.slice(0, -1).map(([, , after]) => after),
      ])
      expect(text).toContain(`while [ "$treeboot_pause" != "${steps.at(-1)?.[2]}" ]; do`)
      expect(text).toContain('export treeboot_pause')
      expect(text).toContain('configfile /boot/by/$net_default_mac/grub.cfg')
    },
  )

  test('PXELINUX leaves its prompt for the disk, and U-Boot still takes the installer for the default', () => {
    const text = renderPlan(install, 'pxelinux')
    expect(text).toMatch(/^TIMEOUT [1-9]\d*$/m)
    expect(text).toMatch(/^ONTIMEOUT local$/m)
    expect(text).toMatch(/^LABEL local\n(.*\n)* {2}LOCALBOOT -1$/m)
    // U-Boot 2023.01: the last one counts.
    expect([...text.matchAll(/^(?:ONTIMEOUT|DEFAULT) (\w+)$/gm)].at(-1)?.[1]).toBe('install')
  })
})
