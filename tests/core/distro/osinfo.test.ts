import { expect, test } from 'vitest'
import { osinfoName } from '../../../server/core/distro/distro.ts'
import { type Distro, distros, recordOf } from '../../../server/core/distro/families.ts'
import { compareVersions } from '../../../server/core/tree/version.ts'

test.each<[Distro, string, string | undefined]>([
  ['fedora', '35', 'fedora35'],
  ['fedora', '20', 'fedora20'],
  ['fedora', '44', 'fedora35'],
  ['fedora', 'rawhide', 'fedora35'],
  ['fedora', '', undefined],
  ['rhel', '9.4', 'rhel9.0'],
  ['rhel', '8.10', 'rhel8.0'],
  ['rhel', '10.1', 'rhel9.0'],
  ['rhel', '5.11', 'rhel5.4'],
  ['rhel', '5.2', 'rhel5.0'],
  ['rhel', '2.1', undefined],
  ['rocky', '9.4', 'rhel9.0'],
  ['centos-stream', '9', 'rhel9.0'],
  ['openeuler', '24.03', 'rhel9.0'],
  ['amazon', '2023', 'rhel8.0'],
  ['redhat-linux', '9', undefined],
  ['debian', '12', 'debian11'],
  ['debian', '12.5', 'debian11'],
  ['debian', '10', 'debian10'],
  ['debian', 'sid', 'debian11'],
  ['ubuntu', '24.04', 'ubuntu21.10'],
  ['ubuntu', '18.04.6', 'ubuntu18.04'],
  ['opensuse', '15.6', 'opensuse15.3'],
  ['opensuse', '42.3', 'opensuse42.3'],
  ['opensuse', 'tumbleweed', 'opensusetumbleweed'],
  ['sles', '15.5', 'sle15sp3'],
  ['sles', '12.5', 'sles12'],
  ['sled', '11', 'sles11'],
  ['alpine', '3.20', 'alpinelinux3.14'],
  ['alpine', '3.4', undefined],
  ['proxmox', '8.2', undefined],
  ['other', '1', undefined],
])('%s %s is %s for virt-install', (distro, version, name) => {
  expect(osinfoName(distro, version)).toBe(name)
})

test.each(distros.filter((distro) => recordOf(distro).osinfo))('the names of %s are in order', (distro) => {
  const versions = (recordOf(distro).osinfo ?? []).map(([since]) => since)
  expect(versions).toEqual(versions.toSorted(compareVersions))
})
