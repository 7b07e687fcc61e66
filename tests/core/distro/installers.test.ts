import { describe, expect, test } from 'vitest'
import { formatCmdline } from '../../../server/core/boot/kernel-args.ts'
import type { ServerUrls } from '../../../server/core/boot/plan.ts'
import { planTree } from '../../../server/core/boot/plan-tree.ts'
import type { Tree } from '../../../server/core/tree/tree.ts'
import {
  debian12,
  fedora9,
  fedora40,
  leap15,
  makeGuest,
  makeTree,
  rhel6,
  urls,
} from '../../support/boot-inputs.ts'
import { stating } from '../../support/stating.ts'

function cmdline(
  tree: Tree,
  guest = makeGuest('web01', { template: 'x.ks' }),
  at: ServerUrls = urls,
): string {
  const plan = planTree(tree, { urls: at, virt: 'hvm', guest })
  return plan.kind === 'install' ? formatCmdline(plan.args) : `refused: ${plan.why}`
}
const web = 'http://192.0.2.1:8080'
const treeOf = (distro: Tree['distro'], version: string) => makeTree('t', { distro, version })

describe('anaconda', () => {
  test('for a machine that came by IPv6 its network waits for no IPv4 address', () => {
    const at: ServerUrls = { ...urls, byIpv6: true }
    expect(cmdline(fedora40, undefined, at)).toContain(' ip=auto6 ')
    expect(cmdline(fedora40, undefined, urls)).toContain(' ip=dhcp ')
    const upstream = makeTree('f', { stage2: 'images/install.img', upstream: 'https://up.example/os/' })
    expect(cmdline(upstream, undefined, at)).toContain(' ip=auto6 ')
    // The operator knows better.
    expect(cmdline(fedora40, makeGuest('web01', { args: ['ip=dhcp6'] }), at)).toContain('ip=dhcp6')
  })

  test('takes the packages of a boot-only tree from its upstream', () => {
    const tree = makeTree('f', { stage2: 'images/install.img', upstream: 'https://up.example/os/' })
    expect(cmdline(tree)).toBe(
      `inst.stage2=${web}/trees/f inst.repo=https://up.example/os/ ip=dhcp inst.ks=${web}/ks/web01`,
    )
  })

  test('since Fedora 19 and Enterprise Linux 7 its arguments begin with inst.', () => {
    expect(cmdline(fedora40)).toBe(`inst.repo=${web}/trees/fedora/40/x86_64 ip=dhcp inst.ks=${web}/ks/web01`)
    for (const [distro, version] of [
      ['fedora', '19'],
      ['fedora', 'rawhide'],
      ['rhel', '7.0'],
      ['rocky', '9.4'],
      ['centos-stream', '10'],
      ['amazon', '2'],
      ['eln', 'eln'],
    ] as const)
      expect(cmdline(treeOf(distro, version)), `${distro} ${version}`).toMatch(/^inst\.repo=.* inst\.ks=/)
  })
  test('before, its arguments have no inst., and ksdevice names the only network card of the guest', () => {
    expect(cmdline(rhel6)).toBe(
      `method=${web}/trees/rhel-6.10 ip=dhcp ksdevice=52:54:00:aa:bb:01 ks=${web}/ks/web01`,
    )
    expect(
      cmdline(fedora9, makeGuest('old', { macs: ['52:54:00:00:00:01', '52:54:00:00:00:02'] })),
    ).toContain('ksdevice=link')
    for (const [distro, version] of [
      ['fedora', '18'],
      ['centos', '5.11'],
      ['scientific', '6.10'],
      ['redhat-linux', '9'],
    ] as const)
      expect(cmdline(treeOf(distro, version)), `${distro} ${version}`).toMatch(/^method=.* ks=/)
  })
  test('a tree without packages is given as second stage and not as repository', () => {
    expect(cmdline(makeTree('netinst', { repositories: [] }))).toMatch(/^inst\.stage2=/)
    const { stage2: _, ...withoutEither } = makeTree('bare', { repositories: [] })
    expect(cmdline(withoutEither)).toMatch(/^inst\.repo=/)
  })
  test('installs by FTP and by NFS', () => {
    const ftp = makeGuest('a', { template: 'x.ks', source: 'ftp' })
    expect(cmdline(fedora40, ftp)).toBe(
      'inst.repo=ftp://192.0.2.1:10021/trees/fedora/40/x86_64 ip=dhcp inst.ks=ftp://192.0.2.1:10021/ks/a',
    )
    const nfs = makeGuest('a', { template: 'x.ks', source: 'nfs' })
    expect(cmdline(fedora40, nfs)).toBe(
      'inst.repo=nfs:192.0.2.1:/trees/fedora/40/x86_64 ip=dhcp inst.ks=nfs:192.0.2.1:/ks/a',
    )
    const elsewhere = { ...urls, nfs: { host: '[::1]', options: 'nfsvers=3,port=12049,mountport=12049' } }
    expect(cmdline(rhel6, nfs, elsewhere)).toContain(
      'method=nfs:nfsvers=3,port=12049,mountport=12049:[::1]:/trees/rhel-6.10',
    )
  })
  test('a source whose service is off is refused, and the message names the remedy', () => {
    expect(cmdline(fedora40, makeGuest('a', { source: 'nfs' }), { http: web })).toMatch(
      stating('refused:', 'nfs', 'config.yaml'),
    )
  })
})

