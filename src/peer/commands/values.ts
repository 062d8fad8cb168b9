import net from 'node:net';
import { domainToASCII } from 'node:url';
import { MEDIATOR_PORT, NEW_KEY_BITS, RSA_MAX_BITS, RSA_MIN_BITS } from '../../protocol/constants.js';
import { ExitCode, UserError } from '../../protocol/errors.js';
import { PATH_KINDS, type PathKind } from '../../protocol/messages.js';

/** Texts of the command line as the values they stand for. All throw a UserError that says what would be right. */

const MAX_SECONDS = 1_000_000;
const HOST_LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;

export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65535) return port;
  throw wrong(`not a port: "${text}"`, `A port is a number from 1 to 65535; mediators mostly use ${MEDIATOR_PORT}.`);
}

/** A name or an address; `[::1]` as it stands in a URL too. */
export function parseHost(text: string): string {
  const bare = /^\[(.*)\]$/.exec(text)?.[1] ?? text;
  if (net.isIP(bare) !== 0) return bare;
  const name = asciiName(bare.replace(/\.$/, ''));
  if (bare === text && name.length <= 253 && name.split('.').every((label) => HOST_LABEL.test(label))) return name;
  throw wrong(`not a host: "${text}"`, 'Name the mediator as in mediator.example, 192.0.2.7 or 2001:db8::7.');
}

/** Only for names with other letters: of `a/b` domainToASCII would take the `a`, and turn `1234` into an address. */
function asciiName(name: string): string {
  return /[^\p{ASCII}]/u.test(name) && /^[\p{L}\p{M}\p{N}._-]+$/u.test(name) ? domainToASCII(name) : name;
}

/** Seconds, in milliseconds. */
export function parseTimeout(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (seconds > 0 && seconds <= MAX_SECONDS) return Math.ceil(seconds * 1000);
  throw wrong(`not a time to wait: "${text}"`, 'Give --timeout in seconds, such as 30; without it there is no limit.');
}

export function parsePaths(text: string): PathKind[] {
  const paths = text.split(',').map((each) => {
    const path = PATH_KINDS.find((kind) => kind === each.trim());
    if (path === undefined) throw wrong(`not a path: "${each}"`, `Choose among: ${PATH_KINDS.join(',')}`);
    return path;
  });
  return [...new Set(paths)];
}

export function parseBits(text: string): number {
  const bits = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (bits >= RSA_MIN_BITS && bits <= RSA_MAX_BITS) return bits;
  throw wrong(
    `not a size for a key: "${text}"`,
    `Give --bits from ${RSA_MIN_BITS} to ${RSA_MAX_BITS}; ${NEW_KEY_BITS} is good.`,
  );
}

export function wrong(message: string, hint: string): UserError {
  return new UserError(ExitCode.usage, message, hint);
}
