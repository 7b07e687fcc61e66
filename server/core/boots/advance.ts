import { type Boot, type BootPurpose, isDone, type Signs, type StepKind, stepOf } from './boot.ts'
import type { DhcpFact, Fact, FileFact, LogFact, ReportFact, SendingFact, Told, Who } from './facts.ts'
import { type FileRole, isLibrary, isLooked } from './roles.ts'
import { shortText, withFolded, withNews } from './steps.ts'

/** How many MACs, and how many addresses, are kept of one machine. */
const mostNames = 4

/** Whether a fact may be the first that is heard of a boot. A file of a tree may be anybody's. */
export function beginsBoot(fact: Fact): boolean {
  if (fact.kind === 'dhcp') return fact.step !== 'leased'
  if (fact.kind !== 'file' || fact.isQuestion) return false
  if (fact.role === 'loader') return isLoaderAsked(fact)
  if (fact.outcome !== 'complete') return false
  if (fact.role === 'configuration') return fact.told !== undefined || isFirmware(fact.agent)
  // A machine whose kernel somebody else loaded: virt-install, libvirt, xl.
  return fact.role === 'answer-file' && fact.who.guest !== undefined && !fact.isOwnHost
}

/**
 * A loader that is not here was named by a DHCP server, mostly with a mistake in it. One of which no block arrives was asked
 * for all the same: without a proxy nothing else is heard of a machine behind a path with a smaller MTU.
 */
function isLoaderAsked({ isTftp, agent, outcome, failure, path, isSilent, bytes }: FileFact): boolean {
  if (!isTftp && !isFirmware(agent)) return false
  if (isSilent && bytes === 0) return true
  return outcome === 'complete' || (failure === 'not-found' && !isLooked(path))
}

/** UEFI HTTP Boot and the loaders that speak HTTP. A browser or curl shows a file to a person. */
function isFirmware(agent: string | undefined): boolean {
  return agent !== undefined && /^(?:UefiHttpBoot|iPXE|GRUB|Syslinux|U-Boot)/i.test(agent)
}

/** Begins a boot with nothing in it. */
export function newBoot(id: number, nowMs: number): Boot {
  return {
    id,
    macs: [],
    addresses: [],
    startMs: nowMs,
    lastMs: nowMs,
    state: 'running',
    steps: [],
    signs: { sending: 0, sendingMs: 0 },
  }
}

/**
 * A boot after a fact, which is known to concern it. State and reason are left to `judge`.
 *
 * @param nowMs When the fact was seen, in milliseconds since 1970.
 */
export function advance(boot: Boot, fact: Fact, nowMs: number): Boot {
  if (fact.kind === 'log') return afterLog(boot, fact, nowMs)
  const named = withNames(heard(boot, nowMs), fact.who)
  switch (fact.kind) {
    case 'dhcp':
      return afterDhcp(named, fact, nowMs)
    case 'file':
      return afterFile(named, fact, nowMs)
    case 'packages': {
      const { path: what, count, bytes, ms } = fact
      const at = { startMs: nowMs - ms, endMs: nowMs }
      return {
        ...named,
        steps: withNews(named.steps, { kind: 'packages', status: 'done', ...at, what, count, bytes }),
      }
    }
    case 'sending':
      return afterSending(named, fact, nowMs)
    case 'report':
      return afterReport(named, fact, nowMs)
  }
}

/**
 * Lines of a log are a step, and no sign of life: a service that logs each minute would hide an installer that waits at its
 * screen. A new stage is one. So the worst that a false line can do is to show a boot as `running`.
 */
function afterLog(boot: Boot, { count, ms, log }: LogFact, nowMs: number): Boot {
  // The system on the disk logs, too.
  if (stepOf(boot, 'disk')) return boot
  const { words, stage, fault } = log
  const isStage = stage !== undefined && shortText(stage) !== stepOf(boot, 'log')?.what
  const at = { startMs: nowMs - ms, endMs: nowMs }
  const news = { kind: 'log', status: 'done', ...at, count, what: stage, words, fault } as const
  return { ...(isStage ? heard(boot, nowMs) : boot), steps: withNews(boot.steps, news) }
}

/** The machine was heard of now. */
function heard(boot: Boot, nowMs: number): Boot {
  const { signs } = boot
  const silenceMs = isDone(boot, 'kernel') ? nowMs - boot.lastMs : 0
  const isLongest = silenceMs > (signs.longestMs ?? 0)
  return {
    ...boot,
    lastMs: Math.max(boot.lastMs, nowMs),
    signs: isLongest ? { ...signs, longestMs: silenceMs } : signs,
  }
}

function withNames(boot: Boot, { guest, macs, uuid, address }: Who): Boot {
  return {
    ...boot,
    ...(guest !== undefined && { guest }),
    ...(uuid !== undefined && { uuid }),
    macs: macs.every((mac) => boot.macs.includes(mac)) ? boot.macs : joined(boot.macs, macs),
    addresses:
      address === undefined || boot.addresses.includes(address)
        ? boot.addresses
        : [...boot.addresses, address].slice(-mostNames),
  }
}