describe('debian-installer', () => {
  test('gets its host name and its preseed as arguments', () => {
    const guest = makeGuest('web01', { template: 'd.cfg', vars: { hostname: 'www.lab.example' } })
    expect(cmdline(debian12, guest)).toBe(
      `auto=true priority=critical interface=auto hostname=www domain=lab.example preseed/url=${web}/ks/web01`,
    )
  })
  test('a name that is not a valid host name is left out', () => {
    expect(cmdline(debian12, makeGuest('web_01', { template: 'd.cfg' }))).not.toContain('hostname')
  })
  test('without a preseed it gets no arguments', () => {
    expect(cmdline(debian12, makeGuest('web01'))).toBe('')
  })
})

describe('Ubuntu', () => {
  const live = {
    distro: 'ubuntu',
    version: '24.04',
    platforms: { x86_64: { kernel: 'casper/vmlinuz', initrd: 'casper/initrd', others: {} } },
  } as const
  test('installs from its ISO over HTTP, with a seed URL that ends in a slash', () => {
    const iso = makeTree('ubuntu/noble', {
      ...live,
      origin: { kind: 'iso', path: '/srv/trees/ubuntu/noble.iso', name: 'noble.iso' },
    })
    expect(cmdline(iso)).toBe(
      `url=${web}/trees/ubuntu/noble.iso cloud-config-url=/dev/null ip=dhcp autoinstall ds=nocloud-net;s=${web}/ks/web01/`,
    )
  })
  test('installs from a folder over NFS', () => {
    expect(cmdline(makeTree('noble', live))).toMatch(
      /^boot=casper netboot=nfs nfsroot=192\.0\.2\.1:\/trees\/noble ip=dhcp/,
    )
  })
  test.each<[string, Partial<NonNullable<ServerUrls['nfs']>> | undefined, RegExp]>([
    ['NFS is closed', undefined, /tree noble: .*the nfs service is closed: open it \(nfs\.enabled\)/],
    [
      'a name',
      { host: 'mirror.example' },
      /from an IPv4 address, and mirror\.example is none: set server\.url/,
    ],
    ['IPv6', { host: '[2001:db8::5]' }, /and \[2001:db8::5\] is none/],
    [
      'another NFS server',
      { ipv4: '192.0.2.1', whyUnmapped: 'another NFS server runs' },
      /port mapper, which does not lead to treeboot \(another NFS server runs\): free port 111, or put the ISO/,
    ],
  ])('is refused where casper cannot mount its folder: %s', (_name, nfs, why) => {
    const { nfs: _, ...closed } = urls
    const at: ServerUrls = nfs ? { ...closed, nfs: { host: '192.0.2.1', options: '', ...nfs } } : closed
    const tree = makeTree('noble', live)
    expect(cmdline(tree, undefined, at)).toMatch(why)
    // Nor is it in a menu, or offered to a lookup without a guest.
    expect(planTree(tree, { urls: at, virt: 'hvm' })).toMatchObject({ kind: 'refuse' })
    // The operator has a medium elsewhere.
    const own = makeGuest('web01', { args: ['url=http://192.0.2.9/noble.iso'] })
    expect(cmdline(tree, own, at)).toContain('url=http://192.0.2.9/noble.iso')
    const iso = makeTree('noble', { ...live, origin: { kind: 'iso', path: '/n.iso', name: 'n.iso' } })
    expect(cmdline(iso, undefined, at)).toContain(`url=${web}/trees/n.iso`)
  })
  test('16.04 installs by debian-installer', () => {
    const old = makeTree('xenial', {
      distro: 'ubuntu',
      version: '16.04',
      platforms: {
        x86_64: { kernel: 'install/netboot/ubuntu-installer/amd64/linux', initrd: 'i', others: {} },
      },
    })
    expect(cmdline(old)).toContain('preseed/url=')
  })
})

