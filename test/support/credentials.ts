import { selfSignedCertificate } from '../../src/protocol/forge.js';
import type { Identity } from '../../src/protocol/identity.js';
import type { TlsCredentials } from '../../src/protocol/tls.js';
import { newIdentity } from './keys.js';

export function credentialsOf(identity: Identity): TlsCredentials {
  return { identity, certificate: selfSignedCertificate(identity) };
}

/** By key id. */
export function certificatesFor(...identities: Identity[]): Map<string, string> {
  return new Map(identities.map((identity) => [identity.id, selfSignedCertificate(identity)]));
}

/** Two people; `small` has the smaller peer id and so is the TLS client of their links. */
export function newPair(): { small: TlsCredentials; great: TlsCredentials } {
  const [small, great] = [newIdentity(), newIdentity()].sort((a, b) => (a.id < b.id ? -1 : 1)) as [Identity, Identity];
  return { small: credentialsOf(small), great: credentialsOf(great) };
}
