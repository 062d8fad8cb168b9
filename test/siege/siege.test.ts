import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { DIST } from '../support/program.js';

/** The short siege; `npm run siege` is the whole one. Attackers come from many addresses, which only Linux's loopback has. */
test.runIf(process.platform === 'linux')(
  'two honest peers meet and chat while the mediator is attacked',
  { timeout: 240_000 },
  async () => {
    const script = resolve(import.meta.dirname, '../../scripts/siege');
    const { code, output } = await new Promise<{ code: unknown; output: string }>((settle) => {
      execFile(
        script,
        ['--short'],
        { timeout: 230_000, env: { ...process.env, TURBO_BEEP_DIST: DIST } },
        (error, stdout, stderr) => settle({ code: error ? error.code : 0, output: `${stdout}${stderr}` }),
      );
    });
    expect(output).toContain('It held.');
    expect(code).toBe(0);
  },
);
