import { z } from 'zod'
import { listOf, pageOf, text } from './common.ts'

export const upload = z
  .object({
    name: text,
    state: z
      .enum(['receiving', 'verifying', 'waiting', 'refused'])
      .meta({ description: 'waiting: nothing arrives now. refused: the last attempt to publish it failed.' }),
    partial: listOf(text).meta({ description: 'files that are not complete, relative to the upload area' }),
    lines: listOf(text).meta({ description: 'why the last attempt to publish it was refused' }),
  })
  .meta({ id: 'Upload' })

export const uploadPage = pageOf(upload, 'UploadPage')

export const uploadReceipt = z
  .object({
    path: text,
    received: z.int().meta({ description: 'bytes of this request' }),
    size: z.int().meta({ description: 'bytes that the file has now' }),
  })
  .meta({ id: 'UploadReceipt' })

export const publishResult = z
  .object({
    outcome: z.enum(['published', 'refused']),
    lines: listOf(text).meta({
      description: 'one for each published tree, or for each reason of the refusal',
    }),
  })
  .meta({ id: 'PublishResult' })
