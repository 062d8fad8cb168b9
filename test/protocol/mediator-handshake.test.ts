import { constants, randomBytes, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ProtocolError } from '../../src/protocol/errors.js';
import { answer, challenge, register, responseHolds } from '../../src/protocol/mediator-handshake.js';
import type { MediatorMessage } from '../../src/protocol/messages.js';
import { mediatorTranscript } from '../../src/protocol/transcripts.js';
import { newIdentity } from '../support/keys.js';

const peer = newIdentity();
const stranger = newIdentity();
const wantedId = 'ab'.repeat(32);
const connection = { mediatorId: 'cd'.repeat(32), exporter: randomBytes(32) };

function begin() {
  return challenge(register(peer.id, wantedId), randomBytes);
}

describe('the challenge', () => {
  test('is a nonce of 32 bytes from the given source', () => {
    const { registration, nonce } = challenge(register(peer.id, wantedId), (bytes) => Buffer.alloc(bytes, 9));
    expect(nonce).toEqual(Buffer.alloc(32, 9));
    expect(registration).toEqual({ kind: 'register', version: 1, peerId: peer.id, wantedId });
  });

  test('is given only to a register message', () => {
    const others: MediatorMessage[] = [
      { kind: 'response', signature: Buffer.alloc(256) },
      { kind: 'challenge', nonce: Buffer.alloc(32) },
      { kind: 'admitted', reflexive: { address: '::1', port: 1 }, nowMs: 1, followsSuccessions: false },
      { kind: 'meet' },
      { kind: 'ping', nonce: 1 },
    ];
    for (const other of others) expect(() => challenge(other, randomBytes)).toThrow(ProtocolError);
  });

  test.each([0, 2, 2 ** 32 - 1])('is not given to protocol version %i', (version) => {
    expect(() => challenge({ ...register(peer.id, wantedId), version }, randomBytes)).toThrow(`version ${version}`);
  });

  test('is not given to a peer that wants itself', () => {
    expect(() => challenge(register(peer.id, peer.id), randomBytes)).toThrow(ProtocolError);
  });
});

describe('the response', () => {
  test('holds for the key, the registration, the nonce and the connection it was made for', () => {
    const { registration, nonce } = begin();
    const response = answer(peer, wantedId, nonce, connection);
    expect(responseHolds(response, peer.key, registration, nonce, connection)).toBe(true);
  });

  test.each([
    ['another key', () => ({ key: stranger.key })],
    ['another nonce', () => ({ nonce: randomBytes(32) })],
    ['another wanted id', () => ({ wantedId: stranger.id })],
    ['another peer id', () => ({ peerId: stranger.id })],
    ['another mediator', () => ({ mediatorId: 'ce'.repeat(32) })],
    ['another TLS connection', () => ({ exporter: randomBytes(32) })],
  ])('does not hold for %s', (_, change) => {
    const { registration, nonce } = begin();
    const response = answer(peer, wantedId, nonce, connection);
    const facts = { key: peer.key, nonce, ...registration, ...connection, ...change() };
    expect(responseHolds(response, facts.key, { ...registration, ...facts }, facts.nonce, facts)).toBe(false);
  });

  test('does not hold with a salt of 0, which automatic salt length would let pass', () => {
    const { registration, nonce } = begin();
    const transcript = mediatorTranscript({ peerId: peer.id, wantedId, nonce, ...connection });
    const signWith = (saltLength: number) =>
      sign('sha256', transcript, {
        key: peer.privateKey,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength,
      });
    const holds = (signature: Buffer) =>
      responseHolds({ kind: 'response', signature }, peer.key, registration, nonce, connection);
    expect(holds(signWith(32))).toBe(true);
    expect(holds(signWith(0))).toBe(false);
  });

  test('is never the signature of the bare nonce', () => {
    const { nonce } = begin();
    const { signature } = answer(peer, wantedId, nonce, connection);
    const registration = register(peer.id, wantedId);
    const bare = sign('sha256', nonce, {
      key: peer.privateKey,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: 32,
    });
    expect(responseHolds({ kind: 'response', signature: bare }, peer.key, registration, nonce, connection)).toBe(false);
    expect(responseHolds({ kind: 'response', signature }, peer.key, registration, nonce, connection)).toBe(true);
  });
});
