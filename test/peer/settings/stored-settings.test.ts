import { expect, test } from 'vitest';
import type { Contact } from '../../../src/peer/settings/contact.js';
import { checkSettings, DamagedSettingsError } from '../../../src/peer/settings/stored-settings.js';

const ID = 'ab'.repeat(32);
const contact: Contact = {
  contactId: '0123456789abcdef',
  name: 'bob',
  host: 'mediator.example',
  port: 54700,
  keys: '/home/alice/mykeypair.pem',
  peerPem: '-----BEGIN PUBLIC KEY-----',
  peerFile: '/home/alice/bob.pem',
  peerId: ID,
  formerPeerIds: [ID],
  ownId: ID,
  verified: false,
  blocked: false,
};

test.each([
  {},
  { contacts: [], mediators: {} },
  { contacts: [contact], mediators: { 'a:1': ID } },
  { contacts: [{ ...contact, name: null, later: 1 }], later: true },
])('settings are taken: %j', (stored) => {
  expect(checkSettings(stored)).toBe(stored);
});

test('what may be missing of a contact may be missing', () => {
  const { peerFile, formerPeerIds, ...rest } = contact;
  expect(() => checkSettings({ contacts: [rest] })).not.toThrow();
});

test.each(Object.keys(contact).filter((name) => !['peerFile', 'formerPeerIds'].includes(name)))(
  'a contact without %s is damaged',
  (name) => {
    const { [name as keyof Contact]: _, ...rest } = contact;
    expect(() => checkSettings({ contacts: [contact, rest] })).toThrow(`contacts/1/${name} is not`);
  },
);

test.each([
  ['contactId', '../../../../tmp/x'],
  ['contactId', 'ABCDEF0123456789'],
  ['contactId', `0123456789abcdef\n`],
  ['name', ''],
  ['name', 5],
  ['host', ''],
  ['port', 0],
  ['port', 65536],
  ['port', 1.5],
  ['port', '80'],
  ['keys', null],
  ['peerPem', []],
  ['peerFile', null],
  ['peerId', ID.slice(1)],
  ['peerId', [ID]],
  ['formerPeerIds', ID],
  ['formerPeerIds', ['short']],
  ['ownId', `${ID}0`],
  ['verified', 'true'],
  ['blocked', 0],
])('a contact with the %s %j is damaged', (name, value) => {
  expect(() => checkSettings({ contacts: [{ ...contact, [name]: value }] })).toThrow(`contacts/0/${name} is not`);
});

test.each([
  [null, 'the whole'],
  [[], 'the whole'],
  ['text', 'the whole'],
  [{ contacts: {} }, 'contacts'],
  [{ contacts: null }, 'contacts'],
  [{ contacts: [null] }, 'contacts/0'],
  [{ mediators: [] }, 'mediators'],
  [{ mediators: { 'a:1': 'short' } }, 'mediators/a:1'],
])('%j is no settings', (stored, where) => {
  expect(() => checkSettings(stored)).toThrow(new DamagedSettingsError(`${where} is not what it should be`));
});
