import type { Report } from './report.js';

export interface Effort {
  runs: number;
  /** Smaller files and fewer peers: to see that everything works, not to quote. */
  quick: boolean;
  /** Where hyperdht is installed; null if it is not. */
  hyperdht: string | null;
}

/** One row of the bench: a name for the command line, and what it measures. */
export interface Row {
  name: string;
  measure(effort: Effort): Promise<Report>;
}
