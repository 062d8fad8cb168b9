import net from 'node:net';

/** An address as 16 bytes, IPv4 in its IPv6-mapped form (RFC 4291, section 2.5.5.2). @param address in plain form */
export function addressBytes(address: string): Buffer {
  const bytes = Buffer.alloc(16);
  if (net.isIPv4(address)) {
    bytes.writeUInt16BE(0xffff, 10);
    writeIPv4(bytes, address);
    return bytes;
  }
  const [head = '', tail] = withoutDottedEnd(address).split('::');
  const before = groupsOf(head);
  const after = groupsOf(tail ?? '');
  const groups = [...before, ...Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0), ...after];
  for (const [at, group] of groups.slice(0, 8).entries()) bytes.writeUInt16BE(group, at * 2);
  return bytes;
}

/** The address in plain form; IPv6 as RFC 5952 writes it. */
export function addressOf(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return [...bytes.subarray(12)].join('.');
  return shorten(groups.map((group) => group.toString(16)));
}

/** `::` in place of the longest run of zeros, the first of equals, if it is longer than one. */
function shorten(groups: string[]): string {
  let best = { at: 0, length: 1 };
  for (let at = 0; at < groups.length; at++) {
    let length = 0;
    while (groups[at + length] === '0') length += 1;
    if (length > best.length) best = { at, length };
  }
  if (best.length === 1) return groups.join(':');
  return `${groups.slice(0, best.at).join(':')}::${groups.slice(best.at + best.length).join(':')}`;
}

/** An IPv6 address may end as an IPv4 one does. */
function withoutDottedEnd(address: string): string {
  const dotted = /[^:]*\.[^:]*$/.exec(address)?.[0];
  if (dotted === undefined) return address;
  const bytes = Buffer.alloc(16);
  writeIPv4(bytes, dotted);
  const groups = `${bytes.readUInt16BE(12).toString(16)}:${bytes.readUInt16BE(14).toString(16)}`;
  return address.slice(0, -dotted.length) + groups;
}

function writeIPv4(bytes: Buffer, address: string): void {
  for (const [at, part] of address.split('.').entries()) bytes[12 + at] = Number(part);
}

function groupsOf(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}
