import type { Endpoint } from '../../../protocol/messages.js';
import type { PortRequest } from './lease.js';

/** What goes to the library's thread and back. Each job holds all that it needs: the thread may have died since the last. */
export interface LibraryJob extends PortRequest {
  number: number;
  kind: 'map' | 'end';
  language: LibraryLanguage;
  /** IPv4. Null: not known; UPnP then takes the first that answers. */
  gateway: string | null;
  /** The one wished for, or the one that was granted. */
  externalPort: number;
  timeoutMs: number;
}

export type LibraryLanguage = 'NAT-PMP' | 'UPnP';

/** What the thread says: first of all that it takes jobs, and then an answer to each. */
export type LibraryWord = 'ready' | LibraryAnswer;

export type LibraryAnswer = { number: number } & (Granted | { problem: string });

export interface Granted {
  /** The gateway that did it. */
  gateway: string;
  external: Endpoint;
}
