import { LinkChoice, type LinkEffect } from '../../../src/peer/session/link-choice.js';
import type { Role } from '../../../src/protocol/transcripts.js';

/** A link that may come to be between two peers. */
export interface PlannedLink {
  preference: number;
  usable: boolean;
  generation: number;
  /** Of the processes that made it: 0 at first, one more after each restart. */
  runs: Record<Role, number>;
}

/** What may happen next, in one of the places where something is under way. */
export type Happening =
  /** The second handshake is over for this side. */
  | { what: 'authenticate'; side: Role; link: number }
  /** This side's handshake comes to nothing, since the other end is gone. */
  | { what: 'giveUp'; side: Role; link: number }
  /** The oldest message under way to this side arrives. */
  | { what: 'deliver'; side: Role; link: number }
  /** This side finds out that the link is dead. */
  | { what: 'notice'; side: Role; link: number }
  /** From now on nothing passes any more, and nobody knows it yet. */
  | { what: 'cut'; link: number }
  /** The process is killed: the network says so to the other side. */
  | { what: 'restart'; side: Role };

type Message = { kind: 'activate' | 'activated'; epoch: number } | { kind: 'ping' | 'pong' | 'fin' };

interface End {
  link: number;
  preference: number;
  usable: boolean;
  generation: number;
  runId: string;
}

interface Wire {
  plan: PlannedLink;
  cut: boolean;
  /** One side's next introduction came before its handshake was over. */
  abandoned: boolean;
  /** The client ended it by choice, and kept this one. */
  endedFor: End | null;
  state: Record<Role, 'coming' | 'open' | 'closed'>;
  ends: Record<Role, End>;
  /** Under way to each side. */
  queue: Record<Role, Message[]>;
}

interface Side {
  choice: LinkChoice<End>;
  run: number;
  /** As the session sees it. */
  connected: boolean;
  /** The last that it activated, or used: of each of the client's runs. */
  epochs: Map<number, number>;
}

const OTHER: Record<Role, Role> = { client: 'server', server: 'client' };

/** Two LinkChoices, the links between them with all that is under way, and whatever may happen to them in any order. */
export class TwoChoices {
  readonly wires: Wire[];
  readonly sides: Record<Role, Side> = { client: newSide('client', 0), server: newSide('server', 0) };
  /** Everything that each side saw, in its order: the state of the whole follows from the two. */
  readonly seen: Record<Role, string> = { client: '', server: '' };
  #cuts: number;
  #restarts: Role[];

  /** @param restarts who is restarted, in this order, at any moment */
  constructor(links: readonly PlannedLink[], budget: { cuts: number; restarts: Role[] }) {
    this.#cuts = budget.cuts;
    this.#restarts = [...budget.restarts];
    this.wires = links.map((plan, link) => ({
      plan,
      cut: false,
      abandoned: false,
      endedFor: null,
      state: { client: 'coming', server: 'coming' },
      ends: { client: newEnd(plan, link, 'server'), server: newEnd(plan, link, 'client') },
      queue: { client: [], server: [] },
    }));
  }

  get fingerprint(): string {
    const cut = this.wires.map((wire) => (wire.cut ? 'x' : '-')).join('');
    return `${this.seen.client}|${this.seen.server}|${cut}|${this.#cuts}${this.#restarts.length}`;
  }

  /** What is bound to happen some time. */
  due(): Happening[] {
    return this.wires.flatMap((wire, link) => [
      ...this.#dueAt(wire, link, 'client'),
      ...this.#dueAt(wire, link, 'server'),
    ]);
  }

  /** What may happen or not. */
  mishaps(): Happening[] {
    const [side] = this.#restarts;
    return [
      ...(side ? [{ what: 'restart', side } satisfies Happening] : []),
      ...this.wires.flatMap((wire, link): Happening[] =>
        this.#cuts > 0 && !wire.cut && !this.#isOver(wire) && this.#isBegun(wire) ? [{ what: 'cut', link }] : [],
      ),
    ];
  }

