import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { formatCmdline } from '../../server/core/boot/kernel-args.ts'
import type { InstallPlan } from '../../server/core/boot/plan.ts'
import { planBoot } from '../../server/core/boot/plan-boot.ts'
import {
  grubWord,
  ipxeText,
  ipxeVariables,
  ipxeWord,
  shellWord,
  xlString,
  xmlComment,
  xmlText,
} from '../../server/render/quote.ts'
import { renderPlan } from '../../server/render/render.ts'
import {
  debian12,
  fedora9,
  fedora40,
  leap15,
  makeGuest,
  makeInputs,
  makeTree,
  rhel6,
} from '../support/boot-inputs.ts'
import { requireClient } from '../support/clients.ts'

/** What we write, read by the programs that it is for. */

const nasty = [
  `it's "quoted" and \\back\\slashed`,
  `$HOME \`id\` $(id) \${x} !! * ? ~`,
  '<b>&amp; ]]> --x',
  'a\\',
  "'",
  '"',
  ';|&&||#',
  '%s %n {0} {{x}}',
  'é – 日本 😀',
  '  two  blanks  ',
  '=',
  '-n',
]

const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3132'
const aarch64 = makeTree('arm', {
  arch: 'aarch64',
  platforms: {
    aarch64: { kernel: 'images/pxeboot/vmlinuz', initrd: 'images/pxeboot/initrd.img', others: {} },
  },
})
const s390x = makeTree('z', {
  arch: 's390x',
  version: '40',
  platforms: { s390x: { kernel: 'images/kernel.img', initrd: 'images/initrd.img', others: {} } },
})
const trees = [fedora40, rhel6, fedora9, debian12, leap15, aarch64, s390x]
const motd = 'motd="semi; $HOME `id` && <b> & 100% #1 {x} -- x"'
const guests = [
  makeGuest('web01', { tree: fedora40, template: 'fedora.ks', args: ['console=ttyS0', motd], uuid }),
  makeGuest('two-cards', {
    tree: fedora40,
    macs: ['52:54:00:00:00:01', '52:54:00:00:00:02'],
    virt: { network: 'user' },
  }),
  makeGuest('net--default', { tree: rhel6, virt: { network: 'network=default,model=e1000' } }),
  makeGuest("o'brien & <sons>", { tree: debian12, template: 'p.cfg', args: [motd] }),
  makeGuest('pv', { tree: fedora9, virt: { hypervisor: 'xen', type: 'pv' } }),
  makeGuest('xen-hvm', { tree: fedora40, virt: { hypervisor: 'xen' } }),
  makeGuest('arm', { tree: aarch64 }),
  makeGuest('z', { tree: s390x }),
  makeGuest('leap', { tree: leap15, template: 'a.xml' }),
]
const inputs = makeInputs(trees, guests)
const planFor = (name: string): InstallPlan => {
  const plan = planBoot({ name }, inputs)
  if (plan.kind !== 'install') throw new Error(JSON.stringify(plan))
  return plan
}
const names = guests.map((guest) => guest.name)

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'treeboot-render-'))
  return () => rmSync(folder, { recursive: true })
})

