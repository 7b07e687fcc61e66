import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { bindLibc } from '../../server/host/koffi.ts'
import { builtFile } from '../support/built-file.ts'

const hasTrim = bindLibc((libc) => libc.func('int malloc_trim(size_t pad)')) !== undefined

// Needs koffi and glibc.
test.skipIf(!hasTrim)(
  'memory that a load left behind is given back at rest, and Node alone keeps it',
  async () => {
    const child = builtFile('tests/host/idle-memory-child.ts')
    const { stdout } = await promisify(execFile)(process.execPath, [child])
    const { leftAlone, watched } = JSON.parse(stdout)
    expect(leftAlone).toBeGreaterThan(90)
    expect(watched).toBeLessThan(40)
  },
)
