import { expect, test } from 'vitest'
import { BootMonitor, readableLine, short } from '../../../server/cli/demo/boot-monitor.ts'
import type { CliIo } from '../../../server/cli/output/io.ts'

test.each([
  ['[    6.484944] reboot: Power down', 'reboot: Power down'],
  ['Configuring (net0 52:54:00:db:00:01).................. ok', 'Configuring (net0 52:54:00:db:00:01)... ok'],
  ['Detecting hardware ... 10%... 20%... 100%', 'Detecting hardware ...'],
  ['[  (1*installer)  2 shell  3 shell  4- log           ][ Nov 23 16:18 ]', ''],
  ['  \t ', ''],
  ['>>', ''],
  ['x'.repeat(120), `${'x'.repeat(99)}…`],
])('of %j a reader needs %j', (line, shown) => {
  expect(readableLine(line)).toBe(shown)
})

test('a long path keeps both its ends', () => {
  const path = `/trees/${'debian/'.repeat(20)}amd64/initrd.gz`
  expect(short(path)).toMatch(/^\/trees\/debian.*….*amd64\/initrd\.gz$/)
  expect(short(path)).toHaveLength(76)
  expect(short('/pxelinux.0')).toBe('/pxelinux.0')
})

test('a line that repeats is printed once; fetched files are remembered', () => {
  let out = ''
  const io: CliIo = {
    out: (text) => {
      out += text
    },
    err: () => {},
    ask: async () => undefined,
    exit: () => {},
    color: false,
    cwd: '/',
  }
  const seen = new BootMonitor(io)
  for (const line of ['Loading...', 'Loading...', '', 'done']) seen.printLine(line)
  seen.printServed({ protocol: 'tftp', path: '/pxelinux.0', bytes: 42430 })
  expect(out.replaceAll(/^ *[\d.]+ s {2}/gm, '')).toBe(
    'machine  Loading...\nmachine  done\ntftp     /pxelinux.0  41 KiB\n',
  )
  expect(seen.fetched.map(({ path }) => path)).toEqual(['/pxelinux.0'])
})