  happen(event: Happening): void {
    switch (event.what) {
      case 'cut':
        this.#cuts -= 1;
        this.#wire(event.link).cut = true;
        break;
      case 'restart':
        this.#restarts.shift();
        this.#restart(event.side);
        break;
      default:
        this.#happenAt(event.side, this.#wire(event.link), event.what);
    }
  }

  /** Wrong in any state at all. */
  fault(): string | null {
    for (const side of ['client', 'server'] as const) {
      const { active } = this.sides[side].choice;
      if (active && this.wires[active.link]?.state[side] !== 'open') return `the ${side} uses a closed link`;
    }
    return null;
  }

  /** Wrong when nothing is due any more. */
  finalFault(): string | null {
    const { client, server } = this.sides;
    const living = this.wires.filter(({ state, cut }) => !cut && state.client === 'open' && state.server === 'open');
    const usable = living.filter(({ plan }) => plan.usable);
    const clients = client.choice.active?.link;
    const servers = server.choice.active?.link;
    if (clients !== servers) return `the client uses ${clients}, the server ${servers}`;
    if (client.connected !== (clients !== undefined)) return 'the client’s session does not know how it stands';
    if (server.connected !== (servers !== undefined)) return 'the server’s session does not know how it stands';
    const active = clients === undefined ? undefined : this.wires[clients];
    if (!active) return usable.length > 0 ? 'a usable link lives, and nobody uses it' : null;
    if (usable.length !== 1) return `${usable.length} usable links live on`;
    const best = Math.min(...this.#couldHaveBeenUsed().map(({ plan }) => plan.preference));
    if (active.plan.preference > best) return `preference ${active.plan.preference} is used where ${best} was there`;
    return null;
  }

  /** Links that ended, if at all, by the peers' own choice, in favour of one that lives. */
  #couldHaveBeenUsed(): Wire[] {
    const { client, server } = this.sides;
    return this.wires.filter(({ plan, cut, abandoned, endedFor }) => {
      const ofTheseRuns = plan.runs.client === client.run && plan.runs.server === server.run;
      return plan.usable && ofTheseRuns && !cut && !abandoned && (!endedFor || this.#cameToGood(endedFor));
    });
  }

  #cameToGood({ link }: End): boolean {
    const { cut, state, endedFor } = this.#wire(link);
    return endedFor ? this.#cameToGood(endedFor) : !cut && state.client === 'open';
  }

  #dueAt(wire: Wire, link: number, side: Role): Happening[] {
    if (!this.#isBegun(wire)) return [];
    const queue = wire.queue[side];
    switch (wire.state[side]) {
      case 'coming': {
        const hopeless = wire.cut || wire.state[OTHER[side]] === 'closed';
        return [
          { what: 'authenticate', side, link },
          ...(hopeless ? [{ what: 'giveUp', side, link } satisfies Happening] : []),
        ];
      }
      case 'open':
        if (wire.cut) return [{ what: 'notice', side, link }];
        return queue.length > 0 ? [{ what: 'deliver', side, link }] : [];
      case 'closed':
        return [];
    }
  }

