import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { makeToken } from '../support/api.ts'
import { portOf, quickApp } from '../support/app.ts'
import { requireClient } from '../support/clients.ts'
import { blocksOf, documentNames } from '../support/documents.ts'
import { writeIso } from '../support/iso/write-iso.ts'
import { imagesOfTree, makeTree, temporaryFolder, treeinfoText } from '../support/tree-folder.ts'

/** The blocks of README and docs that need clients; tests/documents.test.ts runs the others. */

const run = promisify(execFile)
const blocks = documentNames()
  .flatMap(blocksOf)
  .filter(({ kind }) => kind === 'clients')

const config = `server: { bind: 127.0.0.1 }
http: { port: 0 }
ftp: { port: 0 }
tftp: { enabled: false }
nfs: { enabled: false }
profiles: { web: {} }
guests: { web01: { mac: "52:54:00:aa:bb:01", profile: web } }
`

test.each(blocks.map((block) => [block.where, block] as const))(
  '%s runs as it is written',
  async (_, block) => {
    requireClient('curl', 'lftp')
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'config.yaml'), config)
    mkdirSync(join(cwd, 'trees'))
    mkdirSync(join(cwd, 'kickstart-templates'))
    makeTree(join(cwd, 'tree'))
    writeFileSync(join(cwd, '.treeinfo'), treeinfoText())
    const files = { '.treeinfo': treeinfoText({ version: '41' }), ...imagesOfTree({ version: '41' }) }
    writeFileSync(join(cwd, 'Fedora-40.iso'), writeIso({ files }).bytes)
    const app = quickApp({ cwd })
    onTestFinished(() => app.stop())
    await app.start()
    const token = readFileSync(join(cwd, 'data/admin-token'), 'utf8').trim()
    const text = block.lines
      .join('\n')
      .replaceAll('http://mirror.example:8080', `http://127.0.0.1:${portOf(app)}`)
      .replaceAll('ftp://mirror:10021', `ftp://127.0.0.1:${portOf(app, 'ftp')}`)
      // lftp asks at the terminal, which a test does not have.
      .replaceAll('-u admin ', `-u admin,${token} `)
    const TOKEN = await makeToken(app, 'operator')
    const { stdout, stderr } = await run('sh', ['-ec', text], { cwd, env: { ...process.env, TOKEN } })
    const said = `${stdout}${stderr}`
    if (text.includes('lftp')) {
      expect(app.snapshot().trees.byId('tree')?.state ?? said).toBe('ready')
      return
    }
    if (text.includes('/exports/')) {
      expect(Object.keys(JSON.parse(said)._meta.hostvars)).toContain('web01')
      return
    }
    if (block.where.startsWith('docs/api.md')) {
      expect(app.snapshot().guests.byName('web07')?.settings.vars.zone?.value).toBe('b')
      expect(app.snapshot().trees.byId('fedora-41')?.state ?? said).toBe('ready')
      expect(said).toContain('"hold":"by operator-')
      return
    }
    if (text.includes('/jobs')) {
      // Nothing is listed here, and the tree of the page is not there.
      for (const word of ['imports.allow', 'no tree fedora-40', '"items":[]', 'no job 1'])
        expect(said).toContain(word)
      return
    }
    // One file of a tree is no tree yet: the page says that such a publication is refused, with reasons.
    expect(said).toContain('"outcome":"refused"')
    expect(said).toContain('Fedora-40.iso')
  },
)
