import { sanitiseLine } from '../../protocol/sanitise.js';
import type { OfferedFile, ProgressEvent } from '../session/events.js';
import { padEnd, textWidth, truncateMiddle } from './cells.js';
import { formatDuration, formatPart, formatPercent, formatRate, formatWaiting } from './format.js';
import { type Row, span } from './rows.js';
import { bar } from './transfer-bars.js';
import type { TransferEntry } from './transfer-book.js';

/** How far one file of a transfer has come. */
export interface FileProgress {
  name: string;
  bytes: number;
  size: number;
}

const BAR_WIDTH = 20;
/** Columns from which there is room for a bar, and for more than the percentage. */
const WIDE = 70;
const MEDIUM = 50;

/** Works out, from what is told of a whole transfer, how far its present file is: files go in the offer's order. */
export class FileProgressReader {
  readonly #files: readonly OfferedFile[];
  /** The file that was read of last, and how many bytes come before it. */
  #index = 0;
  #start = 0;

  constructor({ files }: Pick<TransferEntry, 'files'>) {
    this.#files = files;
  }

  read({ name, bytes, total }: ProgressEvent): FileProgress {
    const { start, size } = this.#find(name) ?? { start: 0, size: total };
    return { name, bytes: Math.max(0, Math.min(size, bytes - start)), size };
  }

  /** Looks on from the last one: a place of its own for each of a hundred thousand files would be much to keep. */
  #find(name: string): { start: number; size: number } | null {
    for (let looked = 0; looked < this.#files.length; looked++) {
      const file = this.#files[this.#index];
      if (file?.name === name) return { start: this.#start, size: file.size };
      const isLast = this.#index === this.#files.length - 1;
      this.#start = isLast ? 0 : this.#start + (file?.size ?? 0);
      this.#index = isLast ? 0 : this.#index + 1;
    }
    return null;
  }
}

/**
 * `photo.png  ██████░░░░  54%  13 of 24 MB  3.4 MB/s  0:03`, at most `columns` wide where the name can give way.
 * @param waits there is no link
 */
export function fileProgressRow(file: FileProgress, event: ProgressEvent, columns: number, waits = false): Row {
  const isDone = file.bytes === file.size;
  const left = event.etaSeconds === null || isDone ? '' : `  ${formatDuration(event.etaSeconds)}`;
  const percent = formatPercent(file.bytes, file.size).padStart(4);
  const part = columns >= MEDIUM ? `  ${formatPart(file.bytes, file.size)}` : '';
  const rate = columns >= MEDIUM ? `  ${formatRate(event.bytesPerSecond)}` : '';
  const numbers = waits && !isDone ? `${percent}${part}  ${formatWaiting(columns)}` : `${percent}${part}${rate}${left}`;
  const barWidth = columns >= WIDE ? BAR_WIDTH : 0;
  const room = Math.max(8, columns - barWidth - textWidth(numbers) - 3);
  const name = padEnd(truncateMiddle(sanitiseLine(file.name), room), Math.min(room, 30));
  const done = file.size > 0 ? file.bytes / file.size : 1;
  return [span(`${name}  `), span(bar(done, barWidth), 'good'), span(numbers)];
}
