import type { Boot, Step } from './boot.ts'

/** A boot whose times were written by a clock that was set since: all of them move by so many milliseconds. */
export function shifted(boot: Boot, byMs: number): Boot {
  const { sendingMs, replacedMs } = boot.signs
  return {
    ...boot,
    startMs: boot.startMs + byMs,
    lastMs: boot.lastMs + byMs,
    ...(boot.endMs !== undefined && { endMs: boot.endMs + byMs }),
    steps: boot.steps.map((step) => shiftedStep(step, byMs)),
    signs: {
      ...boot.signs,
      sendingMs: sendingMs + byMs,
      ...(replacedMs !== undefined && { replacedMs: replacedMs + byMs }),
    },
  }
}

function shiftedStep(step: Step, byMs: number): Step {
  const { window } = step
  return {
    ...step,
    startMs: step.startMs + byMs,
    endMs: step.endMs + byMs,
    ...(window && { window: { ...window, sinceMs: window.sinceMs + byMs } }),
  }
}
