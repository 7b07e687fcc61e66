import { failureKinds } from '../../core/failure.ts'
import { httpStatus } from '../../core/http-status.ts'
import { htmlText } from '../../render/quote.ts'
import type { ApiDescription, DescribedOperation, DescribedParameter, JsonSchema } from '../openapi.ts'
import { problemTitles } from '../problem.ts'

/** The documentation of the API as one page, made from its description. It has no scripts, and loads no other file. */
export function docsPage({ info, tags, paths, components }: ApiDescription): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
  const sections = tags.map(({ name }) => {
    const rows = operations.filter(({ operation }) => operation.tags.includes(name)).map(operationText)
    return `<section id="${htmlText(name)}"><h2>${htmlText(name)}</h2>${rows.join('\n')}</section>`
  })
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<article id="schema-${htmlText(name)}"><h3>${htmlText(name)}</h3>${fieldTable(schema)}</article>`,
  )
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>treeboot API</title>
<style>${style}</style>
<header><h1>treeboot API ${htmlText(info.version)}</h1>
${info.description
  .split('\n\n')
  .map((text) => `<p>${withCode(text)}</p>`)
  .join('\n')}
<p>For programs: <a href="/api/v1/openapi.json">/api/v1/openapi.json</a> (OpenAPI 3.1)</p>
<nav>${tags.map(({ name }) => `<a href="#${htmlText(name)}">${htmlText(name)}</a>`).join(' ')}
<a href="#problem-kinds">kinds of problems</a> <a href="#schemas">schemas</a></nav></header>
<main>
${sections.join('\n')}
<section id="problem-kinds"><h2>Kinds of problems</h2><table><tbody>${problemRows()}</tbody></table></section>
<section id="schemas"><h2>Schemas</h2>${schemas.join('\n')}</section>
</main>
</html>
`
}

interface ShownOperation {
  readonly method: string
  readonly path: string
  readonly operation: DescribedOperation
}

function operationText({ method, path, operation }: ShownOperation): string {
  const {
    operationId,
    summary,
    description = '',
    parameters = [],
    requestBody,
    security,
    responses,
  } = operation
  const who = security.length === 0 ? 'everybody' : (operation['x-role'] ?? 'viewer')
  const statuses = Object.entries(responses).map(
    ([status, response]) =>
      `<li><code>${status}</code> ${htmlText(response.description)} ${schemaLink(response.content?.['application/json']?.schema)}</li>`,
  )
  return `<article id="${htmlText(operationId)}"><h3><code>${method} ${htmlText(path)}</code></h3>
<p>${htmlText(summary)}. <em>${htmlText(who)}</em></p>${description && `<p>${withCode(description)}</p>`}
${parameterTable(parameters)}${bodyText(requestBody)}<details><summary>Responses</summary><ul>${statuses.join('')}</ul></details></article>`
}

/** A text in which words between backticks are code. */
function withCode(text: string): string {
  return htmlText(text).replace(/`([^`]*)`/g, '<code>$1</code>')
}

function bodyText(body: DescribedOperation['requestBody']): string {
  const types = Object.entries(body?.content ?? {})
  const shown = types.map(([type, { schema }]) => `<code>${htmlText(type)}</code> ${typeText(schema)}`)
  return shown.length === 0 ? '' : `<p>Body: ${shown.join(', or ')}</p>`
}

function parameterTable(parameters: readonly DescribedParameter[]): string {
  const rows = parameters.map(
    ({ name, in: place, required, description = '', schema }) =>
      `<tr><th scope="row"><code>${htmlText(name)}</code></th><td>${place}${required ? ', needed' : ''}</td>` +
      `<td>${typeText(schema)}</td><td>${withCode(description)}</td></tr>`,
  )
  return rows.length === 0 ? '' : `<table><tbody>${rows.join('\n')}</tbody></table>`
}

function fieldTable({ properties = {}, description = '', ...schema }: JsonSchema): string {
  const rows = Object.entries(properties).map(
    ([name, field]) =>
      `<tr><th scope="row"><code>${htmlText(name)}</code></th><td>${typeText(field)}</td>` +
      `<td>${withCode(field.description ?? '')}</td></tr>`,
  )
  const text = description && `<p>${htmlText(description)}</p>`
  return rows.length === 0
    ? `${text}<p>${typeText(schema)}</p>`
    : `${text}<table><tbody>${rows.join('\n')}</tbody></table>`
}

/** `string`, `one of a, b`, `list of Guest`, `string or null`. */
function typeText(schema: JsonSchema | undefined): string {
  if (!schema) return ''
  if (schema.$ref !== undefined) return schemaLink(schema)
  if (schema.enum)
    return `one of ${schema.enum.map((value) => `<code>${htmlText(String(value))}</code>`).join(', ')}`
  if (schema.items) return `list of ${typeText(schema.items)}`
  const all = schema.anyOf ?? schema.oneOf
  if (all) return all.map(typeText).join(' or ')
  return htmlText([schema.type ?? 'any'].flat().join(' or '))
}

function schemaLink(schema: JsonSchema | undefined): string {
  const name = schema?.$ref?.split('/').at(-1)
  return name === undefined ? '' : `<a href="#schema-${htmlText(name)}">${htmlText(name)}</a>`
}

function problemRows(): string {
  return failureKinds
    .map(
      (kind) =>
        `<tr id="problem-${kind}"><th scope="row"><code>${kind}</code></th><td>${httpStatus[kind].api}</td><td>${htmlText(problemTitles[kind])}</td></tr>`,
    )
    .join('\n')
}

const style = `
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #8886; } h3 { font-size: 1rem; margin: 1.6rem 0 0; }
nav a { margin-right: .6rem; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; } th { width: 10rem; } td:nth-of-type(1) { width: 8rem; } td:nth-of-type(2) { width: 16rem; } th, td { text-align: left; vertical-align: top; padding: .15rem .8rem .15rem 0; font-weight: normal; }
code { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
em { color: #777; font-style: normal; } em::before { content: "needs: "; }
@media (max-width: 40rem) { table, tbody, tr, th, td { display: block; } }
`
