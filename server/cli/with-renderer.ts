import { TemplateRenderer } from '../templates/renderer.ts'
import type { CliIo } from './output/io.ts'

/** Lends a command a renderer, and closes it afterwards unless it was the caller's. */
export async function withRenderer<T>(
  { renderer }: CliIo,
  use: (renderer: TemplateRenderer) => Promise<T>,
): Promise<T> {
  if (renderer) return use(renderer)
  const own = new TemplateRenderer()
  try {
    return await use(own)
  } finally {
    await own.close()
  }
}
