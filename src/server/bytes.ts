import { ExitCode, UserError } from '../protocol/errors.js';

const UNITS = ['', 'k', 'M', 'G', 'T'];

/** `512k`, `10M`, `1.5G`: each unit is 1024 of the one before. @throws UserError unless it is at least 1 kB */
export function parseBytes(option: string, text: string): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)([kmgt]?)$/i.exec(text) ?? [];
  const bytes = Math.floor(
    Number(digits) * 1024 ** UNITS.findIndex((each) => each.toLowerCase() === unit.toLowerCase()),
  );
  if (digits !== '' && bytes >= 1024 && Number.isSafeInteger(bytes)) return bytes;
  throw new UserError(
    ExitCode.usage,
    `${option} is not a number of bytes: ${text}`,
    'Give a number and a unit, such as 512k, 10M or 2G; at least 1k.',
  );
}

/** As parseBytes reads it. */
export function formatBytes(bytes: number): string {
  const at = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${Number((bytes / 1024 ** at).toFixed(1))}${UNITS[at]}`;
}
