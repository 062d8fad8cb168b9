import { X509Certificate } from 'node:crypto';
import type { Identity } from '../../protocol/identity.js';
import type { Memory } from '../session/journal/journal.js';

/**
 * The certificates, in PEM, that TLS wants around our own keys. They are kept in the journal: making one takes a
 * signature and all of node-forge.
 */
export async function certificatesOf(
  identities: readonly Identity[],
  memory: Memory,
): Promise<ReadonlyMap<string, string>> {
  const certificates = new Map<string, string>();
  for (const identity of identities) certificates.set(identity.id, await certificateOf(identity, memory));
  return certificates;
}

async function certificateOf(identity: Identity, memory: Memory): Promise<string> {
  const name = `certificate ${identity.id}`;
  const kept = parse(memory.recall(name));
  if (kept?.publicKey.equals(identity.key)) return kept.toString();
  const { selfSignedCertificate } = await import('../../protocol/forge.js');
  const certificate = selfSignedCertificate(identity);
  memory.remember(name, certificate);
  return certificate;
}

function parse(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}
