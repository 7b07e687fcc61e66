import { formatCmdline } from '../core/boot/kernel-args.ts'
import type { BootFile, BootPlan, InstallPlan, MenuPlan } from '../core/boot/plan.ts'
import { fileBase, urlOfPath } from '../core/boot/urls.ts'
import type { LoaderServer, RenderOptions } from './options.ts'
import { ipxeText, ipxeVariables, ipxeWord, screenText } from './quote.ts'

/**
 * An iPXE script. Files come by HTTP, which every iPXE speaks and which is many times faster than its TFTP; by TFTP
 * when only that is open.
 */
export function renderIpxe(plan: BootPlan, { server }: Pick<RenderOptions, 'server'> = {}): string {
  const body = commands(plan, server)
  return `#!ipxe\n${ipxeVariables(body)}${body}`
}

function commands(plan: BootPlan, server: LoaderServer | undefined): string {
  switch (plan.kind) {
    case 'install':
      return `${boot(plan)}${askAgain(server?.http ?? fileBase(plan.urls), server)}`
    case 'menu':
      return menu(plan, server)
    case 'local-disk':
      return `echo ${message(plan.why)}\n${plan.asksAgain && server ? waiting(server) : localBoot(server)}`
    case 'refuse':
      return `echo ${message(plan.why)}\nsleep 10\n${localBoot(server)}`
  }
}

/**
 * iPXE expands `${` in messages, too, and has no escape for it, so a blank goes between the two characters.
 */
function message(why: string): string {
  return ipxeText(`treeboot: ${screenText(why).replaceAll('${', '$ {')}`)
}

/**
 * After so many milliseconds without a byte a download ends: a server that lost its power closes no connection, and
 * iPXE would wait for ever. (`--timeout`: iPXE since March 2014; each byte begins it anew, core/monojob.c.)
 */
const stallMs = 60_000

/**
 * Commands that load and start the installer. netX is the card that iPXE booted from. Kernels that EFI starts
 * find their initrd by `initrd=`; others ignore it. iPXE cannot go on with a file that broke off, and forgets it;
 * so a kernel is never started with a part of its initrd.
 */
function boot(plan: InstallPlan): string {
  const cmdline = ipxeText(formatCmdline(plan.args))
  const initrd = 'initrd.treeboot'
  return [
    `kernel --timeout ${stallMs} ${url(plan, plan.kernel)} initrd=${initrd}${cmdline === '' ? '' : ` ${cmdline}`} BOOTIF=01-\${netX/mac:hexhyp} || goto again`,
    `initrd --timeout ${stallMs} --name ${initrd} ${url(plan, plan.initrd)} || goto again`,
    'boot || goto failed',
    '',
  ].join('\n')
}

function url(plan: InstallPlan, image: BootFile): string {
  return ipxeWord(urlOfPath(fileBase(plan.urls), image.urlPath))
}

/**
 * The script that every machine gets first: iPXE then asks for its own script, by its MAC and UUID in the
 * path, which works over TFTP, too. The query holds the serial number, which may have any character. With
 * `--replace` the exit status of the second script is that of the first.
 *
 * @param base URL of treeboot's HTTP or TFTP service, without a slash at the end.
 */
export function ipxeEntryScript(base: string, server?: LoaderServer): string {
  const query = base.startsWith('http')
    ? `?serial=\${serial:uristring}&vendor=\${manufacturer:uristring}`
    : ''
  const own = `/boot/by/\${netX/mac:hexhyp}/\${uuid}/ipxe${query}`
  return [
    '#!ipxe',
    '# Every machine gets this script, and then asks for its own.',
    ':ask',
    `isset \${netX/ip} || dhcp || goto again`,
    `chain --replace --autofree ${ipxeWord(base)}${own} || goto again`,
    pause,
    'goto ask',
    failed(server),
  ].join('\n')
}

/** Seconds. It doubles from 2 with each attempt: after 4 minutes and 14 seconds in all, iPXE gives up. */
const longestPause = 128

/**
 * A server that is being started again answers within seconds, one whose host is being started within minutes. The
 * length of the pause is a setting of iPXE, so it goes on growing in the scripts that come after this one. `imgfree`:
 * without it, BIOS iPXE gives the kernel of the failed attempt to the next one as a part of its initrd.
 */
