import { UserError } from '../../protocol/errors.js';
import type { Conversation } from '../session/conversation.js';
import type { SessionEvent } from '../session/events.js';

/** How a transfer ended. */
export type Outcome = 'transferred' | 'declined' | 'cancelled';

type OfferEvent = SessionEvent & { event: 'offer' };

export interface ReceiveOptions {
  /** The folder that everything goes into. */
  into: string;
  /** Whether to take an offer; called for one offer at a time. `gone` is aborted when it was withdrawn meanwhile. */
  decide(offer: OfferEvent, gone: AbortSignal): Promise<boolean>;
  /** End after one transfer. */
  once: boolean;
  /** An offer could not be taken (no room, no such folder); it was declined, and the next is waited for. */
  onProblem(error: UserError): void;
  signal: AbortSignal;
}

/**
 * Offers the paths and waits for the end. Rejects with a UserError if they cannot be read, with the signal's reason if
 * it is aborted.
 */
export async function sendAndWait(conversation: Conversation, paths: string[], signal: AbortSignal): Promise<Outcome> {
  const ended = new Map<string, Outcome>();
  const ends = watchEnds(conversation, signal, (transfer, outcome) => ended.set(transfer, outcome));
  try {
    const transfer = await conversation.sendOrResume(paths);
    for (;;) {
      const outcome = ended.get(transfer);
      if (outcome) return outcome;
      await ends.next();
    }
  } finally {
    ends.stop();
  }
}

/**
 * Answers offers until aborted, or with `once` until the one that it answered has ended, or before any was offered one
 * that an earlier run of the program accepted. Rejects with the signal's reason, or with `once` with the UserError that
 * kept an offer from being taken.
 */
export async function receiveOffers(conversation: Conversation, options: ReceiveOptions): Promise<Outcome> {
  const { signal, once } = options;
  conversation.expectOffers();
  const offers: OfferEvent[] = [];
  const mine = new Set(incomingTransfers(conversation));
  const ended = new Map<string, Outcome>();
  let answered: string | undefined;
  let asked: { transfer: string; gone: AbortController } | undefined;
  const ends = watchEnds(conversation, signal, (transfer, outcome) => {
    ended.set(transfer, outcome);
    if (asked?.transfer === transfer) asked.gone.abort();
  });
  const unsubscribe = conversation.subscribe((event) => {
    if (event.event !== 'offer') return;
    mine.add(event.transfer);
    offers.push(event);
    ends.wake();
  });
  try {
    for (;;) {
      // What is offered beside the only transfer is left for another run.
      const offer = once && answered !== undefined ? undefined : offers.shift();
      if (offer && !ended.has(offer.transfer)) {
        asked = { transfer: offer.transfer, gone: new AbortController() };
        await answer(conversation, offer, AbortSignal.any([signal, asked.gone.signal]), options);
        answered = offer.transfer;
      }
      // Not the end of an earlier one while this one is on its way: its sender would be left waiting.
      const last = answered ?? [...ended.keys()].find((transfer) => mine.has(transfer));
      const outcome = last !== undefined && ended.get(last);
      if (once && outcome) return outcome;
      if (!offer || offers.length === 0) await ends.next();
    }
  } finally {
    unsubscribe();
    ends.stop();
  }
}

async function answer(
  conversation: Conversation,
  offer: OfferEvent,
  gone: AbortSignal,
  options: ReceiveOptions,
): Promise<void> {
  const isWanted = await options.decide(offer, gone);
  options.signal.throwIfAborted();
  try {
    if (isWanted) await conversation.accept(offer.transfer, options.into);
    else conversation.decline(offer.transfer);
  } catch (error) {
    // Withdrawn while the person thought about it: its end is known, or will be.
    if (!isOpen(conversation, offer.transfer)) return;
    if (!(error instanceof UserError)) throw error;
    conversation.decline(offer.transfer);
    if (options.once) throw error;
    options.onProblem(error);
  }
}

function isOpen(conversation: Conversation, transfer: string): boolean {
  return conversation.status().transfers.some((one) => one.transfer === transfer && one.state === 'offered');
}

function incomingTransfers(conversation: Conversation): string[] {
  const { transfers } = conversation.status();
  return transfers.filter(({ direction }) => direction === 'receive').map(({ transfer }) => transfer);
}

interface EndWatch {
  /** Resolves when something happened since the last call; rejects when aborted. */
  next(): Promise<void>;
  wake(): void;
  stop(): void;
}

function watchEnds(
  conversation: Conversation,
  signal: AbortSignal,
  onEnd: (transfer: string, outcome: Outcome) => void,
): EndWatch {
  let happened = false;
  let wakeUp = (): void => {};
  const wake = (): void => {
    happened = true;
    wakeUp();
  };
  const unsubscribe = conversation.subscribe((event) => {
    if (event.event !== 'transferred' && event.event !== 'declined' && event.event !== 'cancelled') return;
    onEnd(event.transfer, event.event);
    wake();
  });
  signal.addEventListener('abort', wake);
  return {
    wake,
    next: async () => {
      if (!happened && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wakeUp = resolve;
        });
      }
      happened = false;
      signal.throwIfAborted();
    },
    stop: () => {
      unsubscribe();
      signal.removeEventListener('abort', wake);
    },
  };
}
