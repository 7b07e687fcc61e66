import { TemplateRenderer } from '../../server/templates/renderer.ts'

/** One for all tests of a process: to start a thread with the template engine takes a fifth of a second. */
export const sharedRenderer = new TemplateRenderer()
