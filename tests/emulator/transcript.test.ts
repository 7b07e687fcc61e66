import { expect, test } from 'vitest'
import { plainText, Transcript } from '../../server/emulator/transcript.ts'

test('the screen drawing of firmware becomes plain lines', () => {
  const drawn = '\x1b[2J\x1b[01;01HiPXE 1.0\r\n\x1b[1mnet0\x1b[0m: 52:54\r\nok\x07\x00\r\n'
  expect(plainText(drawn)).toEqual({ plain: '\n\niPXE 1.0\nnet0: 52:54\nok\n', held: '' })
})

test('a sequence cut in two by the chunks is dropped as a whole', () => {
  const transcript = new Transcript()
  for (const chunk of ['boot\x1b', '[0', ';37mloader\r', '\n', 'done\x1b[0m\r\n']) transcript.append(chunk)
  expect(transcript.text).toBe('bootloader\ndone\n')
})

test('waitFor finds a line that came before, and one that comes later', async () => {
  const transcript = new Transcript()
  transcript.append('address 192.0.2.100\n')
  expect((await transcript.waitFor(/address (\S+)/, 1000))[1]).toBe('192.0.2.100')
  const later = transcript.waitFor(/done/, 1000)
  transcript.append('do')
  transcript.append('ne')
  expect((await later)[0]).toBe('done')
})

test('waitFor rejects at the end of the output, with the last lines', async () => {
  const transcript = new Transcript()
  const waiting = transcript.waitFor(/login:/, 1000)
  transcript.append('Kernel panic\n')
  transcript.end('qemu ended with code 0')
  await expect(waiting).rejects.toThrow(
    'waited for /login:/: qemu ended with code 0. The last lines were:\nKernel panic',
  )
  await expect(transcript.waitFor(/login:/, 1000)).rejects.toThrow('qemu ended with code 0')
})

test('onLine gets complete lines', () => {
  const transcript = new Transcript()
  const lines: string[] = []
  const end = transcript.onLine((line) => lines.push(line))
  for (const chunk of ['a\nb', 'c\n', 'd']) transcript.append(chunk)
  end()
  transcript.append('\n')
  expect(lines).toEqual(['a', 'bc'])
})