  /** Its introduction has been made. */
  #isBegun({ plan }: Wire): boolean {
    return plan.runs.client <= this.sides.client.run && plan.runs.server <= this.sides.server.run;
  }

  #isOver({ state }: Wire): boolean {
    return state.client === 'closed' && state.server === 'closed';
  }

  #happenAt(side: Role, wire: Wire, what: 'authenticate' | 'giveUp' | 'deliver' | 'notice'): void {
    const end = wire.ends[side];
    const { choice } = this.sides[side];
    switch (what) {
      case 'authenticate':
        this.seen[side] += `a${end.link} `;
        this.#endRacesBefore(side, wire.plan.generation);
        wire.state[side] = 'open';
        this.#perform(side, choice.added(end));
        break;
      case 'giveUp':
        this.seen[side] += `g${end.link} `;
        this.#close(side, wire);
        break;
      case 'notice':
        this.seen[side] += `n${end.link} `;
        this.#lose(side, wire);
        break;
      case 'deliver': {
        const message = wire.queue[side].shift();
        this.seen[side] += `d${end.link} `;
        if (message) this.#receive(side, wire, message);
        break;
      }
    }
  }

  /** A new introduction ends the handshakes of the one before. */
  #endRacesBefore(side: Role, generation: number): void {
    for (const wire of this.wires) {
      if (wire.plan.generation >= generation || wire.state[side] !== 'coming') continue;
      wire.abandoned = true;
      this.#close(side, wire);
    }
  }

  #receive(side: Role, wire: Wire, message: Message): void {
    const { choice } = this.sides[side];
    const end = wire.ends[side];
    switch (message.kind) {
      case 'activate':
        this.#perform(side, choice.activate(end, message.epoch));
        break;
      case 'activated':
        this.#perform(side, choice.activated(end, message.epoch));
        break;
      case 'ping':
        this.#send(side, wire, { kind: 'pong' });
        break;
      case 'pong':
        this.#perform(side, choice.probed(end));
        break;
      case 'fin':
        this.#lose(side, wire);
        break;
    }
  }

  #perform(side: Role, effects: LinkEffect<End>[]): void {
    for (const effect of effects) {
      if (effect.effect === 'lost') {
        this.sides[side].connected = false;
        continue;
      }
      const wire = this.#wire(effect.link.link);
      switch (effect.effect) {
        case 'activate':
          this.#raiseEpoch(side, wire, effect.epoch);
          this.#send(side, wire, { kind: 'activate', epoch: effect.epoch });
          break;
        case 'use':
          if (side === 'server') {
            this.#raiseEpoch(side, wire, effect.epoch);
            this.#send(side, wire, { kind: 'activated', epoch: effect.epoch });
          }
          this.sides[side].connected = true;
          break;
        case 'probe':
          this.#send(side, wire, { kind: 'ping' });
          break;
        case 'end':
          wire.endedFor = this.sides.client.choice.active;
          this.#close(side, wire);
          // As SessionLinks hears it from the link that it has just ended.
          this.#perform(side, this.sides[side].choice.closed(effect.link));
          break;
      }
    }
  }

  #raiseEpoch(side: Role, wire: Wire, epoch: number): void {
    const { epochs } = this.sides[side];
    const { client } = wire.plan.runs;
    const before = epochs.get(client) ?? 0;
    if (epoch <= before) throw new Error(`epoch ${epoch} after ${before}`);
    epochs.set(client, epoch);
  }

  #send(side: Role, wire: Wire, message: Message): void {
    if (!wire.cut && wire.state[side] === 'open') wire.queue[OTHER[side]].push(message);
  }

  /** This side's choice is told. */
  #lose(side: Role, wire: Wire): void {
    this.#close(side, wire);
    this.#perform(side, this.sides[side].choice.closed(wire.ends[side]));
  }

  #close(side: Role, wire: Wire): void {
    if (wire.state[side] === 'closed') return;
    wire.state[side] = 'closed';
    wire.queue[side] = [];
    if (!wire.cut) wire.queue[OTHER[side]].push({ kind: 'fin' });
  }

  #restart(side: Role): void {
    const run = this.sides[side].run + 1;
    this.seen[side] += 'r ';
    for (const wire of this.wires) if (wire.plan.runs[side] < run) this.#close(side, wire);
    this.sides[side] = newSide(side, run);
  }

  #wire(link: number): Wire {
    const wire = this.wires[link];
    if (!wire) throw new RangeError(`no link ${link}`);
    return wire;
  }
}

function newSide(role: Role, run: number): Side {
  return { choice: new LinkChoice<End>(role), run, connected: false, epochs: new Map() };
}

function newEnd({ preference, usable, generation, runs }: PlannedLink, link: number, peer: Role): End {
  return { link, preference, usable, generation, runId: `${peer} ${runs[peer]}` };
}
