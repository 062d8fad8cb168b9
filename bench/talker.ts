import { Started } from './process.js';

export interface TalkEvent {
  event: string;
  [field: string]: unknown;
}

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
        resolve(found);
      };
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
