import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Lab, MEDIATOR_ADDRESS, type Wiring } from './net.js';

const DIST = resolve(process.env.TURBO_BEEP_DIST ?? 'dist');

export interface Check {
  status: string;
  message: string;
  hint: string;
  facts: Record<string, unknown>;
}
export type Diagnosis = Record<string, Check> & { code: number | null };

/** The real programs: a mediator, and the doctor at one end or both. */
export class Practice {
  readonly lab: Lab;
  readonly #folder = mkdtempSync(join(tmpdir(), 'turbo-beep-doctor-'));
  readonly #children: ChildProcess[] = [];

  constructor(wiring: Wiring) {
    this.lab = new Lab(wiring);
    mkdirSync(join(this.#folder, 'certs'));
    for (const side of ['a', 'b']) {
      const keygen = ['keygen', join(this.#folder, side), '--bits', '2048'];
      execFileSync(process.execPath, [join(DIST, 'peer/main.js'), ...keygen], { stdio: 'ignore' });
      copyFileSync(join(this.#folder, side, 'public.pem'), join(this.#folder, 'certs', `${side}.pem`));
    }
  }

  async startMediator(host = '0.0.0.0', ...options: string[]): Promise<void> {
    const places = ['--certs', join(this.#folder, 'certs'), '--home', join(this.#folder, 'm'), '--host', host];
    const mediator = this.#spawn('m', 'server/main.js', [...places, '--json', ...options]);
    await once(createInterface({ input: mediator.stdout as NodeJS.ReadableStream }), 'line');
  }

  /** Both at the same time. @param mediator its address */
  both(mediator = MEDIATOR_ADDRESS): Promise<[Diagnosis, Diagnosis]> {
    return Promise.all([this.#examine('a', 'b', mediator), this.#examine('b', 'a', mediator)]);
  }

  stop(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    this.lab.demolish();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #examine(side: string, other: string, mediator: string): Promise<Diagnosis> {
    const keys = [join(this.#folder, side, 'mykeypair.pem'), join(this.#folder, 'certs', `${other}.pem`)];
    const options = ['--json', '--timeout', '20', '--home', join(this.#folder, `home-${side}`)];
    const doctor = this.#spawn(side, 'peer/main.js', ['doctor', mediator, '54700', ...keys, ...options]);
    const checks: Record<string, unknown> = {};
    createInterface({ input: doctor.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const { event, step, ...rest } = JSON.parse(line);
      if (event === 'check') checks[step] = rest;
    });
    const [code] = await once(doctor, 'close');
    return { ...checks, code } as Diagnosis;
  }

  #spawn(where: string, program: string, args: string[]): ChildProcess {
    const child = this.lab.spawn(where, process.execPath, [join(DIST, program), ...args]);
    this.#children.push(child);
    return child;
  }
}