describe('while HTTP is closed', () => {
  const at: ServerUrls = { ...urls, whyNoHttp: 'the http service is closed' }
  const coreos = makeTree('fcos', { distro: 'coreos' })
  test.each([
    ['packages', fedora40, undefined, 'inst.repo'],
    [
      'the answer file of an old first stage',
      rhel6,
      makeGuest('a', { template: 'x.ks', source: 'nfs' }),
      'ks',
    ],
    ['a live system', coreos, makeGuest('a', { source: 'ftp' }), 'coreos.live.rootfs_url'],
    ['a preseed file', debian12, undefined, 'preseed/url'],
  ])('what would come by it is refused: %s', (_name, tree, guest, key) => {
    expect(cmdline(tree, guest, at)).toMatch(
      new RegExp(
        `its installer would fetch http.* \\(${key}\\), and the http service is closed: set http.enabled`,
      ),
    )
  })
  test.each([
    ['packages and kickstart by FTP', fedora40, makeGuest('a', { template: 'x.ks', source: 'ftp' })],
    ['packages and kickstart by NFS', fedora40, makeGuest('a', { template: 'x.ks', source: 'nfs' })],
    ['an installer that asks a person', debian12, makeGuest('a')],
    ['a place of the operator', fedora40, makeGuest('a', { args: ['inst.repo=http://192.0.2.9/os'] })],
  ])('what needs no HTTP goes on: %s', (_name, tree, guest) => {
    expect(cmdline(tree, guest, at)).not.toMatch(/^refused/)
  })
})

test('SUSE gets arguments for linuxrc until 15, and for Agama from 16', () => {
  expect(cmdline(leap15)).toBe(`install=${web}/trees/leap-15.6 autoyast=${web}/ks/web01`)
  expect(cmdline(leap15, makeGuest('a', { source: 'nfs' }))).toBe('install=nfs://192.0.2.1/trees/leap-15.6')
  const leap16 = makeTree('leap-16', { distro: 'opensuse', version: '16.0', stage2: 'LiveOS/squashfs.img' })
  expect(cmdline(leap16)).toBe(
    `root=live:${web}/trees/leap-16/LiveOS/squashfs.img ip=dhcp inst.install_url=${web}/trees/leap-16 inst.auto=${web}/ks/web01`,
  )
})

