/**
 * How two people agree on how long their messages live after delivery: one side's part, without a disk or a network.
 * proto/README.md, "Messages that disappear", has the rules.
 */
export interface Agreement {
  /** 0: messages stay. */
  lifetimeMs: number;
  /** What the other's texts may still carry until one comes with the new lifetime. */
  formerMs: number[];
  /** My proposals without an answer, oldest first. */
  mine: MyProposal[];
  /** The other's proposal that waits for an answer. */
  theirs: Proposal | null;
  /** Of my last proposal. */
  lastNumber: number;
}

export interface Proposal {
  /** The proposer's own count; an answer names it. */
  number: number;
  lifetimeMs: number;
}

interface MyProposal extends Proposal {
  /** By agreeing to one of the other's. */
  givenUp: boolean;
}

export const NOTHING_AGREED: Agreement = { lifetimeMs: 0, formerMs: [], mine: [], theirs: null, lastNumber: 0 };

/** One who proposes without waiting for answers is answered for the last ones only; the same for changes. */
const MAX_KEPT = 16;

/** My proposal that the other has still to answer. */
export function openProposal({ mine }: Agreement): Proposal | null {
  const last = mine.at(-1);
  return last && !last.givenUp ? last : null;
}

export function propose(agreement: Agreement, lifetimeMs: number): { agreement: Agreement; proposal: Proposal } {
  const proposal = { number: agreement.lastNumber + 1, lifetimeMs };
  const mine = [...agreement.mine, { ...proposal, givenUp: false }].slice(-MAX_KEPT);
  return { agreement: { ...agreement, mine, lastNumber: proposal.number }, proposal };
}

/** To the other's open proposal. Who agrees gives up what they have proposed themselves. */
export function answer(agreement: Agreement, { lifetimeMs }: Proposal, agreed: boolean): Agreement {
  if (!agreed) return { ...agreement, theirs: null };
  const mine = agreement.mine.map((each) => ({ ...each, givenUp: true }));
  return { ...settle(agreement, lifetimeMs), mine, theirs: null };
}

/** `agreed`: it is what I propose too, and is to be answered so at once. */
export function takeProposal(agreement: Agreement, proposal: Proposal): { agreement: Agreement; agreed: boolean } {
  const agreed = openProposal(agreement)?.lifetimeMs === proposal.lifetimeMs;
  return { agreement: { ...agreement, theirs: proposal }, agreed };
}

/**
 * @param prevails whether my proposals count if both of us agreed to the other's at once
 * @returns null if it answers nothing that I have proposed
 */
export function takeAnswer(
  agreement: Agreement,
  { number, agreed }: { number: number; agreed: boolean },
  prevails: boolean,
): Agreement | null {
  const at = agreement.mine.findIndex((each) => each.number === number);
  const proposal = agreement.mine[at];
  if (proposal === undefined) return null;
  // What was proposed before it has been passed over.
  const rest = { ...agreement, mine: agreement.mine.slice(at + 1) };
  if (!agreed) return rest;
  const settled = proposal.givenUp && !prevails ? rest : settle(rest, proposal.lifetimeMs);
  // The other, in agreeing, gave up what it had proposed until then.
  return { ...settled, theirs: null };
}

/** How long a text of the other's is to live here, which says of itself `claimedMs`; and what is agreed from then on. */
export function heed(agreement: Agreement, claimedMs: number): { lifetimeMs: number; agreement: Agreement } {
  if (claimedMs === agreement.lifetimeMs) {
    return {
      lifetimeMs: claimedMs,
      agreement: agreement.formerMs.length === 0 ? agreement : { ...agreement, formerMs: [] },
    };
  }
  return { lifetimeMs: agreement.formerMs.includes(claimedMs) ? claimedMs : 0, agreement };
}

function settle(agreement: Agreement, lifetimeMs: number): Agreement {
  if (agreement.lifetimeMs === lifetimeMs) return agreement;
  return { ...agreement, lifetimeMs, formerMs: [...agreement.formerMs, agreement.lifetimeMs].slice(-MAX_KEPT) };
}
