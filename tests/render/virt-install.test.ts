import { expect, test } from 'vitest'
import { planTree } from '../../server/core/boot/plan-tree.ts'
import { renderPlan } from '../../server/render/render.ts'
import { fedora40, makeGuest, makeTree, urls } from '../support/boot-inputs.ts'

function command(tree: typeof fedora40, virt: NonNullable<Parameters<typeof makeGuest>[1]>['virt'] = {}) {
  const plan = planTree(tree, { urls, virt: virt?.type ?? 'hvm', guest: makeGuest('a', { virt }) })
  return renderPlan(plan, 'virt-install')
}
const unknown = makeTree('x', { distro: 'other' })

test('a system that osinfo-db does not know gets virtio, unless the operator or Xen has something else', () => {
  expect(command(unknown)).toContain('--disk size=20,bus=virtio \\\n  --network bridge=br0,model=virtio,mac=')
  expect(command(unknown)).toContain('--osinfo detect=on,require=off')
  const own = command(unknown, { network: 'bridge=br0,model=e1000' })
  expect(own).toContain('--network bridge=br0,model=e1000,mac=')
  expect(own).not.toContain('model=virtio')
  expect(command(unknown, { hypervisor: 'xen', type: 'pv' })).not.toContain('virtio')
})

test('a known system is named, and has the devices that osinfo-db gives it', () => {
  expect(command(fedora40)).toContain('--osinfo name=fedora35')
  expect(command(fedora40)).not.toContain('virtio')
})

test('our kernel arguments are the whole command line, also where they have commas', () => {
  const plan = planTree(fedora40, { urls, virt: 'hvm', guest: makeGuest('a', { args: ['console=tty0,x'] }) })
  expect(renderPlan(plan, 'virt-install')).toMatch(
    /--install 'kernel_args="inst\.repo=\S+ ip=dhcp console=tty0,x",kernel_args_overwrite=yes'\n$/,
  )
})
