import { mirrorTree } from '../../server/intake/mirror/mirror-tree.ts'
import { VersionStore } from '../../server/versions/version-store.ts'

/** `node mirror-child.ts TREES URL ID` runs one mirror in a process of its own, which a test may kill. */
const [trees = '', url = '', id = ''] = process.argv.slice(2)
const store = new VersionStore(trees)
// The modules are loaded: the test counts its time from here.
process.send?.('begin')
await store.recover()
const { trees: found, unchanged } = await mirrorTree(store, [url], { id })
process.exitCode = unchanged || found.every(({ result }) => result.outcome === 'published') ? 0 : 1
process.disconnect?.()