const pause = [
  ':again',
  'imgfree ||',
  `isset \${treeboot-pause} || set treeboot-pause:int32 1`,
  `inc treeboot-pause \${treeboot-pause}`,
  `iseq \${treeboot-pause} ${2 * longestPause} && goto failed ||`,
  `echo treeboot: the boot files could not be fetched; asking treeboot again in \${treeboot-pause} s`,
  `sleep \${treeboot-pause}`,
].join('\n')

/**
 * Commands that begin again after a failed download. They ask for the machine's script and not for the same files:
 * the guest may be installed by now, and must not get the installer once more.
 */
function askAgain(http: string, server: LoaderServer | undefined): string {
  return [
    pause,
    `chain --replace --autofree ${ipxeWord(`${http}/boot.ipxe`)} || goto again`,
    failed(server),
  ].join('\n')
}

/**
 * Says on the screen that booting failed, and boots the local disk. Under UEFI that is the job of a GRUB, which asks for
 * the machine's configuration: where treeboot answers by then, GRUB tries what the plan says, and the disk after that.
 */
function failed(server: LoaderServer | undefined): string {
  return [
    ':failed',
    'echo treeboot: the boot files could not be fetched or started; the lines above say why',
    'echo treeboot: booting the local disk in 10 s',
    'sleep 10',
    'clear treeboot-pause ||',
    localBoot(server),
  ].join('\n')
}

/**
 * Commands that boot the local disk. Under BIOS sanboot starts the first disk. Under UEFI no script can do
 * that, so iPXE starts a GRUB of ours, which finds the loader of the disk (grub.ts). That GRUB asks the
 * server of the DHCP ACK for its configuration, and iPXE makes the ACK that GRUB sees from its own settings
 * (its EFI PXE base code protocol, efi_pxe.c). So the script sets `next-server`. The URL is absolute, because
 * `next-server` also turns relative ones into TFTP. Tried with snponly.efi and ipxe.efi of Debian 12 (2019)
 * and GRUB 2.06: 4 s from iPXE to the disk.
 *
 * Without a GRUB, and when GRUB finds no loader and leaves, the script exits with an error, so that the firmware tries
 * its next boot entry. After a success it would stop at its menu (UEFI 2.10, 3.1.1). A `||` at the end of a line lets
 * the script continue when the line fails.
 */
function localBoot(server: LoaderServer | undefined): string {
  const grub = (arch: string, file: string): string =>
    `iseq \${platform} efi && iseq \${buildarch} ${arch} && chain --autofree ${ipxeWord(`${server?.http}/${file}`)} ||`
  return [
    `iseq \${platform} pcbios && sanboot --no-describe --drive 0x80 ||`,
    ...(server?.address === undefined
      ? []
      : [`iseq \${platform} efi && set netX/next-server ${server.address} ||`]),
    ...(server ? [grub('x86_64', 'grubx64.efi'), grub('arm64', 'grubaa64.efi')] : []),
    'exit 1',
    '',
  ].join('\n')
}

/**
 * Commands that boot the local disk, and ask treeboot again where that fails. sanboot comes back when the disk has no
 * boot sector, so the machine goes on by itself when the operator has decided. Under UEFI the script must end: the
 * firmware's next entry may be the disk.
 */
function waiting(server: LoaderServer): string {
  return [
    `iseq \${platform} pcbios || goto firmware`,
    ':disk',
    'sanboot --no-describe --drive 0x80 ||',
    'echo treeboot: the disk does not start; asking treeboot again in 20 s',
    'sleep 20',
    `chain --replace --autofree ${ipxeWord(`${server.http}/boot.ipxe`)} || goto disk`,
    ':firmware',
    localBoot(server),
  ].join('\n')
}

function menu(plan: MenuPlan, server: LoaderServer | undefined): string {
  const title = (text: string): string => ipxeText(screenText(text).replaceAll('${', '$ {'))
  const [first] = plan.items
  const http = server?.http ?? (first && fileBase(first.plan.urls))
  return [
    ':menu',
    `menu ${title(plan.title)}`,
    'item local Boot from the local disk',
    ...plan.items.map((item, index) => `item tree${index + 1} ${title(item.label)}`),
    // Milliseconds; 0 would wait for ever.
    `choose --default local --timeout ${Math.max(1000, Math.round(plan.timeoutMs))} chosen || goto local`,
    `goto \${chosen}`,
    ':local',
    localBoot(server),
    ...plan.items.map((item, index) => `:tree${index + 1}\n${boot(item.plan)}`),
    ...(http === undefined ? [] : [askAgain(http, server)]),
  ].join('\n')
}
