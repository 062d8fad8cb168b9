import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Home } from '../../../src/peer/home.js';
import { verificationWords } from '../../../src/protocol/words.js';
import { contactDetails } from '../../support/contacts.js';
import { temporaryFolders } from '../../support/folder.js';

const temporaryFolder = temporaryFolders();
const id = 'a'.repeat(64);

describe('contacts', () => {
  test('are found by name after being saved, by another Home too', async () => {
    const directory = temporaryFolder();
    const saved = (await Home.open(directory)).contacts.add({ ...contactDetails('bob'), name: 'bob' });
    const home = await Home.open(directory);
    expect(home.contacts.byName('bob')).toEqual(saved);
    expect(saved).toEqual({
      ...contactDetails('bob'),
      name: 'bob',
      contactId: expect.stringMatching(/^[0-9a-f]{16}$/),
      verified: false,
      blocked: false,
    });
  });

  test('are found in whichever Unicode form their name is typed', async () => {
    const home = await Home.open(temporaryFolder());
    home.contacts.add({ ...contactDetails('zoe'), name: 'Zoe\u0308' });
    expect(home.contacts.byName('Zo\u00eb').name).toBe('Zo\u00eb');
  });

  test('that are unknown are a user error that names what is near', async () => {
    const home = await Home.open(temporaryFolder());
    home.contacts.add({ ...contactDetails('bob'), name: 'bobby' });
    expect(() => home.contacts.byName('boby')).toThrow(
      expect.objectContaining({
        exitCode: 2,
        message: 'there is no contact named boby',
        hint: expect.stringContaining('bobby'),
      }),
    );
  });

  test('of the same two keys are one, whose journal folder stays the same', async () => {
    const home = await Home.open(temporaryFolder());
    const first = home.contacts.forKeys(contactDetails('bob'));
    expect(home.contacts.forKeys({ ...contactDetails('bob'), host: 'other.example' })).toEqual({
      ...first,
      host: 'other.example',
    });
    const named = home.contacts.add({ ...contactDetails('bob'), name: 'bob' });
    expect(named.contactId).toBe(first.contactId);
    expect(home.contacts.forKeys({ ...contactDetails('bob'), host: 'third.example' })).toEqual(named);
    expect(home.contacts.forKeys({ ...contactDetails('bob'), ownId: id }).contactId).not.toBe(first.contactId);
    expect(home.contacts.list()).toHaveLength(2);
  });

  test('are the same when either key was followed by another, and keep the one that is followed', async () => {
    const home = await Home.open(temporaryFolder());
    const { contactId, ownId } = home.contacts.forKeys(contactDetails('bob'));
    const rotated = { ...contactDetails('bob'), ownId: id };
    expect(home.contacts.forKeys(rotated, [ownId])).toMatchObject({ contactId, ownId });
    const newKey = contactDetails('bob, later');
    home.contacts.update(contactId, { peerId: newKey.peerId, formerPeerIds: [contactDetails('bob').peerId] });
    expect(home.contacts.forKeys(contactDetails('bob'))).toMatchObject({ contactId, peerId: newKey.peerId });
    expect(home.contacts.forKeys(newKey)).toMatchObject({ contactId });
    expect(home.contacts.find({ ownId: id, peerId: contactDetails('bob').peerId }, [ownId])?.contactId).toBe(contactId);
    expect(home.contacts.list()).toHaveLength(1);
    expect(home.contacts.forKeys(rotated).contactId).not.toBe(contactId);
  });

  test('whose file holds another key than before are refused, also under a later key of our own', async () => {
    const home = await Home.open(temporaryFolder());
    const { ownId } = home.contacts.forKeys({ ...contactDetails('bob'), peerFile: '/friends/bob.pem' });
    const other = { ...contactDetails('somebody else'), peerFile: '/friends/bob.pem', ownId: id };
    expect(() => home.contacts.forKeys(other, [ownId])).toThrow('has another key than before');
  });

  test('are listed by name, those without one last', async () => {
    const home = await Home.open(temporaryFolder());
    home.contacts.forKeys(contactDetails('nobody'));
    for (const name of ['zoe', 'ann']) home.contacts.add({ ...contactDetails(name), name });
    expect(home.contacts.list().map((contact) => contact.name)).toEqual(['ann', 'zoe', null]);
  });

  test('neither share a name nor a pair of keys', async () => {
    const home = await Home.open(temporaryFolder());
    home.contacts.add({ ...contactDetails('bob'), name: 'bob' });
    expect(() => home.contacts.add({ ...contactDetails('other'), name: 'bob' })).toThrow(
      'bob has another key than before',
    );
    expect(() => home.contacts.add({ ...contactDetails('bob'), name: 'bob' })).toThrow('already a contact named bob');
    expect(() => home.contacts.add({ ...contactDetails('bob'), name: 'rob' })).toThrow('already saved as bob');
    expect(home.contacts.list()).toHaveLength(1);
  });

  test('change in the fields that are named, and in no others', async () => {
    const directory = temporaryFolder();
    const home = await Home.open(directory);
    const { contactId } = home.contacts.add({ ...contactDetails('bob'), name: 'bob' });
    (await Home.open(directory)).contacts.update(contactId, { verified: true });
    home.contacts.update(contactId, { blocked: true });
    expect(home.contacts.byName('bob')).toMatchObject({ verified: true, blocked: true });
    expect(() => home.contacts.update('0'.repeat(16), {})).toThrow('removed meanwhile');
  });

  test('are gone when removed, unless a journal was begun, which waits for the same peer', async () => {
    const home = await Home.open(temporaryFolder());
    home.contacts.add({ ...contactDetails('ann'), name: 'ann' });
    const { contactId } = home.contacts.add({ ...contactDetails('bob'), name: 'bob' });
    const journal = home.contactDirectory(contactId);
    expect(home.contacts.remove('ann')).toEqual({ journalKept: false });
    expect(home.contacts.remove('bob')).toEqual({ journalKept: true });
    expect(() => home.contacts.remove('bob')).toThrow('no contact named bob');
    expect(existsSync(journal)).toBe(true);
    expect(home.contacts.list()).toMatchObject([{ name: null }]);
    expect(home.contacts.add({ ...contactDetails('bob'), name: 'robert' }).contactId).toBe(contactId);
  });
});

