import type { BootPlan } from '../core/boot/plan.ts'
import { installResultJson } from '../core/lookup/result.ts'

/**
 * A plan as JSON: an installation as the lookup returns it, a menu as labels and tree ids, any other plan
 * unchanged. JSON.stringify is the quoting function of JSON.
 */
export function renderJson(plan: BootPlan): string {
  return `${JSON.stringify(shape(plan), null, 2)}\n`
}

function shape(plan: BootPlan): unknown {
  if (plan.kind === 'install') return installResultJson(plan)
  if (plan.kind !== 'menu') return plan
  return {
    kind: plan.kind,
    title: plan.title,
    timeoutMs: plan.timeoutMs,
    items: plan.items.map((item) => ({ label: item.label, tree: item.plan.tree.id })),
  }
}
