import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { House } from '../house.js';
import { type Started, startHelper } from '../process.js';
import { makeCertificate } from '../references/certificate.js';
import type { Report } from '../report.js';
import type { Effort, Row } from '../row.js';

/** What the mediator allows one key, with room for the pairs that meet. */
const PEERS_PER_KEY = 200;
/** For what the handshakes left to be collected. */
const REST_MS = 3_000;

/** A mediator with many idle, authenticated peers, against a node:tls server with as many idle connections. */
export const mediator: Row = {
  name: 'mediator',
  async measure({ quick }: Effort): Promise<Report> {
    const count = quick ? 1_000 : 10_000;
    const house = new House();
    const keys = Array.from({ length: Math.max(4, count / PEERS_PER_KEY) }, (_, index) => makeKey(house, index));
    await house.open();
    try {
      const bare = await measureBare(count);
      const ours = await measureCrowd(house.mediator, ['peers', String(house.port), String(count), ...keys]);
      const [, times = ''] = await ours.crowd.says(/introductions (.*)/);
      await ours.crowd.stop('SIGKILL');
      return {
        row: this.name,
        lines: [
          {
            what: `mediator: memory of one of ${count} idle peers`,
            unit: { name: 'KiB', better: 'less' },
            ours: [ours.kibEach],
            reference: { name: 'idle node:tls', samples: [bare.kibEach] },
            goals: [{ of: 'ratio', atMost: 1.5 }],
          },
          {
            what: 'mediator: introduction, with all of them there',
            unit: { name: 'ms', better: 'less' },
            ours: times.split(' ').map(Number),
            reference: null,
            goals: [{ of: 'ours', atMost: 5 }],
          },
          {
            what: 'mediator: peers admitted',
            unit: { name: '/s', better: 'more' },
            ours: [ours.perSecond],
            reference: { name: 'node:tls handshakes, RSA-3072', samples: [bare.perSecond] },
            goals: [],
          },
        ],
        missing: [],
      };
    } finally {
      await house.close();
    }
  },
};

function makeKey(house: House, index: number): string {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(house.path('certs', `crowd-${index}.pem`), publicKey.export({ type: 'spki', format: 'pem' }));
  const file = house.path(`crowd-${index}.pem`);
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return file;
}

async function measureBare(count: number) {
  const { key, cert } = makeCertificate();
  const server = startHelper('references/idle-tls.js', [key, cert]);
  const [, port = ''] = await server.says(/port (\d+)/);
  const bare = await measureCrowd(server, ['bare', port, String(count)]);
  await Promise.all([bare.crowd.stop('SIGKILL'), server.stop()]);
  return bare;
}

async function measureCrowd(server: Started, job: string[]) {
  const before = server.memoryMiB();
  const crowd = startHelper('crowd.js', job);
  const [, perSecond] = await crowd.says(/gathered (\S+) a second/);
  await sleep(REST_MS);
  const kibEach = ((server.memoryMiB() - before) * 1024) / Number(job[2]);
  return { crowd, perSecond: Number(perSecond), kibEach };
}
