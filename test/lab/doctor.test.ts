import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { hasMiniupnpd, MappingGateway } from './mapping-gateway.js';
import { type GatewaySpec, Lab, MEDIATOR_ADDRESS, whyNoLab } from './net.js';

const DIST = resolve(process.env.TURBO_BEEP_DIST ?? 'dist');
const why = whyNoLab();

interface Check {
  status: string;
  message: string;
  hint: string;
  facts: Record<string, unknown>;
}
type Diagnosis = Record<string, Check> & { code: number | null };

/** The real programs: a mediator, and the doctor at one end or both. */
class Practice {
  readonly lab: Lab;
  readonly #folder = mkdtempSync(join(tmpdir(), 'turbo-beep-doctor-'));
  readonly #children: ChildProcess[] = [];

  constructor(a: readonly GatewaySpec[], b: readonly GatewaySpec[]) {
    this.lab = new Lab({ a, b });
    mkdirSync(join(this.#folder, 'certs'));
    for (const side of ['a', 'b']) {
      const keygen = ['keygen', join(this.#folder, side), '--bits', '2048'];
      execFileSync(process.execPath, [join(DIST, 'peer/main.js'), ...keygen], { stdio: 'ignore' });
      copyFileSync(join(this.#folder, side, 'public.pem'), join(this.#folder, 'certs', `${side}.pem`));
    }
  }

  async startMediator(...options: string[]): Promise<void> {
    const places = ['--certs', join(this.#folder, 'certs'), '--home', join(this.#folder, 'm'), '--host', '0.0.0.0'];
    const mediator = this.#spawn('m', 'server/main.js', [...places, '--json', ...options]);
    await once(createInterface({ input: mediator.stdout as NodeJS.ReadableStream }), 'line');
  }

  /** Both at the same time. */
  both(): Promise<[Diagnosis, Diagnosis]> {
    return Promise.all([this.#examine('a', 'b'), this.#examine('b', 'a')]);
  }

  stop(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    this.lab.demolish();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #examine(side: string, other: string): Promise<Diagnosis> {
    const keys = [join(this.#folder, side, 'mykeypair.pem'), join(this.#folder, 'certs', `${other}.pem`)];
    const options = ['--json', '--timeout', '20', '--home', join(this.#folder, `home-${side}`)];
    const doctor = this.#spawn(side, 'peer/main.js', ['doctor', MEDIATOR_ADDRESS, '54700', ...keys, ...options]);
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

describe.skipIf(why !== null)(`the doctor behind gateways${why ? ` (skipped: ${why})` : ''}`, () => {
  let practice: Practice;
  afterEach(() => practice.stop());

  const cases: [GatewaySpec, GatewaySpec, string, object, object][] = [
    ['port-restricted', 'port-restricted', 'tcp-punch', { mapping: 'fixed' }, { mapping: 'fixed' }],
    ['random', 'port-restricted', 'udp-punch', { mapping: 'random' }, { mapping: 'fixed' }],
    ['random', 'random', 'relay', { mapping: 'random' }, { mapping: 'random' }],
  ];

  it.each(cases)('%s and %s: it foresees %s, and sees it', async (a, b, path, mappingA, mappingB) => {
    practice = new Practice([a], [b]);
    await practice.startMediator();
    const [atA, atB] = await practice.both();
    expect(atA.mapping?.facts).toMatchObject(mappingA);
    expect(atB.mapping?.facts).toMatchObject(mappingB);
    for (const diagnosis of [atA, atB]) {
      expect(diagnosis.code).toBe(0);
      expect(diagnosis.peer?.facts).toMatchObject({ predicted: path, path });
      expect(diagnosis.address?.facts).toMatchObject({ behindGateway: true });
      expect(diagnosis['port-mapping']).toMatchObject({ status: 'failed', hint: expect.stringContaining('UPnP') });
    }
    expect(atA.address?.message).toContain('198.51.100.2');
  });

  it('says that UDP does not come through, and that other paths will do', async () => {
    practice = new Practice(['udp-blocked'], ['port-restricted']);
    await practice.startMediator();
    const [atA, atB] = await practice.both();
    expect(atA.udp).toMatchObject({ status: 'failed', hint: expect.stringContaining('54700 and 54701') });
    expect(atA.mapping?.status).toBe('skipped');
    expect(atA.peer?.facts).toMatchObject({ predicted: 'tcp-punch', path: 'tcp-punch' });
    expect(atB.udp?.status).toBe('ok');
    expect([atA.code, atB.code]).toEqual([0, 0]);
  });

  it.skipIf(!hasMiniupnpd())('sees that a router that maps ports opens the way, and gives the port back', async () => {
    practice = new Practice(['random'], ['random']);
    const gateway = new MappingGateway(practice.lab);
    try {
      await gateway.start('PCP');
      await practice.startMediator();
      const [atA, atB] = await practice.both();
      expect(atA['port-mapping']?.facts).toMatchObject({ by: 'PCP', external: expect.stringMatching(/^20\.0\.1\.2:/) });
      expect(atB.peer?.facts).toMatchObject({ path: 'tcp-direct', remote: expect.stringMatching(/^20\.0\.1\.2:/) });
      expect(gateway.leases()).toEqual([]);
    } finally {
      gateway.stop();
    }
  });
});
