import { families } from '../../distro/families.ts'
import { treeLimits } from '../../limits/trees.ts'
import type { DescriptorEra, DescriptorFormat } from '../description.ts'
import { readDiscinfo } from './discinfo.ts'
import { readDiskInfo, readVersionInfo } from './disk-info.ts'
import { manifestPaths, readManifest } from './manifest.ts'
import { readSuseContent, readSuseMedia, readSuseProducts } from './suse.ts'
import { readTreeinfo } from './treeinfo.ts'

/**
 * Every format of descriptors, best first: what an earlier one says wins, and later ones fill its gaps. A
 * format of one family can be in the family's record. Formats that list many files have the larger
 * `maxBytes`. docs/formats/ has a page for each.
 */
export const descriptorFormats: readonly DescriptorFormat[] = [
  {
    name: '.treeinfo',
    eras: ['treeinfo-0.0', 'treeinfo-0.3', 'treeinfo-1.0', 'treeinfo-1.1', 'treeinfo-1.2'],
    paths: ['.treeinfo', 'treeinfo'],
    maxBytes: treeLimits.descriptor.bytes,
    read: readTreeinfo,
    telling: true,
    virtInstallFindsImages: true,
  },
  {
    name: '.disk/info',
    eras: ['disk-info'],
    paths: ['.disk/info'],
    maxBytes: treeLimits.descriptor.bytes,
    read: readDiskInfo,
    telling: true,
    virtInstallFindsImages: false,
  },
  {
    name: 'content',
    eras: ['suse-content'],
    paths: ['content'],
    maxBytes: treeLimits.listingDescriptor.bytes,
    read: readSuseContent,
    telling: false,
    virtInstallFindsImages: true,
  },
  {
    name: 'media.1/products',
    eras: ['suse-media'],
    paths: ['media.1/products'],
    maxBytes: treeLimits.descriptor.bytes,
    read: readSuseProducts,
    telling: true,
    virtInstallFindsImages: false,
  },
  {
    name: 'media.1/media',
    eras: ['suse-media'],
    paths: ['media.1/media'],
    maxBytes: treeLimits.descriptor.bytes,
    read: readSuseMedia,
    telling: true,
    virtInstallFindsImages: false,
  },
  ...families.flatMap((family) => family.descriptors ?? []),
  {
    name: 'MANIFEST',
    eras: ['manifest'],
    paths: manifestPaths,
    maxBytes: treeLimits.listingDescriptor.bytes,
    read: readManifest,
    telling: false,
    virtInstallFindsImages: true,
  },
  {
    name: 'version.info',
    eras: ['version-info'],
    paths: ['version.info'],
    maxBytes: treeLimits.descriptor.bytes,
    read: readVersionInfo,
    telling: false,
    virtInstallFindsImages: false,
  },
  {
    name: '.discinfo',
    eras: ['discinfo'],
    paths: ['.discinfo'],
    maxBytes: treeLimits.descriptor.bytes,
    read: readDiscinfo,
    telling: true,
    virtInstallFindsImages: false,
  },
]

/** Whether virt-install finds kernel and initrd of a tree by a descriptor of this `DescriptorEra`. */
export function virtInstallFindsImages(era: DescriptorEra): boolean {
  return descriptorFormats.find(({ eras }) => eras.includes(era))?.virtInstallFindsImages ?? false
}

/** File and folder names that show that their folder is a tree: the first part of each descriptor's path. */
export const tellingNames: ReadonlySet<string> = firstParts({ telling: true })
/** Names that other folders have too (`content`, `VERSION`): only the text tells whether it is a tree. */
export const doubtfulNames: ReadonlySet<string> = firstParts({ telling: false })

function firstParts({ telling }: Pick<DescriptorFormat, 'telling'>): Set<string> {
  const formats = descriptorFormats.filter((format) => format.telling === telling)
  return new Set(formats.flatMap(({ paths }) => paths.map((path) => path.replace(/\/.*$/, ''))))
}
