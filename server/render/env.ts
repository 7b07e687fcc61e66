import { formatCmdline } from '../core/boot/kernel-args.ts'
import type { BootPlan } from '../core/boot/plan.ts'
import { urlOfPath } from '../core/boot/urls.ts'
import { shellValue } from './quote.ts'

/** Shell variables, for `eval "$(curl ...)"` or `. file` in a script that fetches and boots by itself. */
export function renderEnv(plan: BootPlan): string {
  return Object.entries(variables(plan))
    .map(([name, value]) => `TREEBOOT_${name}=${shellValue(value)}\n`)
    .join('')
}

function variables(plan: BootPlan): Record<string, string> {
  switch (plan.kind) {
    case 'install': {
      return {
        PLAN: plan.kind,
        GUEST: plan.guest?.name ?? '',
        TREE: plan.tree.id,
        FAMILY: plan.tree.family,
        VERSION: plan.tree.version,
        VARIANT: plan.tree.variant,
        ARCH: plan.tree.arch,
        VIRT: plan.virt,
        PLATFORM: plan.platform,
        KERNEL: urlOfPath(plan.urls.http, plan.kernel.urlPath),
        KERNEL_SHA256: plan.kernel.sha256 ?? '',
        INITRD: urlOfPath(plan.urls.http, plan.initrd.urlPath),
        INITRD_SHA256: plan.initrd.sha256 ?? '',
        CMDLINE: formatCmdline(plan.args),
        LOCATION: plan.location,
        ANSWERS: plan.answerFile ?? '',
      }
    }
    case 'menu':
      return { PLAN: plan.kind, TREES: plan.items.map((item) => item.plan.tree.id).join(' ') }
    case 'local-disk':
    case 'refuse':
      return { PLAN: plan.kind, WHY: plan.why }
  }
}
