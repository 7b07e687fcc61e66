import type { BootPlan, InstallPlan, MenuPlan } from '../core/boot/plan.ts'
import { diskLoaders, efiCpus, otherLoaders } from '../core/distro/efi.ts'
import { grubKernelArg, grubWord, screenText } from './quote.ts'

/**
 * A GRUB configuration. Files are named without a device: GRUB then takes them from `$root`, the server and
 * protocol that this configuration came by, TFTP or HTTP. Naming (http,...) would need a module that Debian's
 * signed image does not have, and naming (tftp,ADDRESS) would need the address at which this client reaches
 * us.
 */
export function renderGrub(plan: BootPlan): string {
  switch (plan.kind) {
    case 'install':
      return `set timeout=0\nset default=0\n\n${functions}${entry(`Install ${plan.tree.id}`, plan)}`
    case 'menu':
      return menu(plan)
    case 'local-disk':
      return `echo ${message(plan.why)}\n${localBoot}`
    case 'refuse':
      return `echo ${message(plan.why)}\nsleep --interruptible 10\n${localBoot}`
  }
}

function message(why: string): string {
  return grubWord(`treeboot: ${screenText(why)}`)
}

function entry(title: string, plan: InstallPlan): string {
  // BOOTIF with the colons of $net_default_mac: dracut and netcfg read them as well as dashes. An empty
  // variable would leave `BOOTIF=01-`, which installers take for a card that does not exist.
  const args = plan.args.map((arg) => ` ${grubKernelArg(arg)}`).join('')
  return [
    `menuentry ${grubWord(screenText(title))} {`,
    `  if [ -n "$net_default_mac" ]; then set bootif="BOOTIF=01-$net_default_mac"; else set bootif=""; fi`,
    `  echo ${grubWord(`Loading ${screenText(plan.tree.id)} ...`)}`,
    // One after the other has to succeed. GRUB goes on after a command that failed, and at the end of an entry it boots
    // whatever is loaded: a kernel without its initrd.
    `  if linux ${grubWord(plan.kernel.urlPath)}${args} $bootif; then`,
    `    if initrd ${grubWord(plan.initrd.urlPath)}; then boot; fi`,
    '  fi',
    '  treeboot_again',
    '  treeboot_disk',
    '}',
    '',
  ].join('\n')
}

function menu(plan: MenuPlan): string {
  return [
    'set default=0',
    // 0 would boot the disk at once, without the menu.
    `set timeout=${Math.max(1, Math.round(plan.timeoutMs / 1000))}`,
    `${functions}menuentry 'Boot from the local disk' {`,
    '  treeboot_disk',
    '}',
    '',
    ...plan.items.map((item) => entry(item.label, item.plan)),
  ].join('\n')
}

/** In seconds; a server whose host is being started again takes minutes. */
const pauses = [2, 4, 8, 16, 32, 64, 128]

/**
 * Commands that begin again after a failed download, until the pauses are used up. They ask for the machine's
 * configuration and not for the same files: the guest may be installed by now, and must not get the installer once
 * more. `configfile` comes back when it finds no file; the menu that it finds stays. Only exported variables are seen
 * there, and so the pauses of all attempts are counted together. Left to itself, GRUB 2.06 stays at its menu.
 */
const askAgain = [
  `while [ "$treeboot_pause" != "${pauses.at(-1)}" ]; do`,
  ...pauses.map((pause, index) => {
    const before = index === 0 ? '' : String(pauses[index - 1])
    return `  ${index === 0 ? 'if' : 'elif'} [ "$treeboot_pause" = "${before}" ]; then set treeboot_pause=${pause}`
  }),
  '  fi',
  '  export treeboot_pause',
  '  echo "treeboot: the boot files could not be loaded; asking treeboot again in $treeboot_pause s"',
  '  sleep --interruptible $treeboot_pause',
  '  if [ -n "$net_default_mac" ]; then',
  '    configfile /boot/by/$net_default_mac/grub.cfg',
  '  else',
  '    configfile /grub.cfg',
  '  fi',
  'done',
  'echo "treeboot: the boot files could not be loaded; booting the local disk"',
  '',
].join('\n')

/** Starts a loader of `$root`, and goes on to the next one where Secure Boot refuses it, or when it comes back. */
const start = (file: string): string[] => [`if chainloader ${file}; then boot; fi`]

const isOnePath = (path: string): boolean => !path.includes('*')

/** A loader below `$disk` that is there is started. GRUB 2.06 says nothing about one that is not. */
const startIfThere = (file: string): string[] => [
  `if [ -f ${file} ]; then`,
  ...nested(['set root=$disk', ...start(file)]),
  'fi',
]

/**
 * Finds and starts the disk's own loader, since firmware that booted from its network entry often does not try the
 * disk by itself. Nearly every installed system's is shim, which looks for GRUB on the device that it was told to come
 * from. GRUB 2.06 tells it `$root`, and not the device in the name of the file, so that must be the disk.
 *
 * `(hd*)` stands for all disks and their partitions, in the order of the firmware, and never for a CD. Only GRUBs with
 * the module `regexp` expand it: Debian's, Ubuntu's, and by its package's sources Fedora's. Others, such as SUSE's,
 * leave it as it is. They `search` each loader, and print an error for each one that the disk does not have.
 */
const uefiDisk = [
  'set cpu=$grub_cpu',
  ...Object.entries(efiCpus).map(
    ([grubs, efis]) => `if [ "$grub_cpu" = "${grubs}" ]; then set cpu=${efis}; fi`,
  ),
  `set loaders="${diskLoaders.join(' ')}"`,
  'set disks=""',
  'for disk in (hd*); do',
  '  if [ -d $disk/EFI ]; then set disks="$disks $disk"; fi',
  'done',
  'for loader in $loaders; do',
  '  for disk in $disks; do',
  ...nested(nested(startIfThere('$disk$loader'))),
  '  done',
  'done',
  ...otherLoaders.flatMap((paths) => [
    'for disk in $disks; do',
    `  for loader in ${paths.map((path) => `$disk${path}`).join(' ')}; do`,
    ...nested(nested(startIfThere('$loader'))),
    '  done',
    'done',
  ]),
  'if [ "$disk" = "(hd*)" ]; then',
  `  for loader in $loaders ${otherLoaders.flat().filter(isOnePath).join(' ')}; do`,
  '    if search --no-floppy --set=root --file $loader; then',
  ...nested(nested(nested(start('($root)$loader')))),
  '    fi',
  '  done',
  'fi',
]

/**
 * Commands that boot the local disk: under UEFI its loader, under BIOS the first disk's boot sector. When that fails,
 * `exit 1` tells the firmware to try its next boot entry. Fedora's GRUB hands the number on. GRUB 2.06 ignores it and
 * reports success, after which firmware shows its menu (UEFI 2.10, 3.1.1); an iPXE that started this GRUB reports the
 * failure in its place (ipxe.ts).
 */
const localBoot = [
  'if [ "$grub_platform" = "efi" ]; then',
  ...nested(uefiDisk),
  'else',
  '  set root=(hd0)',
  '  chainloader +1',
  '  boot',
  'fi',
  'exit 1',
  '',
].join('\n')

/** What every entry ends with. */
const functions = `function treeboot_again {\n${indent(askAgain)}\n}\nfunction treeboot_disk {\n${indent(localBoot)}\n}\n\n`

function nested(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`)
}

function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, '  ')
}
