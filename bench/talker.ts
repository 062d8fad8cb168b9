import { Started } from './process.js';

export interface TalkEvent {
  event: string;
  [field: string]: unknown;
}

/** Nothing that is waited for takes as long, unless something is broken: a row that fails is told of, one that hangs is not. */
const PATIENCE_MS = 300_000;

/** One of the programs in JSON mode. */
export class Talker extends Started {
  readonly #seen: TalkEvent[] = [];
  readonly #looks = new Set<() => void>();
  #line = '';

  constructor(command: string, args: readonly string[]) {
    super(command, args);
    this.child.stdout?.on('data', (text: string) => {
      const lines = (this.#line + text).split('\n');
      this.#line = lines.pop() ?? '';
      for (const line of lines) if (line !== '') this.#seen.push(JSON.parse(line));
      for (const look of [...this.#looks]) look();
    });
  }

  command(command: object): void {
    this.child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  /** The first event not yet taken that fits, past or to come. */
  event(fits: (event: TalkEvent) => boolean): Promise<TalkEvent> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const at = this.#seen.findIndex(fits);
        const [found] = at === -1 ? [] : this.#seen.splice(at, 1);
        if (!found) return;
        this.#looks.delete(look);
        clearTimeout(patience);
        resolve(found);
      };
      const tooLong = () => reject(new Error(`nothing came of it in ${PATIENCE_MS / 1000} s`));
      const patience = setTimeout(tooLong, PATIENCE_MS).unref();
      this.#looks.add(look);
      this.ended.then(({ stderr }) => reject(new Error(`a program ended early: ${stderr.slice(-2000)}`)));
      look();
    });
  }

  /** Resolves when the session runs over this path. */
  async over(path: string): Promise<void> {
    await this.event((event) => (event.event === 'connected' || event.event === 'path') && event.path === path);
  }
}
