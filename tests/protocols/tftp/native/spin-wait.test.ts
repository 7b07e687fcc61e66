import { expect, test } from 'vitest'
import { Patience } from '../../../../server/protocols/tftp/native/spin-wait.ts'

/** Looks that find what is in the list, then nothing; how often was looked is counted. */
function looker(...found: number[]) {
  const seen = { looks: 0 }
  const look = (): number => {
    seen.looks++
    return found.shift() ?? 0
  }
  return { seen, look }
}

test('what is there is taken at once', () => {
  const { seen, look } = looker(3)
  expect(new Patience(2).wait(look)).toBe(3)
  expect(seen.looks).toBe(1)
})

test('what comes soon is waited for awake', () => {
  const { seen, look } = looker(0, 0, 2)
  expect(new Patience(2).wait(look)).toBe(2)
  expect(seen.looks).toBe(3)
})

test('where nothing comes in time nobody burns a core for long, and now and then it is tried again', () => {
  const patience = new Patience(2)
  const { seen, look } = looker()
  const looks = Array.from({ length: 200 }, () => {
    const before = seen.looks
    expect(patience.wait(look)).toBe(0)
    return seen.looks - before
  })
  expect(looks[0]).toBeGreaterThan(1)
  expect(looks.slice(8).filter((count) => count === 1).length).toBeGreaterThanOrEqual(188)
  expect(looks.slice(8).some((count) => count > 1)).toBe(true)
})

test('with one core the client needs it', () => {
  const { seen, look } = looker(0, 1)
  expect(new Patience(1).wait(look)).toBe(0)
  expect(seen.looks).toBe(1)
})
