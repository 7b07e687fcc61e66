// MKD, RMD, DELE, RNFR, RNTO: RFC 959 section 4.1.3. All of them in the upload area only.

import { quotePath } from '../line/reply.ts'
import { findEntry, uploadTarget } from './namespace.ts'
import { forAdministrators, isReply, reply } from './verb.ts'

export const mkd = forAdministrators(async (state, argument, context) => {
  const { area, inside, path } = uploadTarget(state, argument, context)
  await area.makeFolder(inside)
  return reply(257, `${quotePath(path)} created`)
})

export const rmd = forAdministrators(async (state, argument, context) => {
  const { area, inside } = uploadTarget(state, argument, context)
  await area.removeFolder(inside)
  return reply(250, 'Folder removed')
})

export const dele = forAdministrators(async (state, argument, context) => {
  const { area, inside } = uploadTarget(state, argument, context)
  await area.removeFile(inside)
  return reply(250, 'File removed')
})

export const rnfr = forAdministrators(async (state, argument, context) => {
  const { inside } = uploadTarget(state, argument, context)
  const entry = await findEntry(state, argument, context)
  if (isReply(entry)) return entry
  return reply(350, 'RNTO with the new name next', { renameFrom: inside })
})

export const rnto = forAdministrators(async (state, argument, context) => {
  const { renameFrom } = state
  if (renameFrom === undefined) return reply(503, 'RNFR first')
  const { area, inside } = uploadTarget(state, argument, context)
  await area.rename(renameFrom, inside)
  return reply(250, 'Renamed')
})
