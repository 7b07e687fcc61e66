import { configState } from '../config/quiet-read.ts'
import type { ConfigPlace } from '../config/texts.ts'

const watchPollMs = 1000

/** Calls `listener` when config.yaml or a file beside it may have changed. Resolves to what ends that. */
export async function watchPlace(place: ConfigPlace, listener: () => void): Promise<() => void> {
  let state = await configState(place)
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const look = async (): Promise<void> => {
    const now = await configState(place)
    if (isOver) return
    if (now !== state) listener()
    state = now
    timer = setTimeout(() => void look(), watchPollMs).unref()
  }
  timer = setTimeout(() => void look(), watchPollMs).unref()
  return () => {
    isOver = true
    clearTimeout(timer)
  }
}