describe('a blocked key', () => {
  const bob = contactDetails('bob');

  test('is blocked under every name and with every own key, and stays so when its contact is removed', async () => {
    const home = await Home.open(temporaryFolder());
    home.contacts.add({ ...bob, name: 'bob' });
    home.contacts.forKeys({ ...bob, ownId: id });
    home.contacts.setBlocked(bob.peerId, true);
    expect(home.contacts.list().map(({ blocked }) => blocked)).toEqual([true, true]);
    home.contacts.remove('bob');
    expect(home.contacts.isBlocked(bob.peerId)).toBe(true);
    expect(home.contacts.add({ ...bob, name: 'robert' }).blocked).toBe(true);
    home.contacts.setBlocked(home.contacts.byNameOrId(bob.peerId.slice(0, 16)).peerId, false);
    expect(home.contacts.isBlocked(bob.peerId)).toBe(false);
  });

  test('is noticed by another process within a second', async () => {
    const directory = temporaryFolder();
    const home = await Home.open(directory);
    home.contacts.add({ ...bob, name: 'bob' });
    const changed = new Promise<() => void>((resolve) => {
      const stop = home.watch(() => resolve(stop));
    });
    (await Home.open(directory)).contacts.setBlocked(bob.peerId, true);
    (await changed)();
    expect(home.contacts.isBlocked(bob.peerId)).toBe(true);
  });
});

test('a file that held another key before is refused, with the ids and words of both', async () => {
  const home = await Home.open(temporaryFolder());
  const peerFile = '/friends/bob.pem';
  const before = contactDetails('bob');
  const now = contactDetails('mallory');
  home.contacts.forKeys({ ...before, peerFile });
  const error = expect.objectContaining({
    exitCode: 2,
    message: [
      'the file /friends/bob.pem has another key than before:',
      `  before  ${before.peerId}`,
      `          ${verificationWords(before.peerId).join(' ')}`,
      `  now     ${now.peerId}`,
      `          ${verificationWords(now.peerId).join(' ')}`,
    ].join('\n'),
  });
  expect(() => home.contacts.forKeys({ ...now, peerFile })).toThrow(error);
  expect(home.contacts.list()).toHaveLength(1);
  home.contacts.add({ ...now, peerFile, name: 'new' });
  expect(home.contacts.forKeys({ ...now, peerFile }).name).toBe('new');
  expect(home.contacts.forKeys({ ...contactDetails('carol'), peerFile: '/elsewhere.pem' }).name).toBeNull();
});
