import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The folders of a home that hold one contact's journal each. */
export function journalFolders(home: string): string[] {
  const folder = join(home, 'contacts');
  return readdirSync(folder).map((name) => join(folder, name));
}
