import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** Of package-lock.json, version 3: by folder, the project itself under ''. */
interface LockedPackage {
  version?: string;
  integrity?: string;
  resolved?: string;
  hasInstallScript?: true;
  dev?: true;
}

interface Component {
  name: string;
  version: string;
  licenses?: unknown[];
  hashes?: { alg: string; content: string }[];
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const lock: [string, LockedPackage][] = Object.entries(JSON.parse(readFileSync('package-lock.json', 'utf8')).packages);
const locked = lock.filter(([folder]) => folder !== '');

function namesOf(choose: (entry: LockedPackage) => boolean): string[] {
  return locked.filter(([, entry]) => choose(entry)).map(([folder]) => folder);
}

describe('the lock file', () => {
  it('has a SHA-512 for every package', () => {
    expect(locked.length).toBeGreaterThan(50);
    expect(namesOf(({ integrity }) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? ''))).toEqual([]);
  });

  it('names no host to fetch them from', () => {
    expect(namesOf(({ resolved }) => resolved !== undefined)).toEqual([]);
    expect(readFileSync('.npmrc', 'utf8')).not.toMatch(/registry\s*=|:\/\//);
  });

  it('has no package that runs a script when it is installed', () => {
    expect(namesOf(({ hasInstallScript }) => hasInstallScript === true)).toEqual([]);
  });
});

describe('scripts/sbom', () => {
  const listed = (...options: string[]): Component[] =>
    JSON.parse(execFileSync('scripts/sbom', options, { encoding: 'utf8', maxBuffer: 16 << 20 })).components;

  it('lists what the programs run on, each with its licence and the hash of the lock file', () => {
    const components = listed();
    const runtime = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
    expect(components.map(({ name }) => name)).toEqual(expect.arrayContaining(runtime));
    expect(components.map(({ name }) => name)).not.toContain('vitest');
    expect(components.filter(({ licenses }) => !licenses?.length)).toEqual([]);
    const hashes = new Set(
      locked.map(([, { integrity = '' }]) => Buffer.from(integrity.slice(7), 'base64').toString('hex')),
    );
    for (const { name, hashes: [hash] = [] } of components) {
      expect({ name, alg: hash?.alg, locked: hashes.has(hash?.content ?? '') }).toEqual({
        name,
        alg: 'SHA-512',
        locked: true,
      });
    }
  });

  it('lists with --dev what builds and tests them too', () => {
    expect(listed('--dev').map(({ name }) => name)).toEqual(
      expect.arrayContaining(Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })),
    );
  });
});
