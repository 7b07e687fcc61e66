import { starredArg } from '../access/starred.ts'
import type { BootPlan, InstallPlan } from './plan.ts'

/** A plan with stars in place of the secrets in its kernel arguments, for people and programs that look at it. */
export function starredPlan(plan: BootPlan): BootPlan {
  if (plan.kind === 'install') return starredInstall(plan)
  if (plan.kind !== 'menu') return plan
  return { ...plan, items: plan.items.map((item) => ({ ...item, plan: starredInstall(item.plan) })) }
}

function starredInstall(plan: InstallPlan): InstallPlan {
  return { ...plan, args: plan.args.map(starredArg) }
}
