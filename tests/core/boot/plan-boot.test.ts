import { describe, expect, test } from 'vitest'
import { explainBoot } from '../../../server/core/boot/explain.ts'
import { formatCmdline } from '../../../server/core/boot/kernel-args.ts'
import type { BootPlan, InstallPlan } from '../../../server/core/boot/plan.ts'
import { planBoot } from '../../../server/core/boot/plan-boot.ts'
import {
  debian12,
  fedora9,
  fedora40,
  leap15,
  makeGuest,
  makeInputs,
  makeTree,
  rhel6,
} from '../../support/boot-inputs.ts'
import { stating } from '../../support/stating.ts'

const trees = [fedora40, rhel6, fedora9, debian12, leap15, makeTree('half', { state: 'incoming' })]
const installPlan = (plan: BootPlan): InstallPlan => {
  if (plan.kind !== 'install') throw new Error(`expected an installation, got ${JSON.stringify(plan)}`)
  return plan
}
const plannedFor = (guest: ReturnType<typeof makeGuest>, facts = {}) =>
  planBoot({ name: guest.name, ...facts }, makeInputs(trees, [guest]))

describe('a guest', () => {
  test('is found by its MAC in any spelling, and gets files with sizes and digests', () => {
    const inputs = makeInputs(trees, [makeGuest('web01', { tree: fedora40, template: 'fedora.ks' })])
    const plan = installPlan(planBoot({ macs: ['01-52-54-00-AA-BB-01'] }, inputs))
    expect(plan).toMatchObject({
      platform: 'x86_64',
      kernel: {
        path: 'images/pxeboot/vmlinuz',
        urlPath: '/trees/fedora/40/x86_64/images/pxeboot/vmlinuz',
        size: 14_000_000,
        sha256: 'ab'.repeat(32),
      },
      location: 'http://192.0.2.1:8080/trees/fedora/40/x86_64',
      answerFile: 'http://192.0.2.1:8080/ks/web01',
    })
  })
  test('HVM and PV get the same arguments, and different images where the tree has them', () => {
    const hvm = installPlan(plannedFor(makeGuest('a', { tree: fedora9 })))
    const pv = installPlan(plannedFor(makeGuest('a', { tree: fedora9 }), { virt: 'pv' }))
    expect(hvm.kernel.path).toBe('images/pxeboot/vmlinuz')
    expect(pv.kernel.path).toBe('images/xen/vmlinuz')
    expect(formatCmdline(pv.args)).toBe(formatCmdline(hvm.args))
  })
  test('PV from a tree without xen images boots the kernel of its arch', () => {
    expect(installPlan(plannedFor(makeGuest('a', { tree: debian12 }), { virt: 'pv' })).platform).toBe('amd64')
  })
  test('without images is refused, and the reason names the platforms of the tree', () => {
    const odd = makeTree('odd', { platforms: { ppc64: { kernel: 'v', others: {} } } })
    const inputs = makeInputs([odd], [makeGuest('a', { tree: odd })])
    expect(planBoot({ name: 'a' }, inputs)).toEqual({
      kind: 'refuse',
      why: expect.stringMatching(stating('guest a', 'x86_64', 'odd', 'ppc64')),
    })
  })
  test('without a tree, or with an unknown one, is refused with the reason', () => {
    expect(plannedFor(makeGuest('a'))).toMatchObject({
      kind: 'refuse',
      why: expect.stringMatching(stating('guest a', 'no tree')),
    })
    expect(plannedFor(makeGuest('a', { tree: 'half' }))).toMatchObject({
      kind: 'refuse',
      why: expect.stringMatching(stating('guest a', 'nearest', 'fedora/40/x86_64')),
    })
  })
})

