import type { Row } from '../../src/peer/ui/rows.js';

/** What a person reads of it. */
export function rowText(row: Row): string {
  return row.map((piece) => piece.text).join('');
}
