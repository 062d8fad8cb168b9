import type { OfferedFile, ProgressEvent, SessionEvent, TransferStatus } from '../session/events.js';

/** A transfer as a face knows it, from its offer to its end. */
export interface TransferEntry {
  transfer: string;
  /** A short number for people. */
  number: number;
  direction: 'send' | 'receive';
  state: 'offered' | 'accepted' | 'transferred' | 'declined' | 'cancelled';
  /** The first thing in it, as its sender named it: not sanitised. */
  name: string;
  /** Empty if it was offered before this face began. */
  files: OfferedFile[];
  fileCount: number;
  total: number;
  progress?: ProgressEvent;
  /** There is no link that could carry it. */
  waits: boolean;
  /** On the receiving side: the folder that it goes into, and where the last finished file is. */
  into?: string;
  lastPath?: string;
}

/** The transfers of one session, numbered 1, 2, … in the order in which this face met them. */
export class TransferBook {
  readonly #entries = new Map<string, TransferEntry>();
  #lastNumber = 0;
  #isConnected: boolean;

  constructor(known: readonly TransferStatus[] = [], isConnected = true) {
    this.#isConnected = isConnected;
    for (const status of known) {
      const { transfer, direction, state, name, total } = status;
      this.#add({ transfer, direction, state, name, files: [], fileCount: status.files, total });
    }
  }

  /** Takes in an event; returns the transfer that it is about, if it is about one. An ended one is forgotten. */
  record(event: SessionEvent): TransferEntry | undefined {
    if (event.event === 'connected') this.#connected(true);
    if (event.event === 'disconnected') this.#connected(false);
    if (event.event === 'offer') return this.#offered(event.transfer, 'receive', event.files);
    if (event.event === 'offered') return this.#offered(event.transfer, 'send', event.files);
    if (!('transfer' in event) || event.transfer === undefined) return undefined;
    const entry = this.#entries.get(event.transfer);
    if (!entry) return undefined;
    switch (event.event) {
      case 'accepted':
        entry.state = 'accepted';
        if (event.into !== null) entry.into = event.into;
        break;
      case 'progress':
        entry.state = 'accepted';
        entry.progress = event;
        break;
      case 'file':
        entry.lastPath = event.path;
        break;
      case 'transferred':
      case 'declined':
      case 'cancelled':
        entry.state = event.event;
        this.#entries.delete(entry.transfer);
        break;
      default:
    }
    return entry;
  }

  /** Those not ended, oldest first. */
  list(): TransferEntry[] {
    return [...this.#entries.values()];
  }

  #offered(transfer: string, direction: 'send' | 'receive', files: OfferedFile[]): TransferEntry {
    const known = this.#entries.get(transfer);
    if (known) {
      known.files = files;
      return known;
    }
    const [name, fileCount, total] = [files[0]?.name ?? '', files.length, totalOf(files)];
    return this.#add({ transfer, direction, state: 'offered', name, files, fileCount, total });
  }

  /** What was fast on the former link says nothing of the next one. */
  #connected(isConnected: boolean): void {
    this.#isConnected = isConnected;
    for (const entry of this.#entries.values()) {
      entry.waits = !isConnected;
      if (entry.progress) entry.progress = { ...entry.progress, bytesPerSecond: 0, etaSeconds: null };
    }
  }

  #add(entry: Omit<TransferEntry, 'number' | 'waits'>): TransferEntry {
    this.#lastNumber += 1;
    const numbered = { ...entry, number: this.#lastNumber, waits: !this.#isConnected };
    this.#entries.set(entry.transfer, numbered);
    return numbered;
  }
}

function totalOf(files: readonly OfferedFile[]): number {
  return files.reduce((total, file) => total + file.size, 0);
}
