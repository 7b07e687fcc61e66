import type { FileRole } from '../boots/roles.ts'
import type { SerialSigns } from '../distro/serial-signs.ts'
import { type Reach, type ReachPoint, reachPoints } from './result.ts'

/** One point, and what shows it. It was reached when everything that is here was seen. */
export interface Goal {
  readonly point: ReachPoint
  /** A line of the serial line. */
  readonly line?: RegExp
  /** A file that the machine fetched whole: this path, or any with this role. */
  readonly file?: { readonly path: string } | { readonly role: FileRole }
}

export interface GoalInputs {
  readonly reach: Reach
  readonly signs: SerialSigns
  /** The paths of kernel and initrd in the namespace; undefined where the machine gets them without asking us. */
  readonly kernel?: string
  readonly initrd?: string
  /** Whether the installer loads a second stage from the tree. */
  readonly hasStage2: boolean
  /** Whether the machine is told of an answer file. */
  readonly hasAnswerFile: boolean
}

/** What the answer file of a boot test writes to the console. */
export const answerLine = 'treeboot boot test: the answer file was read'

/**
 * The kernel's own words, of all versions since 2.6: `linux_banner`; `populate_rootfs` and its free_initrd_mem, and since
 * 4.17 `run_init_process`. They need a log level of 7 and no `quiet`.
 */
const kernelLine = /\bLinux version \d/
const initrdLine = /Freeing initrd memory|\bRun \/\S+ as init process/

/**
 * The points that a machine has to reach. With `auto` they are those that are shown both by a request and on the serial
 * line; with a point of the operator's, also those that a request alone shows. A point that this installer does not have
 * (it has no second stage) is left out.
 */
export function goalsOf(inputs: GoalInputs): readonly Goal[] {
  const { reach, signs, kernel, initrd, hasStage2, hasAnswerFile } = inputs
  const all: Goal[] = [
    { point: 'kernel', line: kernelLine, ...fetched(kernel) },
    { point: 'initrd', line: initrdLine, ...fetched(initrd) },
  ]
  if (hasStage2)
    all.push({ point: 'stage2', file: { role: 'stage2' }, ...(signs.stage2 && { line: signs.stage2 }) })
  if (hasAnswerFile)
    all.push({
      point: 'answer',
      file: { role: 'answer-file' },
      ...(signs.answerFile && { line: new RegExp(answerLine) }),
    })
  if (reach !== 'auto')
    return all.filter(({ point }) => reachPoints.indexOf(point) <= reachPoints.indexOf(reach))
  const last = all.findLastIndex(({ line }) => line !== undefined)
  return all.slice(0, last + 1)
}

function fetched(path: string | undefined): Pick<Goal, 'file'> {
  return path === undefined ? {} : { file: { path } }
}