describe('the operator has the last word', () => {
  test('an argument of the operator replaces the computed one, one of the guest that of its profile; consoles add up', () => {
    const guest = makeGuest('a', {
      tree: fedora40,
      args: [
        { value: 'console=ttyS0 inst.lang=de_DE', from: 'profile base' },
        { value: 'ip=eth1:dhcp', from: 'profile web' },
        { value: 'console=tty0', from: 'guest a' },
        { value: 'inst.lang=fr_FR', from: 'guest a' },
      ],
    })
    expect(formatCmdline(installPlan(plannedFor(guest)).args)).toBe(
      'inst.repo=http://192.0.2.1:8080/trees/fedora/40/x86_64 console=ttyS0 ip=eth1:dhcp console=tty0 inst.lang=fr_FR',
    )
    const said = explainBoot({ name: 'a' }, makeInputs(trees, [guest]))
    expect(said.filter((line) => line.what === 'dropped argument')).toEqual([
      {
        what: 'dropped argument',
        value: 'ip=dhcp',
        from: 'the installer of fedora/40/x86_64, overruled by profile web',
      },
      { what: 'dropped argument', value: 'inst.lang=de_DE', from: 'profile base, overruled by guest a' },
    ])
  })
  // dracut's parse-ip-opts.sh ends in `die` when one of several `ip=` names no device, or two name the same.
  test.each([
    ['the same', 'ip=dhcp', 'ip=dhcp', 'ip=dhcp'],
    [
      'static after dhcp',
      'ip=dhcp',
      'ip=10.0.0.5::10.0.0.1:24:h:eth0:none',
      'ip=10.0.0.5::10.0.0.1:24:h:eth0:none',
    ],
    [
      'without a device after one with it',
      'ip=eth0:dhcp',
      'ip=10.0.0.5::10.0.0.1:24:h::none',
      'ip=10.0.0.5::10.0.0.1:24:h::none',
    ],
    ['IPv6 without a device', 'ip=[2001:db8::5]::[2001:db8::1]:64:h::none', 'ip=eth1:dhcp', 'ip=eth1:dhcp'],
    [
      'two devices',
      'ip=eth0:dhcp',
      'ip=[2001:db8::5]::[2001:db8::1]:64:h:eth1:none',
      'ip=eth0:dhcp ip=[2001:db8::5]::[2001:db8::1]:64:h:eth1:none',
    ],
    ['one console twice', 'console=tty0 console=ttyS0', 'console=tty0', 'ip=dhcp console=ttyS0 console=tty0'],
    [
      'one device twice',
      'ip=eth0:dhcp',
      'ip=10.0.0.5::10.0.0.1:24:h:eth0:none',
      'ip=10.0.0.5::10.0.0.1:24:h:eth0:none',
    ],
    ['a short form without a device', 'ip=eth0:dhcp', 'ip=10.0.0.5::10.0.0.1:24', 'ip=10.0.0.5::10.0.0.1:24'],
    ['what the firmware booted from', 'ip=ibft', 'ip=eth0:dhcp', 'ip=ibft ip=eth0:dhcp'],
    [
      'a console behind a separator',
      'console=ttyS0 -- quiet',
      'console=ttyS0',
      'ip=dhcp console=ttyS0 -- quiet console=ttyS0',
    ],
    [
      'as many pages of another size',
      'hugepagesz=1G hugepages=4',
      'hugepagesz=2M hugepages=4',
      'ip=dhcp hugepagesz=1G hugepages=4 hugepagesz=2M hugepages=4',
    ],
    ['separators', 'quiet --- a', 'b --- c', 'ip=dhcp quiet --- a b --- c'],
  ])('what a guest says again: %s', (_, profile, guest, expected) => {
    const args = [
      { value: profile, from: 'profile base' },
      { value: guest, from: 'guest a' },
    ]
    const plan = installPlan(plannedFor(makeGuest('a', { tree: fedora40, args })))
    expect(formatCmdline(plan.args)).toBe(
      `inst.repo=http://192.0.2.1:8080/trees/fedora/40/x86_64 ${expected}`,
    )
  })
  test.each([
    ['by its key', '-ip', 'inst.repo=http://192.0.2.1:8080/trees/fedora/40/x86_64', ['ip=dhcp']],
    ['exactly', '-ip=dhcp', 'inst.repo=http://192.0.2.1:8080/trees/fedora/40/x86_64', ['ip=dhcp']],
    [
      'not with another value',
      '-ip=off',
      'inst.repo=http://192.0.2.1:8080/trees/fedora/40/x86_64 ip=dhcp',
      [],
    ],
    ['not by half a key', '-inst', 'inst.repo=http://192.0.2.1:8080/trees/fedora/40/x86_64 ip=dhcp', []],
  ])(
    'a removal takes away our own argument %s, and explain says who removed it',
    (_, value, cmdline, gone) => {
      const guest = makeGuest('a', { tree: fedora40, removals: [{ value, from: 'guest a (config.yaml:9)' }] })
      expect(formatCmdline(installPlan(plannedFor(guest)).args)).toBe(cmdline)
      const dropped = explainBoot({ name: 'a' }, makeInputs(trees, [guest])).filter(
        ({ what }) => what === 'dropped argument',
      )
      expect(dropped.map((line) => line.value)).toEqual(gone)
      for (const line of dropped) expect(line.from).toMatch(/overruled by guest a \(config\.yaml:9\)$/)
    },
  )
  test.each([
    ['twice in one list', 'quiet quiet', 'ip=dhcp quiet'],
    [
      'twice with another between',
      'console=tty0 console=ttyS0 console=tty0',
      'ip=dhcp console=ttyS0 console=tty0',
    ],
    ['on both sides of a separator', 'quiet --- quiet', 'ip=dhcp quiet --- quiet'],
  ])('the same argument %s', (_, value, expected) => {
    const guest = makeGuest('a', { tree: fedora40, args: [{ value, from: 'guest a' }] })
    expect(formatCmdline(installPlan(plannedFor(guest)).args)).toMatch(new RegExp(` ${expected}$`))
  })
  // Every reader that takes each occurrence, with one key of its own list.
  test.each([
    ['Linux', 'earlycon=uart,0x3f8', 'earlycon=efifb'],
    ['Linux', 'video=eDP-1:d', 'video=HDMI-1:e'],
    ['Linux', 'crashkernel=256M,high', 'crashkernel=72M,low'],
    ['dracut', 'nameserver=10.0.0.1', 'nameserver=10.0.0.2'],
    ['dracut', 'vlan=a.1:a', 'vlan=a.2:a'],
    ['dracut', 'bond=bond0:a,b', 'bond=bond1:c,d'],
    ['dracut', 'ifname=lan:52:54:00:00:00:01', 'ifname=wan:52:54:00:00:00:02'],
    ['dracut', 'rd.luks.uuid=a', 'rd.luks.uuid=b'],
    ['dracut', 'netroot=iscsi:a', 'netroot=iscsi:b'],
    ['anaconda', 'inst.dd=http://a/', 'inst.dd=http://b/'],
    ['anaconda', 'inst.addrepo=a,http://a/', 'inst.addrepo=b,http://b/'],
    ['anaconda', 'inst.updates=http://a/', 'inst.updates=http://b/'],
    ['linuxrc', 'ifcfg=eth0=dhcp', 'ifcfg=eth1=dhcp'],
    ['linuxrc', 'dud=http://a/', 'dud=http://b/'],
    ['linuxrc', 'DriverUpdate=http://a/', 'DriverUpdate=http://b/'],
    ['linuxrc', 'udev.rule=mac=a,name=x', 'udev.rule=mac=b,name=y'],
    ['systemd', 'systemd.mask=a.service', 'systemd.mask=b.service'],
  ])('%s takes each %s', (_, first, second) => {
    const guest = makeGuest('a', {
      tree: fedora40,
      args: [
        { value: first, from: 'profile base' },
        { value: second, from: 'guest a' },
      ],
    })
    expect(formatCmdline(installPlan(plannedFor(guest)).args)).toContain(` ${first} ${second}`)
  })
  test.each([
    ['inst.lang=de_DE', 'inst.lang=fr_FR'],
    ['netcfg/get_hostname=a', 'netcfg/get_hostname=b'],
    ['hostname=a', 'hostname=b'],
    ['root=/dev/a', 'root=/dev/b'],
  ])('of what is read once, the nearer one stays: %s', (first, second) => {
    const guest = makeGuest('a', {
      tree: fedora40,
      args: [
        { value: first, from: 'profile base' },
        { value: second, from: 'guest a' },
      ],
    })
    expect(formatCmdline(installPlan(plannedFor(guest)).args)).toMatch(new RegExp(` ip=dhcp ${second}$`))
  })
  test('an argument that cannot be written on a command line is refused when planned', () => {
    // Linux reads an unpaired quote to the end of the text, so this is `x=unpaired`.
    expect(plannedFor(makeGuest('a', { tree: fedora40, args: ['x="unpaired'] }))).toMatchObject({
      kind: 'install',
    })
    expect(plannedFor(makeGuest('a', { tree: fedora40, args: ['x=a\u0001b'] }))).toMatchObject({
      kind: 'refuse',
      why: expect.stringMatching(stating('x=a')),
    })
  })
})

