import { expect, test } from 'vitest';
import { verificationWords } from '../../src/protocol/words.js';
import { jsonReporter, type Started, textReporter } from '../../src/server/report.js';
import { UNLIMITED_RELAY } from '../support/relay.js';

const started: Started = {
  version: '1.2.3',
  where: { address: '::', port: 54700 },
  udpPorts: [54700, 54701],
  id: '0123456789abcdef'.repeat(4),
  keys: 1,
  certs: '/srv/certs',
  relay: UNLIMITED_RELAY,
};

test('as JSON, the events are those of the contract, one a line', () => {
  const lines: string[] = [];
  const report = jsonReporter((text) => lines.push(text));
  report.started(started);
  report.keys(3);
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { event: 'listening', host: '::', port: 54700, udpPorts: [54700, 54701], fingerprint: started.id, keys: 1 },
    { event: 'keys', keys: 3 },
  ]);
  expect(lines.join('')).not.toContain('\n');
});

test('for people, it tells fingerprint, words, address, number of keys, and what to do next', () => {
  const texts: string[] = [];
  const report = textReporter((text) => texts.push(text));
  report.started(started);
  report.keys(2);
  expect(texts[0]).toContain(started.id);
  expect(texts[0]).toContain(verificationWords(started.id).join(' '));
  expect(texts[0]).toContain('[::]:54700 (every address of this machine)');
  expect(texts[0]).toContain('1 key from /srv/certs');
  expect(texts[0]).toMatch(/put each person's public\.pem under \/srv\/certs/);
  expect(texts[1]).toBe('Now admits 2 keys.');
});

test.each([
  [{}, /session.* that find no path of their own$/m],
  [{ bytesPerSecond: 512 * 1024 }, /at most 512k a second for each pair$/m],
  [{ bytesPerSecond: 1024 ** 2, bytesPerDay: 1024 ** 3 }, /at most 1M a second and 1G in 24 hours for each pair$/m],
  [{ sessions: false, bytesPerDay: 1024 ** 3 }, /carries no sessions \(--no-relay\)$/m],
])('for people, it tells what the relay does: %j', (limits, told) => {
  let text = '';
  textReporter((printed) => {
    text = printed;
  }).started({ ...started, relay: { ...UNLIMITED_RELAY, ...limits } });
  expect(text).toMatch(told);
});

test('what a path holds cannot command the terminal', () => {
  let text = '';
  textReporter((printed) => {
    text = printed;
  }).started({ ...started, certs: '/srv/\u001b[2Jcerts' });
  expect(text).not.toContain('\u001b');
});
