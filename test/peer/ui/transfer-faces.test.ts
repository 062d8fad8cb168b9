import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { SessionEvent } from '../../../src/peer/session/events.js';
import { openReceiveFace, openSendFace, type TransferFace } from '../../../src/peer/ui/transfer-faces.js';
import { ScriptedConversation } from '../../support/scripted-conversation.js';
import { faceStreams } from '../../support/streams-of-face.js';

const HERE = import.meta.filename;
const OFFER: SessionEvent = {
  event: 'offer',
  transfer: 't',
  files: [
    { name: 'holiday/a.jpg', size: 1000 },
    { name: 'holiday/b\x1b[2J.jpg', size: 3000 },
  ],
};

let face: TransferFace | undefined;

afterEach(() => face?.stop());

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await setImmediate();
}

function openReceive({ terminal = false, yes = false, once = true } = {}) {
  const conversation = new ScriptedConversation();
  const { input, output, written } = faceStreams({ terminal });
  face = openReceiveFace({
    conversation,
    into: '/in',
    yes,
    once,
    input: terminal ? input : undefined,
    output,
    colour: false,
  });
  return { conversation, input, written, done: face.done };
}

function progress(name: string, bytes: number): SessionEvent {
  return { event: 'progress', transfer: 't', name, bytes, total: 4000, bytesPerSecond: 1000, etaSeconds: 1 };
}

describe('send', () => {
  test('tells how it goes and how it ended', async () => {
    const conversation = new ScriptedConversation();
    const { output, written } = faceStreams();
    face = openSendFace({ conversation, paths: [HERE], output, colour: false });
    conversation.emit({ event: 'waiting' });
    await settle();
    conversation.emit({ event: 'accepted', transfer: 'out-1', into: null });
    conversation.emit({ event: 'transferred', transfer: 'out-1' });
    expect(await face.done).toBe('transferred');
    expect(written()).toMatch(
      /^Offered to bob: transfer-faces.test.ts, .*\nWaiting for bob.*\nbob takes .*\nbob has .*\n$/,
    );
  });

  test('of what cannot be read fails', async () => {
    const { output } = faceStreams();
    face = openSendFace({ conversation: new ScriptedConversation(), paths: ['/missing'], output, colour: false });
    await expect(face.done).rejects.toMatchObject({ exitCode: 2 });
  });
});

describe('receive', () => {
  test('shows the offer in full and takes it with yes', async () => {
    const { conversation, written, done } = openReceive({ yes: true });
    conversation.emit(OFFER);
    await settle();
    conversation.emit({ event: 'transferred', transfer: 't' });
    expect(await done).toBe('transferred');
    expect(written()).toBe(
      [
        'bob offers 2 files, 4.0 kB:',
        '    1.0 kB  holiday/a.jpg',
        '    3.0 kB  holiday/b\ufffd[2J.jpg',
        'Receiving holiday/ (2 files) into /in.',
        'Received holiday/ (2 files) into /in.',
        '',
      ].join('\n'),
    );
  });

  test('declines elsewhere than on a terminal without yes', async () => {
    const { conversation, written, done } = openReceive();
    conversation.emit(OFFER);
    expect(await done).toBe('declined');
    expect(written()).toContain('You declined holiday/ (2 files).');
  });

  test.each([
    ['y\n', 'accept'],
    ['Yes\n', 'accept'],
    ['n\n', 'decline'],
    ['\n', 'decline'],
    ['yellow\n', 'decline'],
  ])('asks on a terminal: %j', async (answer, method) => {
    const { conversation, input, written } = openReceive({ terminal: true });
    conversation.emit(OFFER);
    await settle();
    expect(written()).toMatch(/Take holiday\/ \(2 files\) into \/in\? \[y\/N\] $/);
    input.write(answer);
    await settle();
    expect(conversation.calls.at(-1)?.method).toBe(method);
  });

  test('the end of the terminal’s input is no yes', async () => {
    const { conversation, input, done } = openReceive({ terminal: true });
    conversation.emit(OFFER);
    await settle();
    input.end();
    expect(await done).toBe('declined');
  });

  test('asks again for the next offer', async () => {
    const { conversation, input } = openReceive({ terminal: true, once: false });
    for (const transfer of ['1', '2']) conversation.emit({ ...OFFER, transfer } as SessionEvent);
    await settle();
    input.write('n\n');
    await settle();
    input.write('y\n');
    await settle();
    expect(conversation.calls.map(({ method }) => method)).toEqual(['decline', 'accept']);
  });

  test('has a progress line for each file, redrawn in place on a terminal', async () => {
    const { conversation, input, written } = openReceive({ terminal: true });
    conversation.emit(OFFER);
    await settle();
    input.write('y\n');
    await settle();
    conversation.emit(progress('holiday/a.jpg', 500));
    conversation.emit(progress('holiday/a.jpg', 900));
    conversation.emit(progress('holiday/b\x1b[2J.jpg', 2500));
    conversation.emit({ event: 'transferred', transfer: 't' });
    await settle();
    const [, drawn = ''] = written().split('Receiving holiday/ (2 files) into /in.\n');
    const lines = drawn.split('\n').map((line) => line.split('\r\x1b[K').at(-1));
    expect(lines[0]).toMatch(/^holiday\/a.jpg .*100% {2}1.0 of 1.0 kB/);
    expect(lines[1]).toMatch(/^holiday\/b\ufffd\[2J.jpg .*100% {2}3.0 of 3.0 kB/);
    expect(lines[2]).toBe('Received holiday/ (2 files) into /in.');
    expect(drawn.split('\r\x1b[K').length).toBeGreaterThan(3);
  });

  test('stopped while it asks, it leaves the input and the session alone', async () => {
    const { conversation, input } = openReceive({ terminal: true });
    conversation.emit(OFFER);
    await settle();
    face?.stop();
    face?.stop();
    await settle();
    expect(conversation.calls).toEqual([]);
    expect(conversation.listeners).toBe(0);
    expect(input.listenerCount('data')).toBe(0);
  });
});