test('Mageia, Fedora CoreOS, Arch and Alpine get arguments of their own', () => {
  expect(cmdline(makeTree('m9', { distro: 'mageia', version: '9' }))).toMatch(
    /^automatic=method:http,network:dhcp,server:192\.0\.2\.1:8080,directory:\/trees\/m9 /,
  )
  const coreos = makeTree('fcos', { distro: 'coreos' })
  expect(cmdline(coreos)).toBe(
    `coreos.live.rootfs_url=${web}/trees/fcos/images/pxeboot/rootfs.img ip=dhcp ignition.firstboot ignition.platform.id=metal ignition.config.url=${web}/ks/web01`,
  )
  const arch = { kernel: 'arch/boot/x86_64/vmlinuz-linux', initrd: 'i', others: {} }
  expect(cmdline(makeTree('arch', { distro: 'arch', platforms: { x86_64: arch } }))).toContain(
    `archiso_http_srv=${web}/trees/arch/ `,
  )
  const alpine = { kernel: 'boot/vmlinuz-lts', initrd: 'boot/initramfs-lts', others: {} }
  expect(cmdline(makeTree('al', { distro: 'alpine', platforms: { x86_64: alpine } }))).toContain(
    `modloop=${web}/trees/al/boot/modloop-lts alpine_repo=${web}/trees/al/apks`,
  )
})

test('an unknown installer gets only the arguments of the operator', () => {
  expect(cmdline(makeTree('odd', { distro: 'other' }), makeGuest('a', { args: ['quiet root="a b"'] }))).toBe(
    'quiet root="a b"',
  )
})

describe('where an installer reads its packages and its answer file', () => {
  const [http, ftp, nfs] = [`${web}/ks/a`, 'ftp://192.0.2.1:10021/ks/a', 'nfs:192.0.2.1:/ks/a']
  test.each([
    // An installer that cannot read its answer file at the source gets it by HTTP.
    ['ftp', `inst.ks=${ftp}`, fedora40],
    ['nfs', `inst.ks=${nfs}`, fedora40],
    ['ftp', ` ks=${ftp}`, rhel6],
    ['nfs', ` ks=${http}`, rhel6],
    ['ftp', `preseed/url=${ftp}`, debian12],
    ['nfs', `preseed/url=${http}`, debian12],
    ['ftp', `install=ftp://192.0.2.1:10021/trees/leap-15.6 autoyast=${ftp}`, leap15],
    ['nfs', `install=nfs://192.0.2.1/trees/leap-15.6 autoyast=${http}`, leap15],
    ['ftp', `inst.auto=${http}`, makeTree('l16', { distro: 'sles', version: '16.0' })],
    ['ftp', 'method:ftp,network:dhcp,server:192.0.2.1:10021,directory:/trees/t ', treeOf('mageia', '9')],
    ['ftp', `auto_install=${http}`, treeOf('mageia', '9')],
    ['ftp', `ignition.config.url=${http}`, treeOf('coreos', '40')],
  ] as const)('from %s: %s', (source, expected, tree) => {
    expect(cmdline(tree, makeGuest('a', { template: 'x.ks', source }))).toContain(expected)
  })

  test('without an answer file, no argument names one', () => {
    const bare = makeGuest('a')
    const place = `${web}/trees/t`
    const root = `root=live:${place}/images/install.img`
    expect(cmdline(treeOf('fedora', '40'), bare)).toBe(`inst.repo=${place} ip=dhcp`)
    expect(cmdline(treeOf('centos', '6'), bare)).not.toContain('ks=')
    expect(cmdline(treeOf('opensuse', '15.6'), bare)).toBe(`install=${place}`)
    expect(cmdline(treeOf('sles', '16.0'), bare)).toBe(`${root} ip=dhcp inst.install_url=${place}`)
    expect(cmdline(treeOf('mageia', '9'), bare)).not.toContain('auto_install')
    expect(cmdline(treeOf('coreos', '40'), bare)).not.toContain('ignition')
    expect(cmdline(treeOf('ubuntu', '24.04'), bare)).not.toMatch(/autoinstall|ds=/)
  })

  test('an upstream without a second stage here is not the repository', () => {
    const { stage2: _, ...rest } = makeTree('f', { upstream: 'https://up.example/os/' })
    expect(cmdline(rest, makeGuest('a'))).toBe(`inst.repo=${web}/trees/f ip=dhcp`)
  })

  test('Agama gets the repositories inside of the tree, and Leap’s live image by default', () => {
    const { stage2: _, ...rest } = treeOf('opensuse', '16.0')
    const at = (...paths: string[]) =>
      cmdline(
        { ...rest, repositories: paths.map((path) => ({ id: '', name: '', kind: 'repository', path })) },
        makeGuest('a'),
      )
    const root = `root=live:${web}/trees/t/LiveOS/squashfs.img ip=dhcp`
    expect(at('.', 'install', '../beside')).toBe(
      `${root} inst.install_url=${web}/trees/t,${web}/trees/t/install`,
    )
    expect(at('../beside')).toBe(root)
  })
})

