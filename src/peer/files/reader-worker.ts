import type { ManifestEntry } from '../../protocol/messages.js';
import { type SlotPiece, SourceStream, Sources, type Wanted } from './source-stream.js';
import { serveCalls } from './thread/serve-calls.js';
import type { Turn } from './turns.js';

/** The thread that reads and hashes what is sent. Whoever calls gives the numbers. */
const sendings = new Map<number, Sources>();
const streams = new Map<number, { sending: number; stream: SourceStream }>();

const calls = {
  /** Before all else that is said of `sending`. */
  open(sending: number, entries: readonly ManifestEntry[], paths: readonly string[]): void {
    sendings.set(sending, new Sources(entries, paths));
  },

  begin(stream: number, sending: number, wanted: Wanted | null): void {
    streams.set(stream, { sending, stream: new SourceStream(known(sendings, sending), wanted) });
  },

  read(stream: number, slot: SharedArrayBuffer): Turn<SlotPiece> {
    return known(streams, stream).stream.takeTurn(slot);
  },

  end(stream: number): void {
    streams.get(stream)?.stream.end();
    streams.delete(stream);
  },

  /** Ends all streams of `sending`. */
  close(sending: number): void {
    for (const [number, { sending: its }] of streams) if (its === sending) calls.end(number);
    sendings.delete(sending);
  },
};

export type ReaderCalls = typeof calls;

serveCalls(calls);

function known<T>(all: ReadonlyMap<number, T>, number: number): T {
  const found = all.get(number);
  if (!found) throw new RangeError(`there is no ${number}`);
  return found;
}
