import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { startWorker } from '../../server/host/worker.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

test.each([
  ['from sources', '.ts', 'const twice = (n: number): number => n * 2'],
  ['when built', '.js', 'const twice = (n) => n * 2'],
])('a module runs in a worker %s', async (_, extension, line) => {
  // Outside of the sources, so no module of it was translated before: the worker must load TypeScript itself.
  const folder = temporaryFolder()
  const imports = "import { parentPort, workerData } from 'node:worker_threads'"
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(
    join(folder, `worker${extension}`),
    `${imports}\n${line}\nparentPort.postMessage(twice(workerData))`,
  )
  const caller = pathToFileURL(join(folder, `caller${extension}`)).href
  const worker = startWorker(caller, './worker', { workerData: 21 })
  expect(await once(worker, 'message')).toEqual([42])
  await worker.terminate()
})
