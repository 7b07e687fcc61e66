import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { exitCodes } from '../server/cli/output/io.ts'
import { eventually } from './support/eventually.ts'
import { ask, desk, home, other, serveGuests, treeboot } from './support/guest-life.ts'

/** Machines that asked for boot and are no guests, until somebody adopts them. */

serveGuests()

describe('the inbox', () => {
  beforeEach(() => rmSync(join(home.path, 'guests.d'), { recursive: true, force: true }))

  const stranger = '52-54-00-00-00-99'
  const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3132'

  async function knock(): Promise<void> {
    // As PXELINUX does: UUID first, then MAC, then the default.
    for (const name of [uuid, `01-${stranger}`, 'default']) await ask(other, `/pxelinux.cfg/${name}`)
    await eventually(async () =>
      expect(JSON.parse((await ask(desk, '/api/v1/inbox')).body).items).toHaveLength(1),
    )
  }

  test('holds who asked and is no guest, and one command makes it one, at once and for good', async () => {
    expect(await treeboot('inbox')).toMatchObject({
      code: exitCodes.notFound,
      out: 'no unknown machine asked for boot\n',
    })
    await knock()
    expect((await treeboot('inbox')).out).toMatch(
      new RegExp(`^52:54:00:00:00:99 +${other} +- +${uuid} +- +- +[-: \\d]+$`, 'm'),
    )
    const adopted = await treeboot('adopt', stranger, '--name', 'web09', '--profile', 'web')
    expect(adopted).toMatchObject({ code: 0, err: '' })
    expect(readFileSync(join(home.path, 'guests.d/web09.yaml'), 'utf8')).toMatch(
      new RegExp(
        `^# First asked for boot .*\n# uuid: "${uuid}"\n# address: "${other}"\nmac: 52:54:00:00:00:99\nprofile: web\n$`,
      ),
    )
    expect(readdirSync(join(home.path, 'guests.d'))).toEqual(['web09.yaml'])
    await eventually(
      async () => expect((await ask(other, `/pxelinux.cfg/01-${stranger}`)).body).toContain('LABEL install'),
      8_000,
    )
    expect(JSON.parse((await ask(desk, '/api/v1/inbox')).body).items).toEqual([])
    expect((await treeboot('explain', 'web09')).out).toMatch(
      /^guest +web09 .*defined at guests\.d\/web09\.yaml:1$/m,
    )
  })

  test('an adoption that would not fit writes nothing and says why', async () => {
    await knock()
    const refused = async (...args: string[]) => (await treeboot('adopt', ...args)).err
    expect(await refused(stranger, '--name', 'web01')).toContain(
      'guest web01 already exists (config.yaml:11)',
    )
    expect(await refused(stranger, '--name', 'web09', '--profile', 'wep')).toContain("did you mean 'web'?")
    expect(await refused(stranger, '--name', '../web09')).toContain('expected a name of letters')
    expect(await refused('52-54-00-00-00-98', '--name', 'web09')).toContain('is not in the inbox')
    expect(() => readdirSync(join(home.path, 'guests.d'))).toThrow()
  })

  test('an adopted machine may be kept on its disk', async () => {
    await knock()
    await treeboot('adopt', stranger, '--name', 'web09', '--profile', 'web', '--local')
    await eventually(
      async () =>
        expect((await ask(other, `/pxelinux.cfg/01-${stranger}`)).body).toContain('kept on its own disk'),
      8_000,
    )
  })
})