describe('a command line too long for the kernel', () => {
  const long = (bytes: number) => makeGuest('a', { tree: fedora40, args: [`x=${'y'.repeat(bytes)}`] })
  test('is refused with its length, the limit and the longest argument', () => {
    const plan = plannedFor(long(2000))
    expect(plan).toMatchObject({ kind: 'refuse' })
    expect(plan.kind === 'refuse' && plan.why).toMatch(
      /^guest a: .*20\d\d bytes.* fedora\/40\/x86_64 .*2047.*x=y+\.\.\. \(2002\), inst\.repo=/,
    )
  })
  test('is measured to the byte, with the arguments that PXELINUX adds', () => {
    const fits = installPlan(plannedFor(long(1)))
    const fixed = formatCmdline(fits.args).length - 1
    const added =
      ` BOOT_IMAGE=${fits.kernel.urlPath} initrd=${fits.initrd.urlPath} BOOTIF=01-52-54-00-aa-bb-01`.length
    const room = 2047 - fixed - added
    expect(plannedFor(long(room)).kind).toBe('install')
    expect(plannedFor(long(room + 1)).kind).toBe('refuse')
  })
  // The limits: ppc64 511, since 8 2047; s390x 895, since 10 4095; aarch64 2047. Loaders add to each line.
  test.each([
    ['ppc64', '7.9', 400, 'refuse'],
    ['ppc64le', '8.10', 600, 'install'],
    ['s390x', '9.4', 800, 'refuse'],
    ['s390x', '10.0', 3000, 'install'],
    ['aarch64', '9.4', 1500, 'install'],
  ])('%s of Enterprise Linux %s with %i bytes: %s', (arch, version, bytes, kind) => {
    const images = { kernel: 'images/kernel.img', initrd: 'images/initrd.img', others: {} }
    const tree = makeTree('el', { distro: 'rhel', version, arch, platforms: { [arch]: images } })
    const guest = makeGuest('a', { tree, args: [`x=${'y'.repeat(bytes)}`] })
    expect(planBoot({ name: 'a' }, makeInputs([tree], [guest])).kind).toBe(kind)
  })
})

