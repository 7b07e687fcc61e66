import { isDone, stepOf } from './boot.ts'
import {
  asker,
  count,
  has,
  inInstaller,
  isMissing,
  isQuiet,
  isTaken,
  lost,
  minutes,
  mostFetched,
  nameOf,
  type ReasonTable,
  seconds,
  wentBeyond,
} from './reason-parts.ts'
import { isLibrary } from './roles.ts'

/** What stops a machine before it has its kernel. */
export const reasonsBeforeKernel = {
  'no-offer': {
    state: 'gone',
    seen: ({ signs }) => `It asked by DHCP and got no offer: ${signs.silence ?? ''}.`,
    means: 'The DHCP service of treeboot stays silent, for the reason that it gives.',
    try: 'Run treeboot loaders and treeboot check: they name the missing loader or the closed service.',
    fits: (boot, quietMs) =>
      boot.signs.silence !== undefined &&
      !wentBeyond(boot, 'dhcp-offered', 'loader', 'configuration') &&
      isQuiet(boot, quietMs, seconds(10)),
  },
  'loader-missing': {
    state: 'gone',
    seen: (boot) => `It asked for the loader ${lost(boot, 'loader')}, which is not here.`,
    means: 'A DHCP server names a boot file that treeboot does not have.',
    try: 'Run treeboot loaders to see what is missing, and treeboot dhcp-config for the names that it does have.',
    fits: (boot, quietMs) =>
      isMissing(boot, 'loader') && !has(boot, 'configuration') && isQuiet(boot, quietMs, seconds(20)),
  },
  'second-loader-missing': {
    state: 'gone',
    seen: (boot) =>
      `It loaded ${nameOf(stepOf(boot, 'loader')?.what)}, which then asked for ${lost(boot, 'loader')}, and that is not here.`,
    means:
      'The first loader starts a second one from the same folder, as shim does with GRUB, and PXELINUX with ldlinux.c32.',
    try: 'Put the second loader beside the first; treeboot loaders names its package.',
    fits: (boot, quietMs) => {
      const { what = '', lost: wanted = '' } = stepOf(boot, 'loader') ?? {}
      // One that was found in another folder after all is no reason.
      const isLost = /\.(?:efi|0)$/i.test(wanted) || isLibrary(wanted)
      return (
        isDone(boot, 'loader') &&
        isLost &&
        nameOf(what) !== nameOf(wanted) &&
        !isDone(boot, 'configuration') &&
        isQuiet(boot, quietMs, seconds(30))
      )
    },
  },
  'large-packets-lost': {
    state: 'gone',
    seen: ({ signs }) =>
      `A TFTP transfer with blocks of ${signs.deadBlksize} bytes began, and not one block was acknowledged.`,
    means:
      'The small packets of the request pass, the large ones do not: a path with a smaller MTU (VPN, VXLAN), or a firewall that lets port 69 pass only.',
    try: 'Make the MTU the same on the whole path, or let UDP pass from the ports of treeboot, or boot by HTTP with loader: ipxe.',
    fits: (boot, quietMs) =>
      (boot.signs.deadBlksize ?? 0) > 0 &&
      !isDone(boot, 'kernel') &&
      !isDone(boot, 'configuration') &&
      isQuiet(boot, quietMs, seconds(30)),
  },
  'same-file-again': {
    state: 'gone',
    seen: (boot) =>
      `It fetched ${nameOf(mostFetched(boot)?.what)} ${mostFetched(boot)?.again} times in a row.`,
    means:
      'The file arrives, and the machine cannot use it: a damaged copy, a loader that loads itself, or firmware that cannot use the block size it asked for.',
    try: 'Compare the file with its package, look whether a DHCP server sends iPXE to iPXE, or take another loader: for this machine.',
    fits: (boot, quietMs) =>
      (mostFetched(boot)?.again ?? 0) >= 5 &&
      !wentBeyond(boot, ...inInstaller) &&
      isQuiet(boot, quietMs, seconds(20)),
  },
  'plan-refused': {
    state: 'gone',
    seen: (boot) =>
      `It was told that it cannot be installed: ${stepOf(boot, 'configuration')?.what.replace(/^refuse: /, '') ?? ''}.`,
    means: 'Nothing is installed while something that the installation needs is missing.',
    try: 'Run treeboot explain for this guest: it names the place that must be changed.',
    fits: ({ purpose }) => purpose === 'refuse',
  },
  'other-server': {
    state: 'gone',
    seen: (boot) =>
      `${asker(boot)} got our offer, took an address from ${boot.signs.lease?.server ?? 'another server'}, and never came here.`,
    means:
      'The other server names a boot file, too, or a firewall keeps the machine from UDP ports 69 and 4011.',
    try: 'Take next-server and filename out of the other DHCP server (or set them with treeboot dhcp-config), and let UDP 69 and 4011 pass.',
    fits: (boot, quietMs) =>
      !isTaken(boot) && boot.signs.lease !== undefined && isQuiet(boot, quietMs, seconds(60)),
  },
  'no-address': {
    state: 'gone',
    seen: (boot) =>
      boot.signs.isLoaderRunning
        ? `${asker(boot)} asked by DHCP, got our offer, and never asked for an address.`
        : `It asked ${count(boot, 'dhcp-asked')} by DHCP, got our offer each time, and never asked for an address.`,
    means: 'No DHCP server gives it an address. treeboot is a proxy and gives none.',
    try: 'Look whether the DHCP server of this network runs, has free addresses, and hears this machine (relay, VLAN, spanning tree).',
    fits: (boot, quietMs) =>
      !isTaken(boot) &&
      !boot.signs.lease &&
      (stepOf(boot, 'dhcp-asked')?.count ?? 0) >= 2 &&
      isQuiet(boot, quietMs, seconds(60)),
  },
  'offer-not-taken': {
    state: 'gone',
    seen: () => 'It asked once by DHCP, got our offer, and was not heard of again.',
    means: 'It was switched off, boots something else first, or took what another server offers.',
    try: 'Look at its boot order and its screen; treeboot check says whether another server offers network boot.',
    fits: (boot, quietMs) =>
      has(boot, 'dhcp-offered') && !isTaken(boot) && isQuiet(boot, quietMs, seconds(90)),
  },
  'grub-without-configuration': {
    state: 'gone',
    seen: (boot) => {
      const asked = stepOf(boot, 'configuration')?.folded ?? 0
      const what = asked === 0 ? 'asked for no grub.cfg here' : `asked for grub.cfg ${asked} times`
      return `It loaded GRUB (${nameOf(stepOf(boot, 'loader')?.what)}), ${what} and went quiet.`
    },
    means: 'The signed GRUB of Debian 12 asks the server of its address for grub.cfg, and never a proxy.',
    try: 'Let the DHCP server name treeboot (treeboot dhcp-config prints its lines), or set loader: ipxe.',
    fits: (boot, quietMs) =>
      isDone(boot, 'loader') &&
      /grub|shim|bootnet/i.test(stepOf(boot, 'loader')?.what ?? '') &&
      !isDone(boot, 'configuration') &&
      isQuiet(boot, quietMs, seconds(60)),
  },
  'configuration-missing': {
    state: 'gone',
    seen: (boot) =>
      `Its loader asked for ${lost(boot, 'configuration')} and others, and none of them is here.`,
    means:
      'The loader looks in another folder than treeboot serves, or the machine is unknown and unknown is ignore.',
    try: 'Add the machine as a guest, set unknown: menu, or use the boot file that treeboot dhcp-config names.',
    fits: (boot, quietMs) => isMissing(boot, 'configuration') && isQuiet(boot, quietMs, seconds(30)),
  },
  'loader-refused': {
    state: 'gone',
    seen: (boot) =>
      `It fetched ${nameOf(stepOf(boot, 'loader')?.what)} whole, and the loader asked for nothing.`,
    means:
      'The firmware did not start it: Secure Boot refuses what is not signed, or it is built for another processor.',
    try: 'Set loader: grub for this machine (shim and GRUB are signed), or switch Secure Boot off; treeboot tries that by itself next time.',
    fits: (boot, quietMs) =>
      isDone(boot, 'loader') &&
      !boot.signs.isLoaderRunning &&
      !has(boot, 'configuration') &&
      isQuiet(boot, quietMs, seconds(60)),
  },
  'menu-left': {
    state: 'gone',
    seen: () => 'It was shown the menu, and nothing was chosen.',
    means: 'Nobody chose in time, so it started its own disk, or it stands at the menu.',
    try: 'Make it a guest with treeboot adopt, or choose at its screen.',
    fits: (boot, quietMs) =>
      boot.purpose === 'menu' && !has(boot, 'kernel') && isQuiet(boot, quietMs, minutes(10)),
  },
  'went-quiet': {
    state: 'gone',
    seen: (boot) => `It was last heard of at: ${boot.steps.at(-1)?.what || 'its first packet'}.`,
    means: 'It was switched off or reset, or boots something else.',
    try: 'Look at its screen, and start it once more.',
    fits: (boot, quietMs) =>
      !isDone(boot, 'kernel') && !wentBeyond(boot, ...inInstaller) && isQuiet(boot, quietMs, minutes(5)),
  },
} satisfies ReasonTable
