// Dialogs: the browser's own, which hold the focus and close with Escape.

import { el, replace } from './dom.js';

/**
 * Show a dialog.
 * @param {(close: (result: any) => void) => Array} content makes what it holds; its heading has the id `dialog-title`.
 * @returns {Promise<any>} what it was closed with; Escape closes it with false.
 */
export function shown(content) {
  return new Promise((resolve) => {
    const dialog = el('dialog', { 'aria-labelledby': 'dialog-title' });
    let outcome = false;
    replace(dialog, ...content((result) => {
      outcome = result;
      dialog.close();
    }));
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(outcome);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
