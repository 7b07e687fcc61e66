import { createHash } from 'node:crypto'

/**
 * The page that a setup link opens: it makes the first administrator. The secret stands behind `#` in the address, which
 * no browser sends, so only a script can read it.
 */
const script = `
const form = document.querySelector('form')
const status = document.querySelector('[role=status]')
const secret = location.hash.slice(1)
if (secret === '') status.textContent = 'Open the whole link, with all that stands behind the #.'
form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const { name, password, again } = form.elements
  if (password.value !== again.value) {
    status.textContent = 'The two passwords differ.'
    return
  }
  status.textContent = 'Making the account ...'
  try {
    const response = await fetch('/api/v1/setup', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ secret, name: name.value, password: password.value }),
    })
    if (response.ok) {
      form.hidden = true
      status.textContent = 'The account ' + name.value + ' is there. This link is used up.'
    } else status.textContent = (await response.json()).detail
  } catch {
    status.textContent = 'The server did not answer. Try again.'
  }
})
`

const style = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 32rem; margin: 0 auto; padding: 1.5rem; }
label { display: block; margin: 1rem 0 .2rem; }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .4rem; }
button { font: inherit; margin-top: 1.2rem; padding: .4rem 1rem; min-height: 2.5rem; }
[role=status] { min-height: 1.5rem; font-weight: 600; }
`

const digestOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

export const setupPageHeaders = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': `default-src 'none'; script-src ${digestOf(script)}; style-src ${digestOf(style)}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'Cache-Control': 'no-store',
  'Referrer-Policy': 'no-referrer',
}

/** @param isOpen Whether a link is good now. */
export function setupPage(isOpen: boolean): string {
  const form = `<p>This link works once and ends an hour after it was first opened. Make the administrator:</p>
<form>
<label for="name">Name</label><input id="name" name="name" autocomplete="username" required autofocus>
<label for="password">Password: 12 characters or more, a sentence is good</label>
<input id="password" name="password" type="password" autocomplete="new-password" minlength="12" required>
<label for="again">The same password again</label>
<input id="again" name="again" type="password" autocomplete="new-password" required>
<button>Make the administrator</button>
</form>
<p role="status"></p>
<script type="module">${script}</script>`
  const closed = `<p>No link is good now: it was used, it ended, or another one was made.</p>
<p>To make a new one, run this on the server: <code>treeboot accounts setup-link</code></p>`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>treeboot: the first administrator</title>
<style>${style}</style>
<main>
<h1>Welcome to treeboot</h1>
${isOpen ? form : closed}
</main>
</html>
`
}
