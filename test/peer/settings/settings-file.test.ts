import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SettingsFile } from '../../../src/peer/settings/settings-file.js';
import { contactDetails } from '../../support/contacts.js';
import { temporaryFolders } from '../../support/folder.js';

const temporaryFolder = temporaryFolders();

// First in this file, for conf is loaded once.
test('loading conf leaves no answer to signals behind', async () => {
  const count = () => ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'].map((signal) => process.listenerCount(signal));
  const before = count();
  await SettingsFile.open(temporaryFolder());
  expect(count()).toEqual(before);
});

test('settings are empty at first, and are written for their owner alone', async () => {
  const directory = temporaryFolder();
  const file = await SettingsFile.open(directory);
  expect(file.read()).toEqual({ contacts: [], mediators: {} });
  file.change((settings) => {
    settings.mediators['a:1'] = contactDetails('a').peerId;
  });
  expect(statSync(join(directory, 'settings.json')).mode & 0o777).toBe(0o600);
});

test('what a killed process left of an unfinished change is taken away', async () => {
  const directory = temporaryFolder();
  const unfinished = join(directory, 'settings.json.tmp-5275054969c5e520');
  writeFileSync(unfinished, '{');
  await SettingsFile.open(directory);
  expect(readdirSync(directory)).toEqual([]);
});

test('a change sees what another wrote a moment ago, and returns what it likes', async () => {
  const directory = temporaryFolder();
  const [one, other] = [await SettingsFile.open(directory), await SettingsFile.open(directory)];
  const pin = (file: SettingsFile, name: string) =>
    file.change(({ mediators }) => {
      mediators[name] = contactDetails(name).peerId;
      return Object.keys(mediators);
    });
  expect([pin(one, 'a:1'), pin(other, 'b:1'), pin(one, 'c:1')]).toEqual([
    ['a:1'],
    ['a:1', 'b:1'],
    ['a:1', 'b:1', 'c:1'],
  ]);
});

test('a change that alters nothing writes nothing', async () => {
  const directory = temporaryFolder();
  const file = await SettingsFile.open(directory);
  const pin = (id: string) =>
    file.change(({ mediators }) => {
      mediators['a:1'] = id;
    });
  // Each writing puts another file in its place.
  const written = () => statSync(join(directory, 'settings.json'), { bigint: true }).ino;
  pin('a'.repeat(64));
  const before = written();
  pin('a'.repeat(64));
  expect(written()).toBe(before);
  pin('b'.repeat(64));
  expect(written()).not.toBe(before);
});

test('a change that fails, or makes something that is no setting, leaves all as it was', async () => {
  const file = await SettingsFile.open(temporaryFolder());
  file.change(({ mediators }) => {
    mediators['a:1'] = contactDetails('a').peerId;
  });
  const before = file.read();
  expect(() =>
    file.change((settings) => {
      settings.mediators = {};
      throw new Error('on purpose');
    }),
  ).toThrow('on purpose');
  expect(() =>
    file.change((settings) => {
      settings.mediators['a:1'] = 'short';
    }),
  ).toThrow('mediators/a:1');
  expect(file.read()).toEqual(before);
});
