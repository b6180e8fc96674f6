// The same question for a terminal.

import { shown } from './dialog.js';
import { el, replace } from './dom.js';
import { header, key } from './keys.js';

/**
 * Return a command for a POSIX shell that asks what the page asks.
 * @param {string} base the page's address.
 * @param {string} text whatever it holds, it stays a text.
 * @param {boolean} withKey whether a key has to be sent; the command names a variable, never its value.
 */
function curl(base, text, withKey) {
  return [
    `curl -s ${quoted(new URL('v1/predict?explain=true', base).href)}`,
    `-H 'content-type: application/json'`,
    ...(withKey ? [`-H "${header('api')}: $SENTILOOP_API_KEY"`] : []),
    `--data-raw ${quoted(JSON.stringify({ text }))}`,  // one line: JSON escapes line ends and control characters
  ].join(' \\\n  ');
}

/** Between apostrophes a shell takes everything as it is; an apostrophe itself has to stand outside of them. */
const quoted = (value) => `'${value.replaceAll("'", `'\\''`)}'`;

/**
 * Copy the command; where the browser lets no page write to the clipboard, show it instead.
 * @returns {Promise<boolean>} whether it was copied.
 */
export async function copyCurl(text) {
  const command = curl(document.baseURI, text, key('api') !== '');
  try {
    await navigator.clipboard.writeText(command);
    return true;
  } catch {
    await shown((close) => [
      el('h2', { id: 'dialog-title' }, 'Copy this command'),
      selected(el('textarea', { rows: '6', readonly: true, 'aria-label': 'Command' }), command),
      el('div', { class: 'buttons' }, el('button', { class: 'button primary', type: 'button', onclick: () => close(false) }, 'Close')),
    ]);
    return false;
  }
}

function selected(field, value) {
  replace(field, value);
  field.addEventListener('focus', () => field.select());
  return field;
}
