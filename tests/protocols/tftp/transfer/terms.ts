import type { TransferTerms } from '../../../../server/protocols/tftp/transfer/transfer.ts'

/** The terms of a transfer of three blocks, changed as a test needs them. */
export const terms = (change: Partial<TransferTerms> = {}): TransferTerms => ({
  size: 1300,
  blksize: 512,
  windowsize: 1,
  timeoutMs: 1000,
  oack: false,
  ...change,
})
