import { Chalk } from 'chalk';
import type { Row, Tone } from './rows.js';

/** Turns a row into text for a stream, with colours or without. */
export type Painter = (row: Row) => string;

export function newPainter(colour: boolean): Painter {
  const chalk = new Chalk({ level: colour ? 1 : 0 });
  const looks: Record<Tone, (text: string) => string> = {
    plain: (text) => text,
    strong: chalk.bold,
    dim: chalk.dim,
    me: chalk.cyan.bold,
    peer: chalk.magenta.bold,
    good: chalk.green,
    warn: chalk.yellow,
    bad: chalk.red,
    bar: chalk.inverse,
    barStrong: chalk.inverse.bold,
    barWarn: chalk.inverse.yellow,
    link: chalk.cyan,
  };
  return (row) => row.map(({ text, tone }) => looks[tone](text)).join('');
}
