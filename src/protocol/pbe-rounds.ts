/** A DER value: its tag, and where its content lies. */
interface Value {
  tag: number;
  from: number;
  to: number;
}

const SEQUENCE = 0x30;
const OCTET_STRING = 0x04;
const INTEGER = 0x02;
/** PBES2 has four levels. */
const MAX_DEPTH = 8;

/**
 * How often the passphrase of an EncryptedPrivateKeyInfo (RFC 5958, section 3) is hashed before the key opens: in every
 * scheme (RFC 8018, RFC 7914, RFC 7292) the number that follows the salt. null if there is none to be found.
 */
export function pbeRounds(der: Buffer): number | null {
  const [whole] = valuesIn(der, { tag: SEQUENCE, from: 0, to: der.length });
  const algorithm = whole && valuesIn(der, whole)[0];
  return algorithm ? roundsIn(der, algorithm, 0) : null;
}

function roundsIn(der: Buffer, sequence: Value, depth: number): number | null {
  if (sequence.tag !== SEQUENCE || depth > MAX_DEPTH) return null;
  const values = valuesIn(der, sequence);
  const [salt, rounds] = values;
  if (salt?.tag === OCTET_STRING && rounds?.tag === INTEGER) return integerOf(der.subarray(rounds.from, rounds.to));
  const found = values.map((value) => roundsIn(der, value, depth + 1)).filter((each) => each !== null);
  return found.length === 0 ? null : Math.max(...found);
}

/** As far as they are whole. */
function valuesIn(der: Buffer, { from, to }: Value): Value[] {
  const values: Value[] = [];
  for (let at = from; at + 2 <= to; ) {
    const short = der.readUInt8(at + 1);
    const lengthBytes = short < 0x80 ? 0 : short & 0x7f;
    const start = at + 2 + lengthBytes;
    // 0x80 is BER's indefinite length, which DER does not have.
    if (short === 0x80 || lengthBytes > 4 || start > to) break;
    const end = start + (lengthBytes === 0 ? short : der.readUIntBE(at + 2, lengthBytes));
    if (end > to) break;
    values.push({ tag: der.readUInt8(at), from: start, to: end });
    at = end;
  }
  return values;
}

function integerOf(bytes: Buffer): number {
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}
