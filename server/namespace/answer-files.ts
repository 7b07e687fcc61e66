import type { Snapshot } from '../catalog/snapshot.ts'
import { Failure } from '../core/failure.ts'
import type { Guest } from '../core/guest/guest.ts'
import { hostnameOf } from '../core/guest/hostname.ts'
import type { Requester } from '../core/net/requester.ts'
import { generatedSource } from '../files/generated.ts'
import type { CleanPath } from '../files/path.ts'
import type { FileSource } from '../files/source.ts'
import type { BootMachines } from '../machines/boot-machines.ts'
import { Answers, type AnswersOptions, type RenderedAnswerFile } from './answers.ts'

export interface AnswerFileOptions {
  readonly snapshot: () => Snapshot
  readonly answers: Answers
  readonly machines: Pick<BootMachines, 'fresh' | 'claimAnswerFile'>
}

/**
 * The answer files, to be mounted at `/ks`:
 *
 *     /ks/<guest>                 its kickstart, preseed, AutoYaST profile, ...
 *     /ks                         the same, for the machine that asks: by MAC, UUID, serial or address
 *     /ks/<guest>/user-data       the same, as cloud-init's NoCloud asks for it (for Ubuntu's autoinstall)
 *     /ks/<guest>/meta-data       instance-id and host name
 *     /ks/<guest>/vendor-data, /ks/<guest>/network-config
 *                                 empty: cloud-init asks ten times, a second apart, for what is missing
 *
 * A guest without a template has no answer file. When a template fails, `stat` rejects with a Failure, which the client
 * may read; it never gets half a file.
 */
export function answerFilesSource(options: AnswerFileOptions): FileSource {
  return generatedSource({
    // Everybody may list, and the names of guests are nobody's business.
    hidesRoot: true,
    paths: () =>
      options
        .snapshot()
        .guests.all.filter((guest) => guest.settings.template !== undefined)
        .map((guest) => `/${guest.name}`),
    async text(path, who) {
      await options.machines.fresh()
      const snapshot = options.snapshot()
      const asked = askedFor(path, who, snapshot)
      if (!asked || asked.guest.settings.template === undefined) return undefined
      if (asked.file === 'meta-data') return { text: metaData(asked.guest) }
      if (asked.file === 'vendor-data' || asked.file === 'network-config') return { text: '' }
      const { text } = await options.answers.render({ guest: asked.guest, who, snapshot }).catch(tellClient)
      return { text, claim: () => options.machines.claimAnswerFile(asked.guest, who) }
    },
  })
}

/** Messages of templates name them by their paths below the folder of templates, so any client may read them. */
function tellClient(error: unknown): never {
  if (!(error instanceof Failure)) throw error
  throw new Failure(error.kind, error.message, { cause: error, forClient: true })
}

/** The files that cloud-init's NoCloud asks for below the URL that it was given. */
const seedFiles: readonly string[] = ['user-data', 'meta-data', 'vendor-data', 'network-config']

/** The guest and the file that a path below `/ks` means for this requester. */
function askedFor(
  path: CleanPath,
  who: Requester,
  snapshot: Snapshot,
): { guest: Guest; file?: string } | undefined {
  const [name = '', file, ...more] = path.slice(1).split('/')
  if (more.length > 0 || (file !== undefined && !seedFiles.includes(file))) return undefined
  const guest = name === '' ? whoAsks(who, snapshot) : snapshot.guests.byName(name)
  return guest && { guest, ...(file !== undefined && { file }) }
}

/**
 * The guest whose machine asks for `/ks` itself. By FTP and NFS `/ks` is always a folder, because those
 * clients enter or mount it on their way to a guest's file.
 */
function whoAsks(who: Requester, snapshot: Snapshot): Guest | undefined {
  if (who.protocol === 'ftp' || who.protocol === 'nfs') return undefined
  return snapshot.guests.match({
    ...(who.macs && { macs: who.macs }),
    ...(who.uuid !== undefined && { uuid: who.uuid }),
    ...(who.serial !== undefined && { serial: who.serial }),
    ip: who.address,
  })?.guest
}

/**
 * The file `meta-data`, which is YAML. A JSON string in double quotes is a YAML string with the same meaning.
 */
function metaData(guest: Guest): string {
  return `instance-id: ${JSON.stringify(guest.name)}\nlocal-hostname: ${JSON.stringify(hostnameOf(guest))}\n`
}

/**
 * Renders a guest's answer file, exactly as the guest would get it.
 *
 * @throws Failure like `Answers.render`
 */
export function renderAnswerFile(
  { snapshot, ...options }: AnswersOptions & { readonly snapshot: () => Snapshot },
  guest: Guest,
  who: Requester,
): Promise<RenderedAnswerFile> {
  return new Answers(options).render({ guest, who, snapshot: snapshot() })
}
