import { readFile } from 'node:fs/promises';
import os from 'node:os';

/** RTF_UP and RTF_GATEWAY of linux/route.h. */
const UP = 1;
const GATEWAY = 2;

/** The IPv4 address of the gateway that packets to the internet go to. Null where it is not known: only Linux has a file that tells it. */
export async function defaultGateway(): Promise<string | null> {
  return parseRoutes(await readFile('/proc/net/route', 'utf8').catch(() => ''));
}

/** @param table as in /proc/net/route @returns the gateway of the default route with the lowest metric */
export function parseRoutes(table: string): string | null {
  const defaults = table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([, destination, gateway = '', flags = '', , , metric, mask]) => {
      const isDefault = destination === '00000000' && mask === '00000000' && /^[0-9A-F]{8}$/i.test(gateway);
      const needed = UP | GATEWAY;
      return isDefault && (Number.parseInt(flags, 16) & needed) === needed
        ? [{ gateway: addressOf(gateway), metric: Number(metric) }]
        : [];
    });
  return defaults.sort((a, b) => a.metric - b.metric)[0]?.gateway ?? null;
}

/** The kernel prints the four bytes as a number of this machine. */
function addressOf(hex: string): string {
  const bytes = [...Buffer.from(hex, 'hex')];
  return (os.endianness() === 'LE' ? bytes.reverse() : bytes).join('.');
}
