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
      return `DEFAULT install\nPROMPT 0\n\n${installLabel('install', undefined, plan, options)}`
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
