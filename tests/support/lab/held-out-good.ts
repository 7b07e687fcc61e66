import { type HeldOut, heldOutMac, heldOutTree, pause } from './held-out.ts'
import { chain, image, pxelinuxDhcp, rom } from './held-out-parts.ts'

const scripts = 'the requests of PXELINUX by busybox tftp 1.35, those of dracut and Anaconda by curl 7.88'
const origin = 'nothing is wrong'
const secondMac = '52:54:00:0d:0e:02'

const answers = 'text\n# done {{ report_url }}\n'
/** A whole installation. The first argument is the guest. */
const install = `install() {
  pxelinux; dracut $tree/.treeinfo; dracut $tree/images/install.img; dracut $U/ks/$1; cp got ks
  for n in 1 2 3; do dracut $tree/Packages/p$n.rpm; sleep 0.2; done
  curl -s -X POST --data "" "$(sed -n 's/# done //p' ks)"
}
`
const installed = { count: 1, ms: 300_000 }

/** Boots in which nothing is wrong. */
export const goodBoots: readonly HeldOut[] = [
  {
    name: 'good-loss',
    about: 'two packets in a hundred are lost, in both directions',
    client: `${rom}, PXELINUX 6.04 by TFTP`,
    origin,
    expected: [['done']],
    dhcp: pxelinuxDhcp,
    files: chain,
    act: async (world) => {
      world.lose()
      world.machine('bios')
      await world.until((event) => event.type === 'report', installed)
    },
  },
  {
    name: 'good-slow-line',
    about: 'a line of 1 Mbit/s: kernel and initrd take 80 s',
    client: `${rom}, its script, kernel and initrd by HTTP`,
    origin,
    expected: [['done']],
    isProxy: true,
    act: async (world) => {
      world.machine('bios', { rate: '1mbit' })
      await world.until((event) => event.type === 'report', installed)
    },
  },
  {
    name: 'good-uefi-loss',
    about: 'two packets in a hundred are lost, in both directions',
    client: 'OVMF 2022.11 PXE, snponly.efi by TFTP',
    origin,
    expected: [['done']],
    isProxy: true,
    act: async (world) => {
      world.lose()
      world.machine('uefi')
      await world.until((event) => event.type === 'report', installed)
    },
  },
  {
    name: 'good-two-behind-one-address',
    about: 'two machines behind one address (NAT) install at the same time',
    client: scripts,
    origin,
    expected: [['done'], ['done']],
    template: answers,
    files: chain,
    config: {
      guests: Object.fromEntries(
        [heldOutMac, secondMac].map((mac, n) => [
          `web0${n + 1}`,
          { mac, tree: heldOutTree, template: 'small.ks' },
        ]),
      ),
    },
    act: async (world) => {
      const host = world.host()
      const first = world.script(`${install}install web01`, { host })
      await pause(300)
      await Promise.all([first, world.script(`${install}install web02`, { host, mac: secondMac })])
    },
  },
  {
    name: 'good-beside-virt-install',
    about: 'an administrator starts virt-install --location while a machine installs',
    client: `${scripts}; virt-install 4.1: its requests by curl (clients.md 1.1)`,
    origin,
    expected: [['done']],
    template: answers,
    files: chain,
    act: async (world) => {
      const machine = world.script(`${install}install web01`)
      const agent = '-A python-requests/2.28.1'
      await world.script(
        `for n in .treeinfo treeinfo; do curl -s -A Wget/1.0 -o got $tree//$n; curl -s ${agent} -o got $tree/$n; done
for f in content current/images/MANIFEST .disk/info VERSION; do curl -s ${agent} -o got $tree/$f; done
for f in vmlinuz initrd.img; do curl -s -I ${agent} -o got $U${image}/$f; curl -s ${agent} -o got $U${image}/$f; done`,
        { host: world.host(secondMac) },
      )
      await machine
    },
  },
  {
    name: 'good-browser',
    about: 'somebody looks at a tree, and downloads a kernel, and half of an initrd',
    client: 'the requests of Firefox by curl 7.88',
    origin,
    expected: [],
    act: async (world) => {
      const agent = '-A "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"'
      await world.script(
        `curl -s ${agent} -o got $tree/; curl -s ${agent} -o got $U${image}/vmlinuz; curl -s ${agent} $U${image}/initrd.img | head -c 100000 > got; curl -s ${agent} -o got $tree/images/none.img`,
      )
    },
  },
  {
    name: 'good-reset-and-again',
    about: 'somebody resets the machine while its kernel is loaded, and it installs then',
    client: `${rom}, PXELINUX 6.04 by TFTP`,
    origin,
    expected: [['done']],
    dhcp: pxelinuxDhcp,
    files: chain,
    act: async (world) => {
      const machine = world.machine('bios')
      await world.until((event) => event.type === 'sending' && event.path.endsWith('vmlinuz'))
      await machine.stop()
      world.machine('bios')
      await world.until((event) => event.type === 'report', installed)
    },
  },
]
