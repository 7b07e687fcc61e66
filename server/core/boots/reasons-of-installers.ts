import { isDone, type StepKind, stepOf } from './boot.ts'
import {
  has,
  inInstaller,
  isMissing,
  isQuiet,
  isReplaced,
  largeImage,
  lastInstallerStep,
  lastWords,
  lost,
  mib,
  minutes,
  nameOf,
  type ReasonTable,
  seconds,
  wentBeyond,
} from './reason-parts.ts'

/** What stops a machine from its kernel on. */
export const reasonsOfInstallers = {
  'installer-failed': {
    state: 'failed',
    seen: (boot) =>
      `The installer reported that it failed: ${stepOf(boot, 'end')?.words ?? 'it gave no reason'}.`,
    means: 'The installer stopped by itself; its own words say why.',
    try: 'Look at the line that it names, mend the answer file or the machine, then run treeboot install for this guest.',
    fits: () => false, // judge knows it by the report
  },
  'kernel-missing': {
    state: 'gone',
    seen: (boot) => `It asked for the kernel ${lost(boot, 'kernel')}, which is not here.`,
    means: 'The configuration names a kernel that its tree does not have, as one written by hand can.',
    try: 'Run treeboot inspect on the tree, and compare the path with the configuration that the machine was sent.',
    fits: (boot, quietMs) => isMissing(boot, 'kernel') && isQuiet(boot, quietMs, seconds(5)),
  },
  'initrd-missing': {
    state: 'stalled',
    seen: (boot) => `It asked for the initrd ${lost(boot, 'initrd')}, which is not here.`,
    means: 'Without its initrd the kernel finds no installer, and panics.',
    try: 'Run treeboot inspect on the tree, and compare the path with the configuration that the machine was sent.',
    fits: (boot, quietMs) => isMissing(boot, 'initrd') && isQuiet(boot, quietMs, seconds(5)),
  },
  'initrd-broken-off': {
    state: 'stalled',
    seen: (boot) =>
      `The transfer of ${nameOf(stepOf(boot, 'initrd')?.what)} broke off after ${mib(stepOf(boot, 'initrd')?.bytes ?? 0)}.`,
    means: 'The machine ended it: too little memory for kernel and initrd, or the line was lost.',
    try: 'Give the machine more memory (GRUB and UEFI need about twice the size of both), and look at its cable and switch.',
    fits: (boot, quietMs) =>
      ['initrd', 'kernel'].some((kind) => stepOf(boot, kind as StepKind)?.status === 'broken-off') &&
      !wentBeyond(boot, ...inInstaller) &&
      isQuiet(boot, quietMs, seconds(30)),
  },
  'answer-file-failed': {
    state: 'stalled',
    seen: (boot) => `Its answer file could not be made: ${stepOf(boot, 'answer-file')?.words ?? ''}.`,
    means: 'The template of this guest has a fault, or needs a value that nobody has set.',
    try: 'Run treeboot check and treeboot render for this guest with --as kickstart, and mend the line that they name.',
    fits: (boot) => stepOf(boot, 'answer-file')?.status === 'failed',
  },
  'answer-file-missing': {
    state: 'stalled',
    seen: (boot) => `It asked for the answer file ${lost(boot, 'answer-file')}, which is not here.`,
    means: 'No guest of this name has a template, so the installer waits for answers at its screen.',
    try: 'Give the guest a template:, or take the argument that names the answer file out of args:.',
    fits: (boot, quietMs) => isMissing(boot, 'answer-file') && isQuiet(boot, quietMs, seconds(30)),
  },
  'restarted-after-kernel': {
    state: 'stalled',
    seen: () => 'It loaded its kernel, and then began to boot anew without a word from the installer.',
    means:
      'The kernel panicked or reset the machine: often a processor that it does not run on (Enterprise Linux 9 needs x86-64-v2, 10 needs v3), or a kernel of another architecture.',
    try: 'Look at the screen during the next boot; give a virtual machine the host’s processor (-cpu host or max).',
    fits: (boot) => isReplaced(boot) && isDone(boot, 'kernel') && !wentBeyond(boot, ...inInstaller),
  },
  'restarted-before-end': {
    state: 'stalled',
    seen: (boot) =>
      `Its installer was at work (last: ${lastInstallerStep(boot)}), and then the machine began to boot anew without a report.`,
    means: 'The installation was interrupted, or it ended well and its answer file has no report in it.',
    try: 'Look whether the template includes the report snippet; if it does, look at the installer’s log on the disk.',
    fits: (boot) => isReplaced(boot) && wentBeyond(boot, ...inInstaller),
  },
  'stage2-missing': {
    state: 'stalled',
    seen: (boot) => `Its second stage ${lost(boot, 'stage2')} is not here.`,
    means:
      'The argument inst.repo= or inst.stage2= names another tree than the kernel came from, or the tree is not complete.',
    try: 'Remove inst.stage2= from args: so that treeboot’s own value counts, or run treeboot verify on the tree.',
    fits: (boot, quietMs) => isMissing(boot, 'stage2') && isQuiet(boot, quietMs, seconds(15)),
  },
  'image-too-large': {
    state: 'stalled',
    seen: (boot) =>
      `It fetched ${mib(stepOf(boot, 'stage2')?.bytes ?? 0)} of ${nameOf(stepOf(boot, 'stage2')?.what)} and went quiet.`,
    means: 'The live system keeps the whole image in memory, and the machine has too little for it.',
    try: 'Give the machine the size of the image and 2 GiB more, or boot by NFS with source: nfs.',
    fits: (boot, quietMs) => {
      const stage2 = stepOf(boot, 'stage2')
      const isImage = /\.(?:iso|squashfs)$|rootfs/i.test(stage2?.what ?? '')
      const isPart = stage2?.status === 'broken-off' || (stage2?.bytes ?? 0) >= largeImage
      return (
        isImage &&
        isPart &&
        !wentBeyond(boot, 'answer-file', 'packages', 'report') &&
        isQuiet(boot, quietMs, minutes(3))
      )
    },
  },
  'packages-missing': {
    state: 'stalled',
    seen: (boot) => `It asked for the package ${lost(boot, 'packages')}, which is not here, and went quiet.`,
    means: 'The tree is not complete, or its index belongs to another version of it.',
    try: 'Run treeboot verify on the tree; a mirror is made whole by treeboot mirror.',
    fits: (boot, quietMs) =>
      stepOf(boot, 'packages')?.lost !== undefined && isQuiet(boot, quietMs, minutes(2)),
  },
  'kernel-quiet': {
    state: 'stalled',
    seen: () => 'It fetched kernel and initrd, and then nothing.',
    means:
      'The kernel has no driver for the network card, or its words go to another console, or it panicked.',
    try: 'Look at the screen; set console=tty0 or console=ttyS0 in args:, or take a newer tree.',
    fits: (boot, quietMs) =>
      isDone(boot, 'kernel') && !wentBeyond(boot, ...inInstaller) && isQuiet(boot, quietMs, seconds(90)),
  },
  'log-quiet': {
    state: 'stalled',
    seen: (boot) => `Its installer logged to us, and went on no further.${lastWords(boot)}`,
    means: 'The installer runs, and waits for an answer or for something that it does not find here.',
    try: 'Look at its screen, and whether its answer file is named in its kernel arguments.',
    fits: (boot, quietMs) =>
      isDone(boot, 'kernel') &&
      has(boot, 'log') &&
      !wentBeyond(boot, 'stage2', 'answer-file', 'packages', 'report') &&
      isQuiet(boot, quietMs, minutes(15)),
  },
  'stage2-quiet': {
    state: 'stalled',
    seen: (boot) => `It fetched its second stage, and never asked for its answer file.${lastWords(boot)}`,
    means: 'The installer starts without an answer file and waits at its screen, or it ran out of memory.',
    try: 'Look whether the guest has a template:, and give the machine 3 GiB of memory.',
    fits: (boot, quietMs) =>
      isDone(boot, 'stage2') &&
      !wentBeyond(boot, 'answer-file', 'packages', 'report') &&
      isQuiet(boot, quietMs, minutes(5)),
  },
  'packages-quiet': {
    state: 'stalled',
    seen: (boot) =>
      `It fetched ${stepOf(boot, 'packages')?.count ?? 0} packages, and then nothing, and no report came.${lastWords(boot)}`,
    means:
      'The installer waits for an answer, its disk is full, or a script in the answer file does not end.',
    try: 'Look at its screen and its second console; installers write there what they wait for.',
    fits: (boot, quietMs) => has(boot, 'packages') && isQuiet(boot, quietMs, minutes(20)),
  },
  'installer-waits': {
    state: 'stalled',
    seen: (boot) =>
      `It took its answer file, and then fetched nothing and reported nothing.${lastWords(boot)}`,
    means: 'The installer asks a question at its screen, or installs from a place that is not here.',
    try: 'Look at its screen: disks, passwords and licences are asked for most often when the answer file lacks them.',
    fits: (boot, quietMs) =>
      has(boot, 'answer-file') && !has(boot, 'packages') && isQuiet(boot, quietMs, minutes(15)),
  },
} satisfies ReasonTable
