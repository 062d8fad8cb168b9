import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { selfSignedCertificate } from '../../src/protocol/forge.js';
import type { Identity } from '../../src/protocol/identity.js';
import { Mediator, type MediatorOptions } from '../../src/server/mediator.js';
import { newIdentity, publicPem } from '../support/keys.js';
import { UNLIMITED_RELAY } from '../support/relay.js';

/** A folder that is gone after the test. */
export async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(os.tmpdir(), 'turbo-beep-server-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const identities: Identity[] = [];

/** The same keys for all tests of a file, since making them takes time. */
export function identity(index: number): Identity {
  for (let at = identities.length; at <= index; at++) identities.push(newIdentity());
  return identities[index] ?? newIdentity();
}

export function putKey(folder: string, name: string, { privateKey }: Identity): Promise<void> {
  return writeFile(join(folder, `${name}.pem`), publicPem(privateKey));
}

export interface RunningMediator {
  mediator: Mediator;
  port: number;
  certs: string;
  id: string;
  warnings: string[];
}

/** A mediator on a loopback port that admits these keys; stopped after the test. */
export async function startMediator(
  admitted: Identity[],
  options: Partial<MediatorOptions> = {},
): Promise<RunningMediator> {
  const certs = await scratchFolder();
  for (const each of admitted) await putKey(certs, each.id, each);
  const own = identity(9);
  const warnings: string[] = [];
  const mediator = new Mediator({
    where: { address: '127.0.0.1', port: 0 },
    certs,
    home: await scratchFolder(),
    credentials: { identity: own, certificate: selfSignedCertificate(own) },
    relay: UNLIMITED_RELAY,
    warn: (text) => warnings.push(text),
    onKeys: () => {},
    ...options,
  });
  const { port } = await mediator.start();
  onTestFinished(() => mediator.stop('the test is over'));
  return { mediator, port, certs, id: own.id, warnings };
}