describe('host names for debian-installer', () => {
  const label63 = 'x'.repeat(63)
  test.each([
    ['web01', 'hostname=web01'],
    ['web01.lab.example', 'hostname=web01 domain=lab.example'],
    [label63, `hostname=${label63}`],
    [`${label63}x`, ''],
    ['x.lab_1.example', 'hostname=x'],
    ['a-1', 'hostname=a-1'],
    ['-a', ''],
    ['a-', ''],
    ['A9', 'hostname=A9'],
    ['_.lab.example', 'domain=lab.example'],
  ])('%s: %j', (hostname, expected) => {
    const args = cmdline(debian12, makeGuest('guest', { template: 'd.cfg', vars: { hostname } }))
    expect(
      args
        .split(' ')
        .filter((arg) => /^(?:hostname|domain)=/.test(arg))
        .join(' '),
    ).toBe(expected)
  })

  test('the name of the guest, when no variable has a text', () => {
    const guest = makeGuest('web01', { template: 'd.cfg', vars: { hostname: 7 } })
    expect(cmdline(debian12, guest)).toContain('hostname=web01 ')
  })
})

test('live systems get the arguments of their images, and of these alone', () => {
  const boots = (distro: Tree['distro'], kernel: string, guest = makeGuest('a')) => {
    const platforms = { x86_64: { kernel, initrd: 'i', others: {} } }
    return cmdline(makeTree('t', { distro, platforms }), guest)
  }
  const withAnswer = makeGuest('a', { template: 'x' })
  const place = `${web}/trees/t`
  const archiso = `archisobasedir=arch archiso_http_srv=${place}/ ip=dhcp`
  expect(boots('arch', 'arch/boot/x86_64/vmlinuz-linux')).toBe(archiso)
  expect(boots('arch', 'arch/boot/x86_64/vmlinuz-linux', withAnswer)).toBe(`${archiso} script=${web}/ks/a`)
  expect(boots('arch', 'boot/vmlinuz')).toBe('')
  const alpine = `ip=dhcp modloop=${place}/boot/modloop-virt alpine_repo=${place}/apks`
  expect(boots('alpine', 'boot/vmlinuz-virt')).toBe(alpine)
  expect(boots('alpine', 'boot/vmlinuz-virt', withAnswer)).toBe(`${alpine} apkovl=${web}/ks/a`)
  expect(boots('alpine', 'boot/vmlinuz')).toBe('')
})

test('CoreOS gets the root file system that its tree names', () => {
  const rootfsOf = (more: Partial<Tree>) =>
    /rootfs_url=(\S+)/.exec(cmdline(makeTree('t', { distro: 'coreos', ...more })))?.[1]
  const images = { kernel: 'k', initrd: 'i', others: { iso: 'live.iso', rootfs: 'live-rootfs.img' } }
  expect(rootfsOf({ platforms: { x86_64: images } })).toBe(`${web}/trees/t/live-rootfs.img`)
  expect(rootfsOf({ stage2: 'a/rootfs.img' })).toBe(`${web}/trees/t/a/rootfs.img`)
  expect(rootfsOf({})).toBe(`${web}/trees/t/images/pxeboot/rootfs.img`)
})
