import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** However this process ends, it leaves none of them behind. */
const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGTERM');
});

/** One of our programs in JSON mode: its events as they come, and its commands. */
export class JsonProcess {
  #child;
  #listeners = new Set();
  #seen = [];
  #exited;

  /** @param {string} program built JavaScript file @param {string[]} args @param {NodeJS.ProcessEnv} env */
  constructor(program, args, env) {
    this.#child = spawn(process.execPath, [program, ...args, '--json'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    running.add(this.#child);
    this.#exited = new Promise((resolve) => this.#child.once('exit', (code) => resolve(code)));
    this.#exited.then(() => running.delete(this.#child));
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const event = JSON.parse(line);
      this.#seen.push(event);
      for (const listener of [...this.#listeners]) listener(event);
    });
    this.#child.stdin.on('error', () => {});
  }

  onEvent(listener) {
    this.#listeners.add(listener);
  }

  command(command) {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
  }

  /** The first event, past or to come, that fits; rejects if the process ends before it. */
  async event(fits) {
    const past = this.#seen.find(fits);
    if (past) return past;
    return await new Promise((resolve, reject) => {
      const listener = (event) => {
        if (!fits(event)) return;
        this.#listeners.delete(listener);
        resolve(event);
      };
      this.#listeners.add(listener);
      this.#exited.then((code) => reject(new Error(`the process ended (exit code ${code}) before its time`)));
    });
  }

  async stop() {
    this.#child.kill('SIGTERM');
    return await this.#exited;
  }
}
