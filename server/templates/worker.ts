import { parentPort, workerData } from 'node:worker_threads'
import { Engine } from './engine.ts'
import { EnginePanic } from './engine-error.ts'
import type { WorkerRequest, WorkerResult, WorkerSettings } from './message.ts'
import { startEngine } from './wasm.ts'

/**
 * The thread that renders templates. It may be stopped at any moment, so it keeps no state that others need.
 */
const settings = workerData as WorkerSettings
const memoryBytes = startEngine(settings.memoryMiB)
let engine: Engine | undefined
let panicText = ''

// The engine writes a panic to the console. The text becomes part of the error that the caller gets.
console.error = (...values: unknown[]): void => {
  panicText = values.map(String).join(' ').split('\n').slice(0, 2).join(': ')
}

function handle(request: WorkerRequest): WorkerResult {
  try {
    if (request.kind === 'load') {
      engine?.free()
      engine = new Engine(request.templates, request.refused, settings, (index) =>
        Atomics.store(settings.progress, 0, index),
      )
      return { kind: 'loaded', broken: engine.broken }
    }
    if (!engine) return { kind: 'panic', message: 'no templates are loaded' }
    const result = engine.render(request.name, request.context)
    if ('problem' in result) return { kind: 'problem', problem: result.problem, memoryBytes: memoryBytes() }
    if (result.text.length > settings.longestOutput) return tooLong(request.name, result.text.length)
    return { kind: 'text', text: result.text, memoryBytes: memoryBytes() }
  } catch (error) {
    if (error instanceof EnginePanic && panicText === '')
      // A failed allocation ends the engine without any text.
      return { kind: 'panic', message: `the template needs more than ${settings.memoryMiB} MiB of memory` }
    return { kind: 'panic', message: `the template engine failed: ${panicText || String(error)}` }
  }
}

function tooLong(name: string, length: number): WorkerResult {
  const message = `the output has ${length} characters, expected at most ${settings.longestOutput}`
  return {
    kind: 'problem',
    problem: { template: name, line: 1, severity: 'error', message },
    memoryBytes: memoryBytes(),
  }
}

parentPort?.on('message', (request: WorkerRequest) => parentPort?.postMessage(handle(request)))
parentPort?.postMessage({ kind: 'ready' } satisfies WorkerResult)
