import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { certificatesOf } from '../../../src/peer/keys/certificates.js';
import { Journal } from '../../../src/peer/session/journal/journal.js';
import type { Identity } from '../../../src/protocol/identity.js';
import { temporaryFolders } from '../../support/folder.js';
import { newIdentity } from '../../support/keys.js';

const temporaryFolder = temporaryFolders();
const [mine, other] = [newIdentity(), newIdentity()];

const keyOf = (certificate: string) => new X509Certificate(certificate).publicKey;
const nameFor = ({ id }: Identity) => `certificate ${id}`;

test('there is one around each key, and later runs have the same', async () => {
  const directory = temporaryFolder();
  const journal = Journal.open({ directory, privateKey: mine.privateKey });
  const made = await certificatesOf([mine, other], journal.memory);
  for (const identity of [mine, other]) {
    expect(keyOf(made.get(identity.id) ?? '').equals(identity.key)).toBe(true);
  }
  journal.close();
  const again = Journal.open({ directory, privateKey: mine.privateKey });
  expect(await certificatesOf([mine, other], again.memory)).toEqual(made);
  again.close();
});

test.each<[string, (kept: string, others: string) => string]>([
  ['damaged', (kept) => kept.replace(/\n\w{8}/, '\nAAAAAAAA')],
  ['cut short', (kept) => kept.slice(0, 200)],
  ['none', () => 'something else'],
  ['around another key', (_, others) => others],
])('one that is %s is made anew', async (_, change) => {
  const journal = Journal.open({ directory: temporaryFolder(), privateKey: mine.privateKey });
  const made = await certificatesOf([mine, other], journal.memory);
  const [kept = '', others = ''] = [mine, other].map(({ id }) => made.get(id));
  const changed = change(kept, others);
  expect(changed).not.toBe(kept);
  journal.memory.remember(nameFor(mine), changed);
  const certificate = (await certificatesOf([mine], journal.memory)).get(mine.id) ?? '';
  expect(keyOf(certificate).equals(mine.key)).toBe(true);
  expect(journal.memory.recall(nameFor(mine))).toBe(certificate);
  journal.close();
});

test('what stands around a kept one is left out', async () => {
  const journal = Journal.open({ directory: temporaryFolder(), privateKey: mine.privateKey });
  const kept = (await certificatesOf([mine], journal.memory)).get(mine.id) ?? '';
  journal.memory.remember(nameFor(mine), `${kept}more`);
  expect((await certificatesOf([mine], journal.memory)).get(mine.id)).toBe(kept);
  journal.close();
});
