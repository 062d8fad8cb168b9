import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A key of the kind that keygen makes and a certificate over it, as files. */
export function makeCertificate(): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'certificate-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const what = ['req', '-x509', '-newkey', 'rsa:3072', '-nodes', '-subj', '/CN=bench', '-days', '2'];
  execFileSync('openssl', [...what, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key, cert };
}
