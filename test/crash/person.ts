import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { sha256 } from '../peer/files/helpers/tree.js';
import type { Name, Pair } from '../support/pair.js';
import type { ProgramEvent, RunningProgram } from '../support/program.js';
import type { Random } from './random.js';
import { pack, type Shipment } from './shipment.js';

export interface Said {
  ref: string;
  text: string;
}

/**
 * Somebody whose program is killed again and again: gives it commands, repeats after each start those that were never
 * confirmed, and notes all that it ever told. What it may not tell at once is a finding.
 */
export class Person {
  readonly name: Name;
  readonly said: Said[] = [];
  /** Ids of what was said, by ref, as the program confirmed them. */
  readonly confirmed = new Map<string, string>();
  readonly delivered = new Set<string>();
  /** The other's texts by id, in the order in which they were first told. */
  readonly heard = new Map<string, string>();
  readonly shipments: Shipment[] = [];
  /** Transfers of ours, by ref. */
  readonly offered = new Map<string, string>();
  /** Transfers that ended with everything in place, as told here. */
  readonly transferred = new Set<string>();
  readonly into: string;
  replays = 0;
  program: RunningProgram;
  readonly #pair: Pair;
  readonly #random: Random;
  readonly #finding: (what: string) => void;
  /** Calls off some of what it is offered and sends. */
  #fickle = true;
  readonly #calledOff = new Set<string>();
  #seen = 0;
  #expectsEnd = false;
  onEvent: (event: ProgramEvent) => void = () => {};

  constructor(pair: Pair, name: Name, random: Random, finding: (what: string) => void) {
    this.#pair = pair;
    this.name = name;
    this.#random = random;
    this.#finding = (what) => finding(`${name}: ${what}`);
    this.into = pair.path(`${name}-received`);
    mkdirSync(this.into);
    this.program = this.#start();
  }

  /** Nothing is called off from now on. */
  becomeSteady(): void {
    this.#fickle = false;
  }

  say(text: string): void {
    const ref = `text ${this.said.length}`;
    this.said.push({ ref, text });
    this.program.send({ command: 'message', ref, text });
  }

  ship(): void {
    const ref = `shipment ${this.shipments.length}`;
    const shipment = pack(ref, this.name, this.#pair.path(`${this.name}-${ref}`), this.#random);
    this.shipments.push(shipment);
    this.program.send({ command: 'send', ref, paths: shipment.paths });
  }

  shipmentOf(transfer: string): Shipment | undefined {
    return this.shipments.find(({ ref }) => this.offered.get(ref) === transfer);
  }

  /** Where the other's transfer is received. */
  folderOf(transfer: string): string {
    return `${this.into}/${transfer}`;
  }

  async kill(): Promise<void> {
    this.#expectsEnd = true;
    await this.program.stop('SIGKILL');
    this.look();
  }

  restart(): void {
    this.program = this.#start();
    for (const { ref, text } of this.said) {
      if (!this.confirmed.has(ref)) this.program.send({ command: 'message', ref, text });
    }
    for (const { ref, paths } of this.shipments) {
      if (!this.offered.has(ref)) this.program.send({ command: 'send', ref, paths });
    }
  }

  async quit(): Promise<void> {
    this.#expectsEnd = true;
    this.program.send({ command: 'quit' });
    const { code, signal } = await this.program.exited;
    this.look();
    if (code !== 0) this.#finding(`quit ended with ${code ?? signal}`);
    if (this.program.events.at(-1)?.event !== 'bye') this.#finding('quit without bye');
  }

  /** Takes in what the program has told since the last look. */
  look(): void {
    const { events } = this.program;
    while (this.#seen < events.length) {
      const event = events[this.#seen];
      this.#seen += 1;
      if (event) this.#take(event);
    }
  }

  #start(): RunningProgram {
    const program = this.#pair.startPeer(this.name, '--no-port-mapping');
    this.#seen = 0;
    this.#expectsEnd = false;
    void program.exited.then(({ code, signal }) => {
      if (program === this.program && !this.#expectsEnd) {
        this.#finding(`ended by itself with ${code ?? signal}: ${program.stderr}`);
      }
    });
    return program;
  }

  #take(event: ProgramEvent): void {
    switch (event.event) {
      case 'message':
        if (event.from === 'me') this.#confirmed(event);
        else this.#hears(event);
        break;
      case 'delivered':
        this.delivered.add(String(event.id));
        break;
      case 'offered':
        this.#confirmOnce(this.offered, String(event.ref), String(event.transfer));
        break;
      case 'offer':
        this.#answer(String(event.transfer));
        break;
      case 'accepted':
        this.#maybeCallOff(String(event.transfer), 'cancel', 0.06);
        break;
      case 'file':
        this.#checkFile(event);
        break;
      case 'transferred':
        this.transferred.add(String(event.transfer));
        break;
      case 'error':
        this.#judgeError(event);
        break;
    }
    this.onEvent(event);
  }

  #confirmed({ id, ref, text }: ProgramEvent): void {
    this.#confirmOnce(this.confirmed, String(ref), String(id));
    const said = this.said.find((each) => each.ref === ref);
    if (said?.text !== text) this.#finding(`said another text for ${ref}`);
  }

  #confirmOnce(known: Map<string, string>, ref: string, id: string): void {
    const before = known.get(ref);
    if (before !== undefined && before !== id) this.#finding(`${ref} has become two: ${before} and ${id}`);
    known.set(ref, id);
  }

  #hears({ id, text, replayed }: ProgramEvent): void {
    const before = this.heard.get(String(id));
    if (before !== undefined && before !== text) this.#finding(`message ${id} has changed`);
    if (before !== undefined && !replayed) this.#finding(`message ${id} was shown twice as new`);
    if (replayed) this.replays += 1;
    this.heard.set(String(id), String(text));
    if (this.#random.chance(0.1)) this.program.send({ command: 'read', id });
  }

  #answer(transfer: string): void {
    if (this.#maybeCallOff(transfer, 'decline', 0.05)) return;
    this.program.send({ command: 'accept', transfer, into: this.folderOf(transfer) });
  }

  #maybeCallOff(transfer: string, command: 'decline' | 'cancel', share: number): boolean {
    if (!this.#fickle || !this.#random.chance(share)) return false;
    this.#calledOff.add(transfer);
    this.program.send({ command, transfer });
    return true;
  }

  calledOff(transfer: string): boolean {
    return this.#calledOff.has(transfer);
  }

  #checkFile({ path, sha256: told, bytes }: ProgramEvent): void {
    const file = String(path);
    const content = existsSync(file) ? readFileSync(file) : null;
    if (content === null) this.#finding(`told of ${file}, which is not there`);
    else if (content.length !== bytes || sha256(content) !== told) this.#finding(`told wrongly of ${file}`);
  }

  /** A command may come too late, as when the other has cancelled. Nothing else is to go wrong. */
  #judgeError({ code, transfer, message, hint }: ProgramEvent): void {
    const late = code === 2 && transfer !== undefined && String(message).startsWith('there is no transfer');
    if (!late) this.#finding(`error ${code}: ${message} (${hint})`);
  }
}
