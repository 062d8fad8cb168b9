import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DistinctNames, nameLocally, numberedName, safeName, TEMP_PREFIX } from '../../../src/peer/files/local-name.js';
import { ProtocolError } from '../../../src/protocol/errors.js';
import { processorTime } from '../../support/own-time.js';
import { aFile, aFolder } from './helpers/entries.js';

const anyName = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.string({ unit: fc.constantFrom('.', ' ', '/', '\\', ':', 'c', 'o', 'n', '\0', '\u202e', '\ud800', '😀', 'é') }),
);

function expectHarmless(name: string): void {
  expect(name).not.toBe('');
  expect(name).not.toMatch(/^\.{1,2}$/);
  expect(name).not.toMatch(/[/\\:\0]/);
  expect(name).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/);
  expect(name).not.toMatch(/[. ]$/);
  expect(name).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d) *(\.|$)/i);
  expect(name.toLowerCase().startsWith(TEMP_PREFIX)).toBe(false);
  expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
  expect(Buffer.from(name).toString()).toBe(name);
}

describe('safeName', () => {
  it('makes one harmless component of any string', () => {
    fc.assert(
      fc.property(anyName, (name) => expectHarmless(safeName(name))),
      { numRuns: 2_000 },
    );
  });

  it('changes nothing that it made', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        expect(safeName(safeName(name))).toBe(safeName(name));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    'notes.txt',
    '.bashrc',
    'Ünïcödé 日本語 😀.png',
    'a b (1).tar.gz',
    'what?.txt',
    "it's.md",
    'console.log',
    'community',
    'nul-terminated.c',
    '-rf',
    '~',
    '$HOME',
  ])('leaves %j as it is', (name) => {
    expect(safeName(name)).toBe(name);
  });

  it.each([
    ['', '_'],
    ['.', '_'],
    ['..', '__'],
    ['...', '___'],
    ['../../etc/passwd', '.._.._etc_passwd'],
    ['..\\..\\evil.exe', '.._.._evil.exe'],
    ['C:\\Windows\\system.ini', 'C__Windows_system.ini'],
    ['file.txt:stream', 'file.txt_stream'],
    ['a\0b', 'a_b'],
    ['red\u001b[31m\r\n', 'red_[31m__'],
    ['exe.\u202egpj', 'exe._gpj'],
    ['name.', 'name_'],
    ['name. . ', 'name____'],
    ['CON', '_CON'],
    ['con.txt', '_con.txt'],
    ['nul .tar.gz', '_nul .tar.gz'],
    ['COM1', '_COM1'],
    ['lpt³.doc', '_lpt³.doc'],
    ['CON.', '_CON_'],
    [`con${' '.repeat(300)}x.txt`, `_con${' '.repeat(247)}.txt`],
    ['.turbo-beep-0123', '_.turbo-beep-0123'],
    ['.TURBO-beep-x', '_.TURBO-beep-x'],
    ['\ud800', '_'],
  ])('turns %j into %j', (name, safe) => {
    expect(safeName(name)).toBe(safe);
  });

  it('shortens to what fits, between characters, and keeps the extension', () => {
    const name = safeName(`${'日'.repeat(100)}.jpeg`);
    expect(name).toBe(`${'日'.repeat(83)}.jpeg`);
  });

  it('takes no time over a hostile length', () => {
    const spentMs = processorTime();
    for (const name of [`${'.'.repeat(4095)}x`, `${' '.repeat(4095)}x`, 'con '.repeat(1_000), '.tar'.repeat(1_000)]) {
      for (let round = 0; round < 20; round++) safeName(name);
    }
    expect(spentMs()).toBeLessThan(1_000);
  });
});

describe('numberedName', () => {
  it.each([
    ['report.pdf', false, 'report (2).pdf'],
    ['archive.tar.gz', false, 'archive (2).tar.gz'],
    ['README', false, 'README (2)'],
    ['.bashrc', false, '.bashrc (2)'],
    ['Mr. Smith', false, 'Mr. Smith (2)'],
    ['v1.2', true, 'v1.2 (2)'],
  ])('numbers %j (folder: %j) as %j', (name, directory, numbered) => {
    expect(numberedName(name, 2, directory)).toBe(numbered);
    expect(numberedName(name, 0, directory)).toBe(name);
  });

  it('keeps any safe name safe and tells its numbers apart', () => {
    fc.assert(
      fc.property(anyName, fc.boolean(), fc.integer({ min: 1, max: 1e6 }), (name, directory, number) => {
        const numbered = numberedName(safeName(name), number, directory);
        expectHarmless(numbered);
        expect(numbered).not.toBe(numberedName(safeName(name), number + 1, directory));
      }),
    );
  });
});

