import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { portOf } from '../support/app.ts'
import { requireClient } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { app, install, serveGuests, stateOf } from '../support/guest-life.ts'
import { temporaryFolder } from '../support/tree-folder.ts'

/** The module `phone_home` of cloud-init, run by the classes that cloud-init itself runs it with. */

serveGuests()

const script = `
import logging, sys
from cloudinit import cloud, distros, helpers
from cloudinit.config import cc_phone_home
from cloudinit.sources.DataSourceNone import DataSourceNone
url, folder = sys.argv[1:]
paths = helpers.Paths({"cloud_dir": folder, "run_dir": folder})
distro = distros.fetch("debian")("debian", {}, paths)
source = DataSourceNone({}, distro, paths)
source.metadata = {"local-hostname": "web01.example.org"}
logging.basicConfig(level=logging.WARNING, force=True)
config = {"phone_home": {"url": url, "tries": 1, "post": sys.argv[3:] or "all"}}
cc_phone_home.handle("phone_home", config, cloud.Cloud(source, paths, {}, distro, None), logging.getLogger(), [])
`

async function phoneHome(url: string): Promise<string> {
  const python = requireClient('cloud-init') && '/usr/bin/python3'
  const { stderr } = await promisify(execFile)(python, ['-c', script, url, temporaryFolder()])
  return stderr
}

test('phone_home of cloud-init ends the installation, and says which machine it was', async () => {
  const report = await install('web01')
  const url = `http://127.0.0.1:${portOf(app())}`
  expect(await phoneHome(url + report)).not.toContain('Failed to post')
  await eventually(async () => expect(await stateOf('web01')).toBe('installed'))
  const [boot] = await app().boots.list({ guest: 'web01', limit: 1 })
  expect(boot?.steps.find(({ kind }) => kind === 'end')).toMatchObject({
    status: 'done',
    words: 'cloud-init of web01.example.org, instance iid-datasource-none',
  })
  // Without the token of this installation it counts for nothing, and cloud-init says so.
  expect(await phoneHome(`${url}/api/v1/guests/web02/installed/wrong`)).toContain('Failed to post')
  expect(await stateOf('web02')).not.toBe('installed')
})
