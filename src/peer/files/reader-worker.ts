import type { ManifestEntry } from '../../protocol/messages.js';
import { type SlotPiece, SourceStream, Sources, type Wanted } from './source-stream.js';
import { serveCalls } from './thread/serve-calls.js';
import { type Step, type Turn, takeTurn } from './turns.js';
import { type Walked, walk } from './walk.js';

/** The thread that finds, reads and hashes what is sent. Whoever calls gives the numbers. */
const sendings = new Map<number, Sources>();
const streams = new Map<number, { sending: number; stream: SourceStream }>();
const walks = new Map<number, Generator<Step<Walked>, void>>();

const calls = {
  /** Before all else that is said of `sending`. */
  open(sending: number, entries: readonly ManifestEntry[], paths: readonly string[]): void {
    sendings.set(sending, new Sources(entries, paths));
  },

  begin(stream: number, sending: number, wanted: Wanted | null, wholeFiles: boolean): void {
    streams.set(stream, { sending, stream: new SourceStream(known(sendings, sending), wanted, wholeFiles) });
  },

  read(stream: number, slot: SharedArrayBuffer): Turn<SlotPiece> {
    return known(streams, stream).stream.takeTurn(slot);
  },

  walk(number: number, source: string, path: string): void {
    walks.set(number, walk(source, path));
  },

  walkOn(number: number): Turn<Walked> {
    return takeTurn(known(walks, number));
  },

  /** Of a stream or a walk. */
  end(number: number): void {
    streams.get(number)?.stream.end();
    streams.delete(number);
    walks.delete(number);
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
