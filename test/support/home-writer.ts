/**
 * A process that writes into a home as fast as it can: `node home-writer.js HOME LABEL COUNT`. It says each name on
 * stdout once it is saved.
 */
import { Home } from '../../src/peer/home.js';
import { contactDetails } from './contacts.js';

const [directory = '', label = '', count = '0'] = process.argv.slice(2);
const home = await Home.open(directory);
for (let number = 0; number < Number(count); number++) {
  const name = `${label}-${number}`;
  home.contacts.add({ ...contactDetails(name), name });
  home.pinMediator(name, 1, contactDetails(name).peerId);
  process.stdout.write(`${name}\n`);
}
