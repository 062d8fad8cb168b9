/** Finds the blocks of a PEM text; what lies between them is ignored, as everywhere. */

export interface PemBlock {
  /** 'RSA PRIVATE KEY', 'PUBLIC KEY', … */
  label: string;
  encrypted: boolean;
  /** From BEGIN to END, fit for node:crypto. */
  pem: string;
}

export class TruncatedPemError extends Error {
  override readonly name = 'TruncatedPemError';
}

const BEGIN = /-----BEGIN ([A-Z0-9 ]{1,64})-----/g;

/** @throws TruncatedPemError if a block that begins does not end */
export function pemBlocks(text: string): PemBlock[] {
  return Array.from(text.matchAll(BEGIN), ({ 0: begin, 1: label = '', index }) => {
    const end = `-----END ${label}-----`;
    const at = text.indexOf('-----', index + begin.length);
    if (at === -1 || !text.startsWith(end, at)) throw new TruncatedPemError(`no end of ${label}`);
    const pem = `${text.slice(index, at)}${end}\n`;
    return { label, encrypted: label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type:.*ENCRYPTED/m.test(pem), pem };
  });
}

/** Of a block without headers. */
export function derOf({ pem }: PemBlock): Buffer {
  const base64 = pem
    .split('\n')
    .slice(1)
    .join('')
    .replace(/-----END.*/, '');
  return Buffer.from(base64, 'base64');
}

/** Whether a block without headers decodes to exactly one DER value: what was cut or altered by hand mostly does not. */
export function holdsWholeDer(block: PemBlock): boolean {
  const der = derOf(block);
  const lengthByte = der[1];
  if (lengthByte === undefined) return false;
  if (lengthByte < 0x80) return der.length === 2 + lengthByte;
  const lengthBytes = lengthByte & 0x7f;
  if (lengthBytes < 1 || lengthBytes > 4 || der.length < 2 + lengthBytes) return false;
  return der.length === 2 + lengthBytes + der.readUIntBE(2, lengthBytes);
}
