import { describe, expect, test } from 'vitest';
import { declareSuccession } from '../../src/protocol/succession.js';
import { decideAdmissions } from '../../src/server/admissions.js';
import { identity } from './fixture.js';

const [ann, newAnn, newerAnn, thief] = [identity(0), identity(1), identity(2), identity(3)];
const first = { identity: newAnn, successions: [declareSuccession(ann, newAnn, 1)] };
const second = { identity: newerAnn, successions: [declareSuccession(newAnn, newerAnn, 2)] };
const bare = (each: typeof ann) => ({ identity: each, successions: [] });
const idsOf = (...args: Parameters<typeof decideAdmissions>) => [...decideAdmissions(...args).keys.keys()];

describe('the files of the directory admit', () => {
  test('the key in each, and a former one as long as its own file is there', () => {
    expect(idsOf([bare(ann), first, second], [])).toEqual([ann.id, newAnn.id, newerAnn.id]);
    expect(idsOf([first], [])).toEqual([newAnn.id]);
  });

  test('neither of two successors of one key, unless the operator put one there without a word of that key', () => {
    const rival = { identity: thief, successions: [declareSuccession(ann, thief, 3)] };
    expect(idsOf([bare(ann), first, rival], [])).toEqual([ann.id]);
    expect(idsOf([bare(ann), first, rival, bare(newAnn)], [])).toEqual([ann.id, newAnn.id]);
    expect(idsOf([first, rival, second], [])).toEqual([]);
    expect(decideAdmissions([first, rival], []).disputed).toEqual(new Set([newAnn.id, thief.id]));
  });

  test('the same succession in two files, or declared twice, is no dispute', () => {
    const again = { identity: newAnn, successions: [declareSuccession(ann, newAnn, 9)] };
    expect(idsOf([first, first, again], [])).toEqual([newAnn.id]);
  });
});

describe('a bar', () => {
  test('reaches all successors in whatever order their files come, even those that the operator put there bare', () => {
    const bar = { id: ann.id, because: null };
    for (const files of [
      [bare(ann), first, second, bare(newerAnn)],
      [second, bare(newerAnn), first, bare(ann)],
    ]) {
      const { keys, newBars } = decideAdmissions([...files, bare(thief)], [bar]);
      expect([...keys.keys()]).toEqual([thief.id]);
      expect(newBars).toEqual([
        { id: newAnn.id, because: ann.id },
        { id: newerAnn.id, because: ann.id },
      ]);
    }
  });

  test('does not reach the key that came before', () => {
    expect(idsOf([bare(ann), first, second], [{ id: newAnn.id, because: null }])).toEqual([ann.id]);
  });
});
