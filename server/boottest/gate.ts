import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { BootTestProgress, OnBootTest } from '../core/boottest/progress.ts'
import type { BootTestResult } from '../core/boottest/result.ts'
import { ownFolder } from '../versions/layout.ts'
import { type Helper, type HelperOptions, startHelper } from './helper.ts'
import type { BootTestMessage, BootTestRequest } from './request.ts'

/** In the folder that treeboot keeps below `trees/`: whoever may publish there may write it. */
export function bootTestFolder(trees: string): string {
  return join(trees, ownFolder, 'boot-tests')
}

export interface GateOptions extends HelperOptions {
  /** Called when the test has got further. */
  readonly onProgress?: OnBootTest | undefined
  /** Why no machine may be switched on now; asked again until it says nothing. */
  readonly whyNotNow?: (() => Promise<string | undefined>) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Tests a version in a process of its own, so that no QEMU is ever a child of the server, and resolves to what each
 * machine showed. The process is nice, and in a network namespace of its own: a machine under test reaches the version and
 * nothing else. It ends with this process, and QEMU with it.
 *
 * @throws The reason of `signal` when that is aborted.
 */
export async function bootTest(
  request: BootTestRequest,
  options: GateOptions = {},
): Promise<readonly BootTestResult[]> {
  const { signal } = options
  signal?.throwIfAborted()
  // Its sandbox lets it write there, and not make it.
  await mkdir(request.folder, { recursive: true })
  const helper = startHelper(options)
  if (typeof helper === 'string') return impossible(request, helper)
  signal?.addEventListener('abort', helper.stop, { once: true })
  try {
    const { results, isWhole, words } = await follow(helper, request, options)
    signal?.throwIfAborted()
    if (isWhole) return results
    const why = `the process of the boot test ended early${words === '' ? '' : ` (${words})`}`
    const rest = request.firmware.filter((firmware) => results.every((each) => each.firmware !== firmware))
    return [...results, ...impossible({ ...request, firmware: rest }, why)]
  } finally {
    signal?.removeEventListener('abort', helper.stop)
  }
}

function impossible({ firmware }: Pick<BootTestRequest, 'firmware'>, why: string): BootTestResult[] {
  return firmware.map((each) => ({ firmware: each, outcome: 'impossible', why }))
}

interface Followed {
  readonly results: readonly BootTestResult[]
  /** The process said that it is through. */
  readonly isWhole: boolean
  /** The last words on its standard error. */
  readonly words: string
}

async function follow(helper: Helper, request: BootTestRequest, options: GateOptions): Promise<Followed> {
  const results: BootTestResult[] = []
  let isWhole = false
  let error = ''
  let isOver = false
  const { id: tree, firmware } = request
  const tell = (progress: Partial<BootTestProgress> & Pick<BootTestProgress, 'state'>): void =>
    options.onProgress?.({ tree, firmware, results: [...results], ...progress })
  const onMessage = (message: BootTestMessage): void => {
    if (message.event === 'result') results.push(message.result)
    else if (message.event === 'end') isWhole = true
    else if (message.event === 'error') error = message.message
    else if (message.event === 'may-boot') {
      const go = (): void => void (isOver || helper.input.write('go\n'))
      void untilFree(options, { isOver: () => isOver, onWhy: (why) => tell({ state: 'held', why }) }).then(
        go,
        go,
      )
    } else if (message.event === 'waiting') {
      const { place, waiting } = message
      tell({ state: 'queued', place, waiting })
    } else tell({ state: 'booting', firmware: [message.firmware] })
  }
  tell({ state: 'starting' })
  const lines = createInterface({ input: helper.output })
  // Told by the end of the helper.
  lines.on('error', () => undefined)
  lines.on('line', (line) => {
    const message = messageIn(line)
    if (message) onMessage(message)
  })
  // The end of its input tells the process that we have ended.
  helper.input.write(`${JSON.stringify(request)}\n`)
  const words = await helper.ended
  isOver = true
  return { results, isWhole, words: (error || words).replace(/\s+/g, ' ').trim() }
}

/** Our own process says nothing else; what Node or a library may print is passed over. */
function messageIn(line: string): BootTestMessage | undefined {
  try {
    return line.startsWith('{"event":') ? (JSON.parse(line) as BootTestMessage) : undefined
  } catch {
    return undefined
  }
}

const askEveryMs = 5_000

interface Waiting {
  readonly isOver: () => boolean
  readonly onWhy: (why: string) => void
}

async function untilFree({ whyNotNow }: GateOptions, { isOver, onWhy }: Waiting): Promise<void> {
  for (let said = ''; !isOver(); ) {
    const why = await whyNotNow?.()
    if (why === undefined) return
    if (why !== said) onWhy(why)
    said = why
    await new Promise((resolve) => {
      setTimeout(resolve, askEveryMs)
    })
  }
}