function inFile(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

describe('a shell', () => {
  test.each(nasty)('reads the word %j', (text) => {
    expect(execFileSync('sh', ['-c', `printf %s ${shellWord(text)}`], { encoding: 'utf8' })).toBe(text)
  })
  test.each(names)('reads the variables of %s', (name) => {
    const plan = planFor(name)
    const file = inFile('env', renderPlan(plan, 'env'))
    const said = execFileSync(
      'sh',
      ['-c', '. "$1"; printf "%s\\n%s" "$TREEBOOT_GUEST" "$TREEBOOT_CMDLINE"', 'sh', file],
      {
        encoding: 'utf8',
      },
    )
    expect(said).toBe(`${name}\n${formatCmdline(plan.args)}`)
  })
  // QEMU alone runs no PV guest.
  test.each(names.filter((name) => name !== 'pv'))('takes the QEMU commands of %s, word for word', (name) => {
    const plan = planFor(name)
    const script = renderPlan(plan, 'qemu')
    expect(spawnSync('sh', ['-n', '-c', script]).status).toBe(0)
    const program = /^qemu-system-\S+/m.exec(script)?.[0] ?? ''
    const fakes = `curl() { :; }; qemu-img() { :; }; ${program}() { printf '%s\\0' "$@"; }\n`
    // Not sh: its functions have no dashes in their names.
    const bash = requireClient('bash')
    const words = execFileSync(bash, ['-c', fakes + script], { encoding: 'utf8' }).split('\0')
    expect(words[words.indexOf('-append') + 1]).toBe(formatCmdline(plan.args))
    expect(words[words.indexOf('-name') + 1]).toBe(name)
  })
})

describe('xmllint and virt-xml-validate', () => {
  test.each(nasty)('read the text %j', (text) => {
    requireClient('xmllint')
    const file = inFile(
      'x.xml',
      `<?xml version="1.0" encoding="UTF-8"?><x a="${xmlText(text)}">${xmlText(text)}</x>`,
    )
    for (const path of ['string(/x)', 'string(/x/@a)'])
      expect(execFileSync('xmllint', ['--xpath', path, file], { encoding: 'utf8' }).replace(/\n$/, '')).toBe(
        text,
      )
  })
  test('accept a comment', () => {
    requireClient('xmllint')
    const file = inFile('c.xml', `<x><!--${xmlComment('a-b < & > "')}--></x>`)
    expect(spawnSync('xmllint', ['--noout', file]).status).toBe(0)
  })
  test.each(names)('accept the domain of %s, and its command line is ours', (name) => {
    requireClient('virt-xml-validate', 'xmllint')
    const plan = planFor(name)
    const file = inFile('d.xml', renderPlan(plan, 'libvirt'))
    const checked = spawnSync('virt-xml-validate', [file, 'domain'], { encoding: 'utf8' })
    expect(checked.stderr + checked.stdout).toContain('validates')
    const said = execFileSync('xmllint', ['--xpath', 'string(/domain/os/cmdline)', file], {
      encoding: 'utf8',
    })
    expect(said.replace(/\n$/, '')).toBe(formatCmdline(plan.args))
  })
  test('libvirt itself takes the KVM domain', () => {
    requireClient('virsh')
    const file = inFile(
      'd.xml',
      renderPlan(planFor('two-cards'), 'libvirt').replace("type='kvm'", "type='test'"),
    )
    const defined = spawnSync('virsh', ['-c', 'test:///default', 'define', file], { encoding: 'utf8' })
    expect(defined.stderr + defined.stdout).toContain("Domain 'two-cards' defined")
  })
})

describe('grub-script-check', () => {
  const plans = [
    ...names.map((name) => [name, planBoot({ name }, inputs)] as const),
    ['a menu', planBoot({}, inputs)] as const,
    ['local disk', { kind: 'local-disk', why: `it's "installed" $x` }] as const,
    ['a refusal', { kind: 'refuse', why: `} fi; boot 'x` }] as const,
  ]
  test.each(plans)('accepts %s', (_, plan) => {
    requireClient('grub-script-check')
    const file = inFile('grub.cfg', renderPlan(plan, 'grub'))
    const checked = spawnSync('grub-script-check', ['-v', file], { encoding: 'utf8' })
    expect(checked.stderr).toBe('')
    expect(checked.status).toBe(0)
  })
  test.each(nasty)('accepts the word %j', (text) => {
    requireClient('grub-script-check')
    expect(spawnSync('grub-script-check', [inFile('g.cfg', `echo ${grubWord(text)}\n`)]).status).toBe(0)
  })
})

describe('Python reads the strings of xl.cfg as xl does', () => {
  const literal =
    'import ast,sys; sys.stdout.buffer.write(ast.literal_eval(sys.stdin.buffer.read().decode()).encode())'
  test.each(nasty)('%j', (text) => {
    requireClient('python3')
    const said = spawnSync('python3', ['-c', literal], { input: xlString(text), encoding: 'utf8' })
    expect(said.stdout).toBe(text)
  })
  test.each(['pv', 'xen-hvm'])('the whole file of %s', (name) => {
    requireClient('python3')
    const plan = planFor(name)
    const whole = 'import json,sys; d={}; exec(sys.stdin.read(), {}, d); print(json.dumps(d))'
    const said = spawnSync('python3', ['-c', whole], { input: renderPlan(plan, 'xl'), encoding: 'utf8' })
    expect(JSON.parse(said.stdout)).toMatchObject({
      name,
      type: plan.virt,
      cmdline: formatCmdline(plan.args),
    })
  })
})

describe('virt-install', () => {
  // It names disks after the guest and takes no blank there; the test driver has no Xen.
  test.each(names.filter((name) => /^[\w-]+$/.test(name) && name !== 'pv' && name !== 'xen-hvm'))(
    'understands the options for %s',
    (name) => {
      requireClient('virt-install')
      const command = renderPlan(planFor(name), 'virt-install')
      // Nothing is fetched here, and what --install says belongs to --location. The host of the test driver is an
      // i686.
      const dry = command
        .trimEnd()
        .replace(/--location \S+/, '--boot kernel=/boot/k,initrd=/boot/i')
        .replace(/ \\\n {2}--install .*/s, '')
        .replace(/--virt-type \S+/, '--virt-type test')
        .replace(/--arch \S+/, '--arch i686')
      const run = spawnSync('sh', ['-c', `${dry} --connect test:///default --print-xml --dry-run`], {
        encoding: 'utf8',
      })
      expect(run.stderr).not.toMatch(/error/i)
      for (const mac of planFor(name).guest?.macs ?? [])
        expect(run.stdout).toContain(`<mac address="${mac}"/>`)
    },
  )
})

describe('iPXE', () => {
  test('prints every text as it was meant', async () => {
    requireClient('qemu-system-x86_64')
    requireClient('/usr/lib/ipxe/qemu/pxe-virtio.rom')
    // iPXE cannot write a literal "${", and its console shows ASCII alone, in 80 columns.
    const texts = [
      ...nasty.map((text) => text.replaceAll('${', '$ {')),
      '#a #b',
      'a && b || c ; d',
      '&&',
      '||',
      ';',
    ].filter((text) => /^[\x20-\x7e]*$/.test(text))
    // The first word ends the options of echo, so that a text may begin with a dash.
    const lines = texts.flatMap((text, at) => [
      `echo <${at}:text> ${ipxeText(text)}`,
      `echo <${at}:word> ${ipxeWord(text)}`,
    ])
    const body = `${lines.join('\n')}\necho <end>\n`
    inFile('boot.ipxe', `#!ipxe\n${ipxeVariables(body)}${body}`)
    const screen = await ipxeScreen(folder, '<end>')
    for (const [at, text] of texts.entries()) {
      expect(screen).toContain(`<${at}:text> ${text}\n`)
      expect(screen).toContain(`<${at}:word> ${text}\n`)
    }
  })
})

/**
 * What QEMU's iPXE ROM shows of `boot.ipxe` in a folder, up to a word. No privileges: QEMU's own network serves
 * it by TFTP.
 */
function ipxeScreen(tftp: string, until: string): Promise<string> {
  const machine = spawn('qemu-system-x86_64', [
    ...['-machine', 'pc,accel=tcg,graphics=off', '-vga', 'none', '-nographic', '-m', '256'],
    ...['-boot', 'order=n,strict=on', '-netdev', `user,id=n,tftp=${tftp},bootfile=boot.ipxe`],
    ...['-device', 'virtio-net-pci,netdev=n', '-no-reboot'],
  ])
  return new Promise((resolve, reject) => {
    let screen = ''
    machine.stdout.on('data', (bytes: Buffer) => {
      screen += bytes.toString('latin1')
      const plain = screen.replace(/\r/g, '').replace(/\x1b\[[0-9;]*[A-Za-z]/g, '')
      if (!plain.includes(`\n${until}`)) return
      machine.kill()
      resolve(plain)
    })
    machine.once('error', reject)
    machine.once('exit', () => reject(new Error(`QEMU ended before ${until}: ${screen.slice(-2000)}`)))
  })
}
