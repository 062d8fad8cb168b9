import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Agreement,
  answer,
  heed,
  NOTHING_AGREED,
  openProposal,
  type Proposal,
  propose,
  takeAnswer,
  takeProposal,
} from '../../../src/peer/session/agreement.js';

type Message = { kind: 'proposal'; proposal: Proposal } | { kind: 'answer'; number: number; agreed: boolean };

/** One of the two, with what is on its way to it, in order. */
class Side {
  agreement: Agreement = NOTHING_AGREED;
  readonly coming: Message[] = [];
  other: Side = this;
  readonly #prevails: boolean;

  constructor(prevails: boolean) {
    this.#prevails = prevails;
  }

  propose(lifetimeMs: number): void {
    if (this.agreement.theirs?.lifetimeMs === lifetimeMs) {
      this.answer(true);
      return;
    }
    const { agreement, proposal } = propose(this.agreement, lifetimeMs);
    this.agreement = agreement;
    this.other.coming.push({ kind: 'proposal', proposal });
  }

  answer(agreed: boolean): void {
    const { theirs } = this.agreement;
    if (!theirs) return;
    this.agreement = answer(this.agreement, theirs, agreed);
    this.other.coming.push({ kind: 'answer', number: theirs.number, agreed });
  }

  take(): void {
    const message = this.coming.shift();
    if (message?.kind === 'answer') {
      this.agreement = takeAnswer(this.agreement, message, this.#prevails) ?? this.agreement;
    } else if (message) {
      const { agreement, agreed } = takeProposal(this.agreement, message.proposal);
      this.agreement = agreement;
      if (agreed) this.answer(true);
    }
  }
}

function twoSides(): [Side, Side] {
  const sides: [Side, Side] = [new Side(true), new Side(false)];
  [sides[0].other, sides[1].other] = [sides[1], sides[0]];
  return sides;
}

test('one proposes, the other agrees, and both have agreed', () => {
  const [a, b] = twoSides();
  a.propose(60);
  b.take();
  expect(b.agreement).toMatchObject({ lifetimeMs: 0, theirs: { lifetimeMs: 60 } });
  b.answer(true);
  a.take();
  expect([a.agreement.lifetimeMs, b.agreement.lifetimeMs]).toEqual([60, 60]);
});

test('nothing changes when the other does not agree', () => {
  const [a, b] = twoSides();
  a.propose(60);
  b.take();
  b.answer(false);
  a.take();
  expect([a.agreement, b.agreement].map(({ lifetimeMs, mine, theirs }) => ({ lifetimeMs, mine, theirs }))).toEqual([
    { lifetimeMs: 0, mine: [], theirs: null },
    { lifetimeMs: 0, mine: [], theirs: null },
  ]);
});

test('two who propose the same at once have agreed', () => {
  const [a, b] = twoSides();
  a.propose(60);
  b.propose(60);
  for (const side of [a, b, a, b]) side.take();
  expect([a.agreement.lifetimeMs, b.agreement.lifetimeMs]).toEqual([60, 60]);
});

test('whatever the two propose and answer, in whatever order it arrives, both end with the same', () => {
  const act = fc.record({
    who: fc.constantFrom(0, 1),
    what: fc.oneof(
      fc.record({ propose: fc.constantFrom(0, 60, 120, 3600) }),
      fc.record({ answer: fc.boolean() }),
      fc.constant({ take: true }),
    ),
  });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const sides = twoSides();
      for (const { who, what } of acts) {
        const side = sides[who] ?? sides[0];
        if ('propose' in what) side.propose(what.propose);
        else if ('answer' in what) side.answer(what.answer);
        else side.take();
      }
      while (sides.some(({ coming }) => coming.length > 0)) for (const side of sides) side.take();
      const [a, b] = sides.map(({ agreement }) => agreement);
      expect(a?.lifetimeMs).toBe(b?.lifetimeMs);
      for (const [one, other] of [
        [a, b],
        [b, a],
      ]) {
        if (one?.theirs) expect(other && openProposal(other)).toMatchObject(one.theirs);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a text is heeded under what is agreed, and under what was until the other knows of the new', () => {
  const agreed = { ...NOTHING_AGREED, lifetimeMs: 60, formerMs: [3600] };
  expect(heed(agreed, 3600)).toEqual({ lifetimeMs: 3600, agreement: agreed });
  expect(heed(agreed, 7)).toEqual({ lifetimeMs: 0, agreement: agreed });
  const known = heed(agreed, 60);
  expect(known.lifetimeMs).toBe(60);
  expect(heed(known.agreement, 3600).lifetimeMs).toBe(0);
  expect(heed(NOTHING_AGREED, 60).lifetimeMs).toBe(0);
});