describe('a machine that is not a guest', () => {
  test('gets a menu of the ready trees that it can run', () => {
    const arm = makeTree('arm', {
      arch: 'aarch64',
      platforms: { aarch64: { kernel: 'k', initrd: 'i', others: {} } },
    })
    const i586 = makeTree('i586', {
      arch: 'i586',
      platforms: { i586: { kernel: 'k', initrd: 'i', others: {} } },
    })
    const inputs = makeInputs([...trees, arm, i586], [])
    const menu = planBoot({ macs: ['52:54:00:00:00:99'], arch: 'x86_64' }, inputs)
    expect(menu.kind === 'menu' && menu.items.map((item) => item.label)).toEqual([
      'Fedora 40 Server x86_64 (fedora/40/x86_64)',
      'Red Hat Enterprise Linux 6.10 Server x86_64 (rhel-6.10)',
      'Fedora 9 Fedora i386 (f9-i386)',
      'Debian 12 amd64 (debian-12)',
      'openSUSE Leap 15.6 x86_64 (leap-15.6)',
      'Fedora 40 Server i586 (i586)',
    ])
    const forArm = planBoot({ arch: 'aarch64' }, inputs)
    expect(forArm.kind === 'menu' && forArm.items.map((item) => item.plan.tree.id)).toEqual(['arm'])
  })
  test('gets its own disk when unknown is local or ignore', () => {
    expect(planBoot({}, makeInputs(trees, [], { unknown: 'local' })).kind).toBe('local-disk')
    expect(planBoot({}, makeInputs(trees, [], { unknown: 'ignore' })).kind).toBe('local-disk')
  })
})

test('explain names every step in order, and says how the guest was recognised', () => {
  const guest = makeGuest('web01', { tree: fedora40, template: 'fedora.ks', args: ['console=ttyS0'] })
  const said = explainBoot({ macs: ['525400aabb01'] }, makeInputs(trees, [guest]))
  expect(said.map((line) => `${line.what}: ${line.value}`)).toEqual([
    'guest: web01',
    'profile: web',
    'profile: base',
    'source: http',
    'virt: kvm hvm',
    'virt.memory: 2048',
    'virt.vcpus: 2',
    'virt.disk: 20',
    'virt.network: bridge=br0',
    'retry: false',
    'template: fedora.ks',
    'state: install',
    'tree: fedora/40/x86_64',
    'platform: x86_64',
    'kernel: /trees/fedora/40/x86_64/images/pxeboot/vmlinuz',
    'initrd: /trees/fedora/40/x86_64/images/pxeboot/initrd.img',
    'location: http://192.0.2.1:8080/trees/fedora/40/x86_64',
    'answers: http://192.0.2.1:8080/ks/web01',
    'argument: inst.repo=http://192.0.2.1:8080/trees/fedora/40/x86_64',
    'argument: ip=dhcp',
    'argument: inst.ks=http://192.0.2.1:8080/ks/web01',
    'argument: console=ttyS0',
    'plan: install',
  ])
  expect(said[0]?.from).toBe('matched by mac 52:54:00:aa:bb:01, defined at config.yaml:21')
})

test('explain names the shipped template for the tree of a guest without one', () => {
  const said = explainBoot({ name: 'web01' }, makeInputs(trees, [makeGuest('web01', { tree: fedora40 })]))
  expect(said.find(({ what }) => what === 'template')).toMatchObject({
    value: 'none',
    from: expect.stringContaining('fedora.ks'),
  })
})
