import { type Document, isMap, isScalar, isSeq, type Node, visit, type YAMLError } from 'yaml'

/**
 * Finds the cause of a syntax error and its position, when the message of the parser does not help an
 * operator.
 */
export function explainYamlError(
  error: YAMLError,
  document: Document.Parsed,
  lineOf: (offset: number) => number,
): { offset: number; message: string } {
  const { code, message } = error
  const [offset] = error.pos
  switch (code) {
    case 'TAB_AS_INDENT':
      return { offset, message: 'found a tab; YAML indents with spaces only' }
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return {
        offset,
        message:
          "found 'key: value' inside a value; put each key on its own line with the same indentation, or, if the value is a text with ': ', put it in quotes",
      }
    case 'MULTIPLE_DOCS':
      return { offset, message: "found a second document ('---'); one file holds one configuration" }
    // The name of a tag, an alias or a directive is not repeated: it may be the beginning of a password without quotes.
    case 'TAG_RESOLVE_FAILED':
      return { offset, message: 'unknown tag; put text that begins with ! in quotes' }
    case 'BAD_DIRECTIVE':
      return { offset, message: 'unknown directive; put text that begins with % in quotes' }
    case 'BAD_SCALAR_START':
    case 'BAD_ALIAS':
      return { offset, message: `${message}; put such text in quotes` }
    case 'BAD_INDENT':
    case 'MISSING_CHAR': {
      // The parser reports the place where it noticed the missing quote or bracket, often many lines later.
      // The operator needs the place where the quote or bracket begins.
      const opened = innermostOpen(document, offset)
      if (opened === undefined) return { offset, message }
      return /quote/.test(message)
        ? { offset: opened.offset, message: `the quote (${opened.opener}) that begins here is never closed` }
        : {
            offset,
            message: `the ${opened.opener} of line ${lineOf(opened.offset)} is not closed before this line`,
          }
    }
    default:
      return { offset, message }
  }
}

/** Where a quoted text or bracket begins, and the character that opens it. */
interface Opened {
  readonly offset: number
  readonly opener: string
}

/** The innermost quoted text or bracket that begins before an offset and reaches it. */
function innermostOpen(document: Document.Parsed, offset: number): Opened | undefined {
  let found: Opened | undefined
  visit(document, {
    Node(_, node) {
      const opener = openerOf(node)
      if (opener === undefined || !node.range) return
      const [start, , end] = node.range
      if (start < offset && end >= offset) found = { offset: start, opener }
    },
  })
  return found
}

const quotes: Readonly<Record<string, string>> = { QUOTE_DOUBLE: '"', QUOTE_SINGLE: "'" }

function openerOf(node: Node): string | undefined {
  if (isScalar(node)) return node.type === undefined ? undefined : quotes[node.type]
  if (isSeq(node)) return node.flow ? '[' : undefined
  return isMap(node) && node.flow ? '{' : undefined
}
