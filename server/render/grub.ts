import type { BootPlan, InstallPlan, MenuPlan } from '../core/boot/plan.ts'
import { diskLoaders, efiCpus } from '../core/distro/efi.ts'
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

/**
 * Commands that boot the local disk. Under UEFI they find and start the disk's own loader, since firmware that booted
 * from its network entry often does not try the disk by itself. Nearly every installed system's is shim, which looks
 * for GRUB on the device that it was told to come from. GRUB 2.06 tells it `$root`, and not the device in the name of
 * the file, so that must be the disk. Without a loader, `exit` returns to the firmware. Under BIOS they start the first
 * disk's boot sector.
 */
const localBoot = [
  'if [ "$grub_platform" = "efi" ]; then',
  '  set cpu=$grub_cpu',
  ...Object.entries(efiCpus).map(
    ([grubs, efis]) => `  if [ "$grub_cpu" = "${grubs}" ]; then set cpu=${efis}; fi`,
  ),
  `  for loader in ${diskLoaders.join(' ')}; do`,
  '    if search --no-floppy --set=root --file $loader; then',
  '      chainloader ($root)$loader',
  '      boot',
  '    fi',
  '  done',
  'else',
  '  set root=(hd0)',
  '  chainloader +1',
  '  boot',
  'fi',
  'exit',
  '',
].join('\n')

/** What every entry ends with. */
const functions = `function treeboot_again {\n${indent(askAgain)}\n}\nfunction treeboot_disk {\n${indent(localBoot)}\n}\n\n`

function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, '  ')
}
