import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { beginTransfer, throttle } from './freight.js';
import { directPath } from './gate.js';
import { LabMeeting } from './meeting.js';
import { Lab, whyNoLab } from './net.js';

/** What happens to a running session when the network under it changes. Both sides are behind port-restricted gateways. */
const why = whyNoLab();
describe.skipIf(why !== null)(`moving in the lab${why ? ` (skipped: ${why})` : ''}`, () => {
  let lab: Lab;
  let meeting: LabMeeting;
  let folder: string;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'turbo-beep-moves-'));
    lab = new Lab({ a: ['port-restricted'], b: ['port-restricted'] });
    meeting = new LabMeeting(lab);
    await meeting.start();
    expect(await meeting.reaches('tcp-punch')).not.toBeNull();
  });

  afterEach(async () => {
    await meeting.stop();
    lab.demolish();
    rmSync(folder, { recursive: true, force: true });
  });

  it('a transfer whose direct path a firewall cuts goes on over the relay, and messages with it', async () => {
    const sha256 = await startTransfer(120);
    await progressOf(10_000_000);
    directPath(lab).cut();
    const cutAt = meeting.elapsedMs;
    expect(await meeting.isOn(/relay/, 30_000), meeting.account()).toBe(true);
    expect(meeting.elapsedMs - cutAt).toBeLessThan(10_000);
    meeting.command('a', { command: 'message', text: 'still here' });
    expect(await meeting.event('b', ({ text }) => text === 'still here')).not.toBeNull();
    expect((await meeting.event('b', ({ event }) => event === 'file', 60_000))?.sha256).toBe(sha256);
  });

  it('an idle session whose path is cut notices within 15 s', async () => {
    directPath(lab).cut();
    const cutAt = meeting.elapsedMs;
    expect(await meeting.isOn(/relay/, 30_000), meeting.account()).toBe(true);
    expect(meeting.elapsedMs - cutAt).toBeLessThan(15_000);
  });

  it('an address that changes in mid-transfer costs seconds, and no byte', async () => {
    const sha256 = await startTransfer(120);
    await progressOf(10_000_000);
    const changedAt = meeting.elapsedMs;
    lab.run('a', 'ip', ['addr', 'del', '192.168.1.2/24', 'dev', 'eth0']);
    lab.run('a', 'ip', ['addr', 'add', '192.168.1.77/24', 'dev', 'eth0']);
    lab.run('a', 'ip', ['route', 'add', 'default', 'via', '192.168.1.1']);
    meeting.command('b', { command: 'message', text: 'where are you?' });
    const heard = await meeting.event('a', ({ text, from }) => text === 'where are you?' && from === 'peer', 30_000);
    expect((heard?.atMs ?? Number.POSITIVE_INFINITY) - changedAt).toBeLessThan(10_000);
    expect((await meeting.event('b', ({ event }) => event === 'file', 60_000))?.sha256).toBe(sha256);
  });

  it('the mediator’s death disturbs no session that has its own path', async () => {
    meeting.children.m?.kill('SIGKILL');
    expect(await meeting.event('a', ({ event }) => event === 'offline')).not.toBeNull();
    meeting.command('a', { command: 'message', text: 'nobody needs you' });
    expect(await meeting.event('b', ({ text }) => text === 'nobody needs you')).not.toBeNull();
    expect(meeting.events.a.some(({ event }) => event === 'disconnected')).toBe(false);
  });

  /** A file of a's, on a line slow enough that something can happen to it on the way. Resolves to its digest. */
  function startTransfer(mebibytes: number): Promise<string> {
    throttle(lab, 'a', 'eth0', '200mbit');
    return beginTransfer(meeting, folder, mebibytes);
  }

  async function progressOf(bytes: number): Promise<void> {
    const far = (event: { event: string; bytes?: unknown }) =>
      event.event === 'progress' && Number(event.bytes) > bytes;
    expect(await meeting.event('b', far)).not.toBeNull();
  }
});
