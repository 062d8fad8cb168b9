import { describe, expect, it } from 'vitest';
import { formatBytes, parseBytes } from '../../src/server/bytes.js';

describe('a number of bytes', () => {
  it.each([
    ['1k', 1024],
    ['512K', 512 * 1024],
    ['10M', 10 * 1024 ** 2],
    ['1.5G', 1.5 * 1024 ** 3],
    ['2t', 2 * 1024 ** 4],
    ['65536', 65536],
  ])('%s is understood', (text, bytes) => {
    expect(parseBytes('--relay-rate', text)).toBe(bytes);
    expect(parseBytes('--relay-rate', formatBytes(bytes))).toBe(bytes);
  });

  it.each(['', 'M', '-1M', '1e6', '10MB', '10 M', '0', '1023', '1.M', '99999999999999T', 'NaN'])(
    '%j is a usage error that names the option',
    (text) => {
      expect(() => parseBytes('--relay-rate', text)).toThrow(
        expect.objectContaining({ exitCode: 2, message: expect.stringContaining('--relay-rate') }),
      );
    },
  );
});
