import type { HistoryLine } from '../session/conversation.js';
import { lazily } from './lazily.js';

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Decimal units, as disks and networks are sold: `999 bytes`, `1.2 MB`, `15 GB`. */
export function formatBytes(bytes: number): string {
  if (bytes === 1) return '1 byte';
  let value = bytes;
  let unit = 0;
  // 999.5 would be shown as 1000 of the smaller unit.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 9.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `1.2 of 3.4 MB`: both in the unit of the whole. */
export function formatPart(bytes: number, total: number): string {
  const whole = formatBytes(total);
  const unit = UNITS.indexOf(whole.split(' ')[1] ?? '');
  if (unit < 1) return `${bytes} of ${whole}`;
  const value = bytes / 1000 ** unit;
  return `${value.toFixed(whole.includes('.') ? 1 : 0)} of ${whole}`;
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(Math.round(bytesPerSecond))}/s`;
}

/** What stands in place of a rate while there is no link. */
export function formatWaiting(columns: number): string {
  return columns >= 80 ? 'waiting for the connection' : 'waiting';
}

/** `0:07`, `12:34`, `3:02:01`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const s = String(whole % 60).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${s}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${s}`;
}

const LONG_UNITS = [
  [604_800, 'week'],
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
] as const;

/** `1 hour`, `90 minutes`, `30 seconds`: in the largest unit that makes it whole. */
export function formatSpan(seconds: number): string {
  const [size, unit] = LONG_UNITS.find(([each]) => seconds % each === 0) ?? [1, 'second'];
  return countOf(seconds / size, unit);
}

/** The same, short: `1h`, `90m`. */
export function formatShortSpan(seconds: number): string {
  const [size, unit] = LONG_UNITS.find(([each]) => seconds % each === 0) ?? [1, 'second'];
  return `${seconds / size}${unit.charAt(0)}`;
}

/** Rounded down, so that 100% means all of it. Nothing to send is all sent. */
export function formatPercent(bytes: number, total: number): string {
  return `${total > 0 ? Math.floor((bytes / total) * 100) : 100}%`;
}

const clock = dates({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const longDay = dates({ weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const shortDay = dates({ day: 'numeric', month: 'short', year: 'numeric' });

/** Local time, `14:05`. The peer's clock is not ours: a date that is none gives `--:--`. */
export function formatClock(at: Date): string {
  return isDate(at) ? clock().format(at) : '--:--';
}

/** `Tuesday 4 March 2025`. */
export function formatDay(at: Date): string {
  return isDate(at) ? longDay().format(at).replace(',', '') : 'some day';
}

/** `4 Mar 2025 14:05`. */
export function formatDateAndTime(at: Date): string {
  return isDate(at) ? `${shortDay().format(at)} ${clock().format(at)}` : 'some day';
}

/** Sent, delivered and read differ by shape, so that they can be told apart without colour. */
export function receiptSign(state: HistoryLine['state']): string {
  return { sent: '✓', delivered: '✓✓', read: '✓✓•', received: '' }[state];
}

export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${groupDigits(count)} ${count === 1 ? one : many}`;
}

/** `12,345`. By hand: to set up `toLocaleString` takes 12 ms. */
function groupDigits(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

function dates(options: Intl.DateTimeFormatOptions) {
  return lazily(() => new Intl.DateTimeFormat('en-GB', options));
}

function isDate(at: Date): boolean {
  return !Number.isNaN(at.getTime());
}
