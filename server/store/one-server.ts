import { join } from 'node:path'
import { takeLock } from '../host/lock.ts'

/**
 * Allows one server for each data folder: two of them would not know what the other one has told a machine.
 * Commands beside the server take no such lock.
 *
 * @returns What another server may start after.
 * @throws Failure `conflict` that names the server which uses the folder.
 */
export function lockDataFolder(data: string, configFile = 'no config.yaml'): Promise<() => Promise<void>> {
  return takeLock(join(data, 'server.lock'), {
    holderIs: `is a treeboot server that uses ${data} already; stop it, or choose another folder as paths.data`,
    about: `with ${configFile}`,
  })
}
