import { createHash } from 'node:crypto';

/** What a contact is made of, different for each seed. */
export function contactDetails(seed: string) {
  const peerId = createHash('sha256').update(seed).digest('hex');
  const ownId = createHash('sha256').update('me').digest('hex');
  return { host: 'mediator.example', port: 54700, keys: '/keys/mykeypair.pem', peerPem: 'PEM', peerId, ownId };
}
