import { expect, test } from 'vitest';
import { holdsWholeDer, pemBlocks, TruncatedPemError } from '../../src/protocol/pem.js';
import { newRsaKey, privatePem } from '../support/keys.js';

function block(label: string, body = 'AAAA'): string {
  return `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
}

test('blocks are found in their order, with their labels, whatever lies between them', () => {
  const text = `note\n${block('PRIVATE KEY')}in between - or not -\n${block('PUBLIC KEY')}end`;
  expect(pemBlocks(text)).toEqual([
    { label: 'PRIVATE KEY', encrypted: false, pem: block('PRIVATE KEY') },
    { label: 'PUBLIC KEY', encrypted: false, pem: block('PUBLIC KEY') },
  ]);
  expect(pemBlocks('no block')).toEqual([]);
});

test('encryption is seen in the label, or in the header of the block itself', () => {
  const header = 'Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA';
  const text = block('RSA PRIVATE KEY') + block('ENCRYPTED PRIVATE KEY') + block('RSA PRIVATE KEY', header);
  expect(pemBlocks(text).map((each) => each.encrypted)).toEqual([false, true, true]);
});

test.each([
  ['nothing after BEGIN', '-----BEGIN PUBLIC KEY-----'],
  ['half an end', block('PUBLIC KEY').slice(0, -4)],
  ['the end of another', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'],
  ['another beginning', `-----BEGIN PRIVATE KEY-----\nAAAA\n${block('PUBLIC KEY')}`],
])('a block with %s is truncated', (_, text) => {
  expect(() => pemBlocks(text)).toThrow(TruncatedPemError);
});

test('many beginnings without an end take no time to refuse', () => {
  expect(() => pemBlocks('-----BEGIN PUBLIC KEY-----\n'.repeat(100_000))).toThrow(TruncatedPemError);
});

test('a whole DER value is told from one that was cut or lengthened', () => {
  const [whole] = pemBlocks(privatePem(newRsaKey()));
  if (whole === undefined) throw new Error('no block');
  expect(holdsWholeDer(whole)).toBe(true);
  const lines = whole.pem.trimEnd().split('\n');
  expect(holdsWholeDer({ ...whole, pem: lines.toSpliced(3, 1).join('\n') })).toBe(false);
  expect(holdsWholeDer({ ...whole, pem: lines.toSpliced(3, 0, 'AAAA').join('\n') })).toBe(false);
  for (const body of ['', 'MA==', 'MAA=', 'MIA=', 'MP8=', 'MIX/////']) {
    const expected = body === 'MAA=';
    expect(holdsWholeDer({ ...whole, pem: block('PRIVATE KEY', body) })).toBe(expected);
  }
});
