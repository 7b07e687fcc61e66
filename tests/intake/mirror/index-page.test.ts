import { expect, test } from 'vitest'
import { namesOnPage } from '../../../server/intake/mirror/index-page.ts'

const at = new URL('http://host/pub/')

test('links of every spelling are names, and attributes of other names are not', () => {
  const page = `<a href="a">a</a> <A class=x HREF = 'b/'>b</A> <a title=">" href="c">c</a>
    <a\nhref="d">d</a> <a data-href="no">no</a> <abbr href="no">no</abbr> <a>no</a> href="no" <a href="e`
  expect(namesOnPage(page, at)).toEqual(['a', 'b/', 'd'])
})

test.each(['<a ', '<a href="', '<a h', "<a href='x", '<a b="'])(
  'an index page of nothing but %s is read in a moment',
  (piece) => {
    expect(namesOnPage(piece.repeat(1_000_000), at)).toEqual([])
  },
)
