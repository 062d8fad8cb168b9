import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isDemoKey } from '../../src/protocol/demo-keys.js';
import { hasPrivateBlock, parsePrivatePem, parsePublicPem } from '../../src/protocol/identity.js';

const certs = resolve(import.meta.dirname, '../../certs');
const text = (file: string) => readFileSync(join(certs, file), 'utf8');

const FILES = [
  'alice/mykeypair.pem',
  'alice/public.pem',
  'bob/mykeypair.pem',
  'bob/public.pem',
  'directory/alice.pem',
  'directory/bob.pem',
  'mediator/mediator.pem',
];

test('certs/ holds these keys and no others, each marked in its first line and known as an example', () => {
  const all = readdirSync(certs, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.pem'));
  expect(all.sort()).toEqual(FILES);
  const found = FILES.map((file) => ({
    file,
    first: text(file).split('\n', 1)[0],
    demo: isDemoKey(parsePublicPem(text(file)).id),
  }));
  const first = 'turbo-beep DEMO KEY: known to everyone, for scripts/demo alone';
  expect(found).toEqual(FILES.map((file) => ({ file, first, demo: true })));
});

describe('the example keys', () => {
  test.each(['alice', 'bob'])('of %s are one pair, and the directory admits it', (name) => {
    const { id } = parsePrivatePem(text(`${name}/mykeypair.pem`));
    expect(parsePublicPem(text(`${name}/public.pem`)).id).toBe(id);
    expect(parsePublicPem(text(`directory/${name}.pem`)).id).toBe(id);
  });

  test('are three, with no private one where the mediator would skip it', () => {
    const ids = ['alice/mykeypair.pem', 'bob/mykeypair.pem', 'mediator/mediator.pem'].map(
      (file) => parsePrivatePem(text(file)).id,
    );
    expect(new Set(ids).size).toBe(3);
    expect(FILES.filter((file) => file.startsWith('directory/') && hasPrivateBlock(text(file)))).toEqual([]);
  });
});

test('other ids are no example', () => {
  for (const id of ['', '0'.repeat(64), 'constructor']) expect(isDemoKey(id)).toBe(false);
});