describe('DistinctNames', () => {
  it('tells names apart that differ by case or Unicode form alone', () => {
    const names = new DistinctNames();
    const taken = ['Readme.md', 'README.md', 'caf\u00e9', 'cafe\u0301', 'stra\u00dfe', 'STRASSE', 'Readme.md'];
    expect(taken.map((name) => names.take(name, false))).toEqual([
      'Readme.md',
      'README (1).md',
      'caf\u00e9',
      'cafe\u0301 (1)',
      'stra\u00dfe',
      'STRASSE (1)',
      'Readme (2).md',
    ]);
  });

  it('passes over numbered names that are themselves taken', () => {
    const names = new DistinctNames();
    expect(['a', 'A (1)', 'A', 'a'].map((name) => names.take(name, false))).toEqual(['a', 'A (1)', 'A (2)', 'a (3)']);
  });

  it('takes many equal names in a short time', () => {
    const names = new DistinctNames();
    const spentMs = processorTime();
    const taken = new Set(Array.from({ length: 50_000 }, (_, n) => names.take(n % 2 ? 'same' : 'SAME', false)));
    expect(taken.size).toBe(50_000);
    expect(spentMs()).toBeLessThan(5_000);
  });
});

describe('nameLocally', () => {
  it('gives each entry one safe name in the folder of an earlier entry', () => {
    const locals = nameLocally([aFolder('a:b'), aFile('a:b/con'), aFolder('a:b/x'), aFile('a:b/x/y.'), aFile('z')]);
    expect(locals).toEqual([
      { name: 'a_b', parent: -1 },
      { name: '_con', parent: 0 },
      { name: 'x', parent: 0 },
      { name: 'y_', parent: 2 },
      { name: 'z', parent: -1 },
    ]);
  });

  it('keeps two folders apart that some disks would take for one, with what is in them', () => {
    const locals = nameLocally([aFolder('Pics'), aFile('Pics/1'), aFolder('pics'), aFile('pics/1')]);
    expect(locals.map(({ name, parent }) => `${parent} ${name}`)).toEqual(['-1 Pics', '0 1', '-1 pics (1)', '2 1']);
  });

  it('keeps apart what only became equal by being made safe', () => {
    expect(nameLocally([aFile('a:b'), aFile('a\\b'), aFile('a_b')]).map(({ name }) => name)).toEqual([
      'a_b',
      'a_b (1)',
      'a_b (2)',
    ]);
  });

  it('takes no longer for many long names that are cut to the same ones', () => {
    // Each pair differs by case alone, and the pairs at an end that the numbers take the place of.
    const long = (at: number, last: string) => aFile('s'.repeat(249) + String(at).padStart(5, '0') + last);
    const entries = Array.from({ length: 5_000 }, (_, at) => [long(at, 'a'), long(at, 'A')]).flat();
    const spentMs = processorTime();
    const names = nameLocally(entries).map(({ name }) => name.toLowerCase());
    expect(spentMs()).toBeLessThan(10_000);
    expect(new Set(names).size).toBe(entries.length);
  });

  it('either refuses arbitrary paths or names them harmlessly inside the top', () => {
    const paths = fc.array(fc.tuple(fc.string({ unit: fc.constantFrom('a', '.', '/', '\\', '\0') }), fc.boolean()));
    fc.assert(
      fc.property(paths, (tree) => {
        const entries = tree.map(([path, directory]) => (directory ? aFolder(path) : aFile(path)));
        try {
          for (const [index, { name, parent }] of nameLocally(entries).entries()) {
            expectHarmless(name);
            expect(parent).toBeLessThan(index);
            if (parent !== -1) expect(entries[parent]?.directory).toBe(true);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });
});
