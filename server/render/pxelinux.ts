import { formatCmdline } from '../core/boot/kernel-args.ts'
import type { BootFile, BootPlan, InstallPlan, MenuPlan } from '../core/boot/plan.ts'
import { urlOfPath } from '../core/boot/urls.ts'
import type { RenderOptions } from './options.ts'
import { pxelinuxLine, pxelinuxPath, screenText } from './quote.ts'

/**
 * A PXELINUX configuration, also for LPXELINUX and U-Boot's `pxe boot`. It needs no module beside the loader
 * itself, not even menu.c32: a menu is text, with numbers to type.
 */
export function renderPxelinux(plan: BootPlan, options: RenderOptions): string {
  switch (plan.kind) {
    case 'install':
      return `${install}\n${installLabel('install', undefined, plan, options)}\n${localLabel}`
    case 'menu':
      return menu(plan, options)
    case 'local-disk':
      return `DEFAULT local\nPROMPT 0\nSAY ${say(plan.why)}\n\n${localLabel}`
    case 'refuse':
      // Ten seconds to read it, then the disk, so that the machine does not wait for ever.
      return `DEFAULT local\nPROMPT 1\nTIMEOUT 100\nSAY ${say(plan.why)}\n\n${localLabel}`
  }
}

/**
 * The installer at once. When a file of it is not there, or its server does not reply for the two minutes for which
 * PXELINUX repeats a request, PXELINUX stands at its prompt: without TIMEOUT for ever, and with TIMEOUT alone it would
 * begin again without end. So the prompt ends at the disk after ten seconds, in which the error can be read. There is
 * no ONERROR: PXELINUX would boot the disk before anyone has seen why (com32/elflink/ldlinux/ldlinux.c), and without
 * variables it cannot count how often it went back to the server.
 *
 * When the server goes away within a file, PXELINUX waits for two minutes and restarts the machine after five more
 * (core/fs/pxe/tftp.c, core/pxelinux.asm). No configuration changes that. DHCP option 211, which our offer and the lines
 * of `dhcp-config` have, makes the five minutes one (core/loader/loaders.ts).
 *
 * U-Boot takes the last of ONTIMEOUT and DEFAULT for its default (boot/pxe_utils.c), so DEFAULT comes last.
 */
const install = 'ONTIMEOUT local\nTIMEOUT 100\nDEFAULT install\nPROMPT 0\n'

/**
 * -1 hands back to the firmware, which tries its next boot device (syslinux 6.04, doc/syslinux.txt,
 * LOCALBOOT).
 */
const localLabel = 'LABEL local\n  MENU LABEL Boot from the local disk\n  LOCALBOOT -1\n'

function say(why: string): string {
  return pxelinuxLine(`treeboot: ${screenText(why)}`.trimEnd())
}

function installLabel(
  label: string,
  title: string | undefined,
  plan: InstallPlan,
  options: RenderOptions,
): string {
  const cmdline = pxelinuxLine(formatCmdline(plan.args))
  return [
    `LABEL ${label}`,
    ...(title === undefined ? [] : [`  MENU LABEL ${title}`]),
    // LINUX and not KERNEL: KERNEL guesses the file's type from its suffix, and a kernel may be called
    // linux.img.
    `  LINUX ${file(plan.kernel, plan, options)}`,
    `  INITRD ${file(plan.initrd, plan, options)}`,
    ...(cmdline === '' ? [] : [`  APPEND ${cmdline}`]),
    // BOOTIF=01-<mac>, so that installers use the card they were booted from.
    '  IPAPPEND 2',
    '',
  ].join('\n')
}

/**
 * The name of a file for the loader. PXELINUX puts its own folder before every name that is not a URL and
 * does not begin with `::`, even before a leading slash (core/fs/pxe/pxe.c); `::/` is the root of the server
 * that it came from. U-Boot does not know `::`, so a loader in the root folder gets `/trees/...`, which both
 * understand. Over HTTP only a full URL surely stays with HTTP.
 */
function file(image: BootFile, plan: InstallPlan, options: RenderOptions): string {
  const place = image.urlPath
  if (options.via === 'http') return pxelinuxPath(urlOfPath(plan.urls.http, place))
  const inRoot = (options.loaderFolder ?? '') === ''
  return pxelinuxPath(inRoot ? place : `::${place}`)
}

function menu(plan: MenuPlan, options: RenderOptions): string {
  const titles = plan.items.map((item, index) => pxelinuxLine(screenText(`${index + 1}  ${item.label}`)))
  return [
    'DEFAULT local',
    'PROMPT 1',
    // Tenths of a second; 0 would wait for ever.
    `TIMEOUT ${Math.max(1, Math.round(plan.timeoutMs / 100))}`,
    // U-Boot shows the MENU lines, PXELINUX without menu.c32 the SAY lines.
    `MENU TITLE ${pxelinuxLine(screenText(plan.title))}`,
    `SAY ${pxelinuxLine(screenText(plan.title))}`,
    ...titles.map((title) => `SAY ${title}`),
    'SAY Type a number and press Enter to install. Enter alone boots from the local disk.',
    '',
    localLabel,
    ...plan.items.map((item, index) => installLabel(String(index + 1), titles[index], item.plan, options)),
  ].join('\n')
}