function joined(names: readonly string[], more: readonly string[]): readonly string[] {
  return [...new Set([...names, ...more])].slice(0, mostNames)
}

function withSigns(boot: Boot, signs: Partial<Signs>): Boot {
  return { ...boot, signs: { ...boot.signs, ...signs } }
}

function afterDhcp(boot: Boot, fact: DhcpFact, nowMs: number): Boot {
  const { step, xid, ms, firmware, file, detail, server, who } = fact
  const shown = firmware === undefined ? {} : { firmware: firstFirmware(boot, firmware) }
  if (step === 'leased') {
    const { address } = who
    const lease = { ...(server !== undefined && { server }), ...(address !== undefined && { address }) }
    return withSigns({ ...boot, ...shown }, { lease })
  }
  const [startMs, endMs] = [nowMs - ms, nowMs]
  if (step === 'confirmed') {
    const news = { kind: 'dhcp-confirmed', status: 'done', startMs, endMs, what: file ?? '' } as const
    return { ...boot, ...shown, steps: withNews(boot.steps, news) }
  }
  const what = firmware ?? boot.firmware ?? ''
  const asked = { kind: 'dhcp-asked', status: 'done', startMs, endMs: startMs, what } as const
  const steps = withNews(boot.steps, asked)
  const asking = loaderRuns(boot, fact) ? withLoader(boot) : boot
  if (step === 'silent')
    return withSigns(
      { ...asking, ...shown, steps },
      { xid, ...(detail !== undefined && { silence: shortText(detail) }) },
    )
  const offered = {
    kind: 'dhcp-offered',
    status: 'done',
    startMs,
    endMs,
    what: file ?? '',
    words: detail,
  } as const
  return withSigns({ ...asking, ...shown, steps: withNews(steps, offered) }, { xid })
}

/** Whether the loader that firmware fetched is iPXE, and asks by DHCP now. A ROM that is iPXE asks anew by itself. */
function loaderRuns(boot: Boot, { firmware, xid }: DhcpFact): boolean {
  const isIpxe = firmware?.startsWith('ipxe') ?? false
  const wasIpxe = boot.firmware?.startsWith('ipxe') ?? true
  return isIpxe && !wasIpxe && isDone(boot, 'loader') && boot.signs.xid !== xid
}

/** The address of the firmware says nothing of that of the loader. */
function withLoader(boot: Boot): Boot {
  const { lease: _firmware, ...signs } = boot.signs
  return { ...boot, signs: { ...signs, isLoaderRunning: true } }
}

/** The firmware that began: iPXE asks again after it was loaded, and is a loader then. */
function firstFirmware(boot: Boot, firmware: string): string {
  return boot.firmware !== undefined && firmware.startsWith('ipxe') ? boot.firmware : firmware
}

const stepOfRole: Readonly<Record<Exclude<FileRole, 'metadata'>, StepKind>> = {
  loader: 'loader',
  configuration: 'configuration',
  kernel: 'kernel',
  initrd: 'initrd',
  stage2: 'stage2',
  'answer-file': 'answer-file',
  package: 'packages',
}

function afterFile(boot: Boot, fact: FileFact, nowMs: number): Boot {
  if (fact.role === 'metadata') return boot
  const kind = stepOfRole[fact.role]
  const done = fact.isQuestion ? boot : withSigns(boot, oneLessSending(boot.signs))
  const isNotFound = fact.outcome === 'failed' && fact.failure === 'not-found'
  if (isUsual(fact, isNotFound)) return { ...done, steps: withFolded(done.steps, kind, nowMs) }
  if (isNotFound) return afterMissing(done, kind, fact, nowMs)
  const news = {
    kind,
    status: statusOf(fact),
    startMs: nowMs - fact.ms,
    endMs: nowMs,
    bytes: fact.bytes,
    retries: fact.retries,
    what: fact.told?.summary ?? fact.path,
    words: fact.detail ?? fact.agent,
  }
  const after = { ...done, steps: withNews(done.steps, news) }
  if (fact.isSilent && fact.bytes === 0 && fact.blksize !== undefined)
    return withSigns(after, { deadBlksize: fact.blksize })
  if (fact.outcome !== 'complete') return after
  // A block arrived after all, with another size.
  const told =
    fact.isTftp && boot.signs.deadBlksize !== undefined ? withSigns(after, { deadBlksize: 0 }) : after
  return fact.told ? afterTold(told, fact.told, nowMs) : told
}

/**
 * HEAD comes before GET; a size probe ends with an ERROR after the OACK, and no byte was acknowledged. But Fedora CoreOS
 * (coreos-livepxe-rootfs.sh) and dracut (livenet) ask for their image by HEAD, and give up when it is not here.
 */
function isUsual(
  { isQuestion, isTftp, outcome, bytes, isSilent, role }: FileFact,
  isNotFound: boolean,
): boolean {
  if (isQuestion) return !(isNotFound && role === 'stage2')
  return isTftp && outcome === 'aborted' && bytes === 0 && !isSilent
}

