/** What arrived is not what the sender says it sent. The partial file is gone; the entry can be wanted again. */
export class DigestMismatchError extends Error {
  override readonly name = 'DigestMismatchError';
  /** The entry's manifest path. */
  readonly entry: string;

  constructor(entry: string) {
    super('a file arrived with another content than the one that was sent');
    this.entry = entry;
  }
}

/** A file is no longer what was offered. The transfer cannot go on: the receiver accepted something else. */
export class SourceChangedError extends Error {
  override readonly name = 'SourceChangedError';
  /** The file's manifest path. */
  readonly entry: string;

  constructor(entry: string, options?: ErrorOptions) {
    super(`"${entry}" has changed since it was offered`, options);
    this.entry = entry;
  }
}
