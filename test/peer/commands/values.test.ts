import { describe, expect, test } from 'vitest';
import { parseBits, parseHost, parsePaths, parsePort, parseTimeout } from '../../../src/peer/commands/values.js';

const usage = expect.objectContaining({ name: 'UserError', exitCode: 2, hint: expect.stringMatching(/\w/) });

describe('a port', () => {
  test.each([
    ['1', 1],
    ['54700', 54700],
    ['65535', 65535],
  ])('%s is one', (text, port) => expect(parsePort(text)).toBe(port));
  test.each(['', '0', '65536', '99999', '1e3', '-1', '80.5', '0x50', ' 80', 'http', '1'.repeat(400)])(
    '"%s" is none',
    (text) => expect(() => parsePort(text)).toThrow(usage),
  );
});

describe('a host', () => {
  test.each([
    ['localhost', 'localhost'],
    ['mediator.example.', 'mediator.example'],
    ['my_box-2.lan', 'my_box-2.lan'],
    ['192.0.2.7', '192.0.2.7'],
    ['2001:db8::7', '2001:db8::7'],
    ['[2001:db8::7]', '2001:db8::7'],
    ['[::1]', '::1'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['1e3', '1e3'],
    ['1234', '1234'],
  ])('%s is one', (text, host) => expect(parseHost(text)).toBe(host));
  test.each([
    '',
    '.',
    'a b',
    'http://a.example',
    'a.example:80',
    '[a.example]',
    '[::1',
    '::1]',
    'a..b',
    '-a.example',
    'a'.repeat(64),
    `${'a.'.repeat(127)}aa`,
    'a\x1b[2J',
    'a/b',
    'ü/b',
    'ü@b',
  ])('"%s" is none', (text) => expect(() => parseHost(text)).toThrow(usage));
});

describe('a time to wait', () => {
  test.each([
    ['1', 1000],
    ['0.5', 500],
    ['0.0001', 1],
    ['1000000', 1_000_000_000],
  ])('of %s seconds is %i ms', (text, ms) => expect(parseTimeout(text)).toBe(ms));
  test.each(['', '0', '0.0', '-1', '1e3', 'Infinity', '1s', '1000001', '.5'])('"%s" is none', (text) =>
    expect(() => parseTimeout(text)).toThrow(usage),
  );
});

describe('paths', () => {
  test('are taken in their order, each once', () => {
    expect(parsePaths('relay')).toEqual(['relay']);
    expect(parsePaths('tcp-punch, tcp-direct,tcp-punch')).toEqual(['tcp-punch', 'tcp-direct']);
    expect(parsePaths('tcp-direct,tcp-punch,udp-punch,relay')).toHaveLength(4);
  });
  test.each(['', ',', 'relay,', 'tcp', 'RELAY', 'constructor'])('"%s" are none', (text) =>
    expect(() => parsePaths(text)).toThrow(usage),
  );
});

describe('the size of a key', () => {
  test.each(['2048', '3072', '8192'])('%s is one', (text) => expect(parseBits(text)).toBe(Number(text)));
  test.each(['', '2047', '8193', '1024', '3e3', '3072.0', '-3072'])('"%s" is none', (text) =>
    expect(() => parseBits(text)).toThrow(usage),
  );
});