function statusOf({ outcome }: FileFact): 'done' | 'broken-off' | 'failed' {
  if (outcome === 'complete') return 'done'
  return outcome === 'aborted' ? 'broken-off' : 'failed'
}

/** A name that is not there. Loaders try a dozen; what is not needed is folded into the step. */
function afterMissing(boot: Boot, kind: StepKind, { path, agent }: FileFact, nowMs: number): Boot {
  const before = stepOf(boot, kind)
  // PXELINUX looks for its library in six folders, and does not run without it. The first name is the one that it should have.
  const isNeeded = isLibrary(path) && before !== undefined && !isLibrary(before.lost ?? '')
  if (isLooked(path) && !isNeeded) return { ...boot, steps: withFolded(boot.steps, kind, nowMs) }
  const news = { kind, status: 'missing', startMs: nowMs, endMs: nowMs, lost: path, words: agent } as const
  const steps = withNews(boot.steps, news)
  return { ...boot, steps: withFolded(steps, kind, nowMs) }
}

function afterTold(boot: Boot, told: Told, nowMs: number): Boot {
  const { purpose, loader, tree, kernel } = told
  const after = {
    ...boot,
    purpose,
    loader,
    ...(tree !== undefined && { tree }),
    ...(kernel !== undefined && { kernel }),
  }
  return purpose === 'local-disk' ? toDisk(after, told.summary, nowMs) : after
}

/** The machine was told to start its own disk. */
export function toDisk(boot: Boot, what: string, nowMs: number): Boot {
  const news = { kind: 'disk', status: 'done', startMs: nowMs, endMs: nowMs, what } as const
  return { ...boot, steps: withNews(boot.steps, news) }
}

function afterSending(boot: Boot, fact: SendingFact, nowMs: number): Boot {
  const { signs } = boot
  const counted = withSigns(boot, { sending: signs.sending + 1, sendingMs: nowMs })
  if (fact.role === 'metadata' || fact.role === 'package') return counted
  const kind = stepOfRole[fact.role]
  if (stepOf(boot, kind)) return counted
  const news = { kind, status: 'running', startMs: nowMs, endMs: nowMs, what: fact.path } as const
  return { ...counted, steps: withNews(counted.steps, news) }
}

function oneLessSending({ sending }: Signs): Pick<Signs, 'sending'> {
  return { sending: Math.max(0, sending - 1) }
}

function afterReport(boot: Boot, { report, detail }: ReportFact, nowMs: number): Boot {
  const at = { startMs: nowMs, endMs: nowMs }
  if (report !== 'installed' && report !== 'failed') {
    const news = { kind: 'report', status: 'done', ...at, what: report, words: detail } as const
    return { ...boot, steps: withNews(boot.steps, news) }
  }
  const status = report === 'failed' ? 'failed' : 'done'
  const news = { kind: 'end', status, ...at, what: report, words: detail } as const
  return { ...boot, steps: withNews(boot.steps, news) }
}

/** In milliseconds: firmware that finds no address or server asks anew within this time. */
const sameSearchMs = 5 * 60_000
/** In milliseconds: iPXE may ask for an address again while its script runs. */
const scriptMs = 5000
/** In milliseconds: a loader that asks again for its configuration this long after the kernel was started anew. */
const afterKernelMs = 20_000

/** Whether a fact shows that the machine has begun another boot since. */
export function restarts(boot: Boot, fact: Fact, nowMs: number): boolean {
  const quietMs = nowMs - boot.lastMs
  if (fact.kind === 'dhcp') return asksAnew(boot, fact, quietMs)
  if (fact.kind !== 'file' || fact.outcome !== 'complete' || fact.isQuestion) return false
  if (isOver(boot)) return beginsBoot(fact) && fact.role !== 'answer-file'
  if (!isDone(boot, 'kernel')) return false
  if (fact.role === 'loader') return beginsBoot(fact)
  return fact.told !== undefined && nowMs - (stepOf(boot, 'kernel')?.endMs ?? nowMs) > afterKernelMs
}

/** Whether the machine has said, or was told, all that there is to say. */
function isOver(boot: Boot): boolean {
  return stepOf(boot, 'end') !== undefined || stepOf(boot, 'disk') !== undefined
}

function asksAnew(boot: Boot, { step, xid, firmware }: DhcpFact, quietMs: number): boolean {
  if (step === 'confirmed' || step === 'leased' || boot.signs.xid === xid) return false
  if (isOver(boot) || isDone(boot, 'kernel')) return true
  const runsIpxe = firmware?.startsWith('ipxe') ?? false
  if (isDone(boot, 'configuration')) return !runsIpxe || quietMs > scriptMs
  if (isDone(boot, 'loader')) return !runsIpxe
  return quietMs > sameSearchMs
}

/** What a plan means, from the line that treeboot logs of it. */
export function purposeOf(
  summary: string,
  { localDisk, isInstall }: { localDisk: boolean; isInstall: boolean },
): BootPurpose {
  if (isInstall) return 'install'
  if (localDisk) return 'local-disk'
  if (summary.startsWith('menu')) return 'menu'
  return summary.startsWith('refuse') ? 'refuse' : 'other'
}
