import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { type ReceiveOptions, receiveOffers, sendAndWait } from '../../../src/peer/ui/transfer-jobs.js';
import { UserError } from '../../../src/protocol/errors.js';
import { ScriptedConversation } from '../../support/scripted-conversation.js';

const HERE = import.meta.filename;
const FILES = [{ name: 'a.txt', size: 5 }];

let abort = new AbortController();

afterEach(() => {
  abort.abort(new Error('the test is over'));
  abort = new AbortController();
});

describe('sendAndWait', () => {
  test.each([
    [{ event: 'transferred', transfer: 'out-1' }, 'transferred'],
    [{ event: 'declined', transfer: 'out-1' }, 'declined'],
    [{ event: 'cancelled', transfer: 'out-1', by: 'peer' }, 'cancelled'],
  ] as const)('ends with its own transfer: %j', async (event, outcome) => {
    const conversation = new ScriptedConversation();
    const sent = sendAndWait(conversation, [HERE], abort.signal);
    await setImmediate();
    conversation.emit({ event: 'transferred', transfer: 'another' });
    await setImmediate();
    conversation.emit(event);
    expect(await sent).toBe(outcome);
    expect(conversation.listeners).toBe(0);
  });

  test('does not miss an end that comes before the offer is made', async () => {
    const conversation = new ScriptedConversation();
    conversation.subscribe((event) => {
      if (event.event === 'offered') conversation.emit({ event: 'declined', transfer: event.transfer });
    });
    expect(await sendAndWait(conversation, [HERE], abort.signal)).toBe('declined');
  });

  test('fails with what cannot be read', async () => {
    const conversation = new ScriptedConversation();
    await expect(sendAndWait(conversation, ['/missing'], abort.signal)).rejects.toThrow(UserError);
    expect(conversation.listeners).toBe(0);
  });

  test('aborted, it ends with the reason', async () => {
    const conversation = new ScriptedConversation();
    const sent = sendAndWait(conversation, [HERE], abort.signal);
    await setImmediate();
    abort.abort(new Error('enough'));
    await expect(sent).rejects.toThrow('enough');
    expect(conversation.listeners).toBe(0);
  });
});

describe('receiveOffers', () => {
  const ACCEPTED_EARLIER = {
    transfer: 't',
    direction: 'receive',
    state: 'accepted',
    name: 'a',
    files: 1,
    bytes: 0,
    total: 5,
  } as const;

  function receive(conversation: ScriptedConversation, more: Partial<ReceiveOptions> = {}) {
    const problems: UserError[] = [];
    const onProblem = (error: UserError): void => void problems.push(error);
    const options = { into: '/in', decide: async () => true, once: true, onProblem, signal: abort.signal, ...more };
    const outcome = receiveOffers(conversation, options);
    outcome.catch(() => {});
    return { outcome, problems };
  }

  test('takes what is wanted, into the folder given, and ends with it', async () => {
    const conversation = new ScriptedConversation();
    const { outcome } = receive(conversation);
    conversation.emit({ event: 'offer', transfer: 't', files: FILES });
    await setImmediate();
    expect(conversation.calls).toEqual([{ method: 'accept', arguments: ['t', '/in'] }]);
    conversation.emit({ event: 'transferred', transfer: 't' });
    expect(await outcome).toBe('transferred');
    expect(conversation.listeners).toBe(0);
  });

  test('declines what is not wanted, and with once that is the end', async () => {
    const conversation = new ScriptedConversation();
    const { outcome } = receive(conversation, { decide: async () => false });
    conversation.emit({ event: 'offer', transfer: 't', files: FILES });
    expect(await outcome).toBe('declined');
  });

  test('asks about one offer at a time, in the order of their coming', async () => {
    const conversation = new ScriptedConversation();
    const asked: string[] = [];
    receive(conversation, {
      once: false,
      decide: async ({ transfer }) => {
        asked.push(transfer);
        await setImmediate();
        expect(asked.at(-1)).toBe(transfer);
        return true;
      },
    });
    for (const transfer of ['1', '2', '3']) conversation.emit({ event: 'offer', transfer, files: FILES });
    while (conversation.calls.length < 3) await setImmediate();
    expect(conversation.calls.map((call) => call.arguments[0])).toEqual(['1', '2', '3']);
  });

  test('with once it takes the first alone, and leaves what else is offered', async () => {
    const conversation = new ScriptedConversation();
    const { outcome } = receive(conversation);
    for (const transfer of ['1', '2']) conversation.emit({ event: 'offer', transfer, files: FILES });
    await setImmediate();
    conversation.emit({ event: 'transferred', transfer: '1' });
    expect(await outcome).toBe('transferred');
    expect(conversation.calls).toEqual([{ method: 'accept', arguments: ['1', '/in'] }]);
  });

  test('a question about an offer that is withdrawn loses its sense', async () => {
    const conversation = new ScriptedConversation();
    const { outcome } = receive(conversation, {
      decide: (_offer, gone) => new Promise((resolve) => gone.addEventListener('abort', () => resolve(true))),
    });
    conversation.emit({ event: 'offer', transfer: 't', files: FILES });
    await setImmediate();
    conversation.emit({ event: 'cancelled', transfer: 't', by: 'peer' });
    expect(await outcome).toBe('cancelled');
  });

  test('an offer that was withdrawn before its turn is not asked about', async () => {
    const conversation = new ScriptedConversation();
    const asked: string[] = [];
    receive(conversation, { once: false, decide: async ({ transfer }) => asked.push(transfer) > 0 });
    conversation.emit({ event: 'offer', transfer: '1', files: FILES });
    conversation.emit({ event: 'offer', transfer: '2', files: FILES });
    conversation.emit({ event: 'cancelled', transfer: '2', by: 'peer' });
    conversation.emit({ event: 'offer', transfer: '3', files: FILES });
    while (conversation.calls.length < 2) await setImmediate();
    expect(asked).toEqual(['1', '3']);
  });

  test('without room it declines, says why, and waits for the next', async () => {
    const conversation = new ScriptedConversation();
    const { problems } = receive(conversation, { into: '/full', once: false });
    conversation.emit({ event: 'offer', transfer: 't', files: FILES });
    while (conversation.calls.length < 2) await setImmediate();
    expect(conversation.calls.at(-1)).toEqual({ method: 'decline', arguments: ['t'] });
    expect(problems).toMatchObject([{ exitCode: 7 }]);
  });

  test('without room and once, it declines and fails', async () => {
    const conversation = new ScriptedConversation();
    const { outcome } = receive(conversation, { into: '/full' });
    conversation.emit({ event: 'offer', transfer: 't', files: FILES });
    await expect(outcome).rejects.toMatchObject({ exitCode: 7 });
    expect(conversation.calls.at(-1)?.method).toBe('decline');
  });

  test('a transfer that an earlier run accepted counts', async () => {
    const conversation = new ScriptedConversation({ transfers: [ACCEPTED_EARLIER] });
    const { outcome } = receive(conversation);
    conversation.emit({ event: 'transferred', transfer: 't' });
    expect(await outcome).toBe('transferred');
  });

  test('with once, the end of an earlier transfer does not end the one that was taken since', async () => {
    const conversation = new ScriptedConversation({ transfers: [ACCEPTED_EARLIER] });
    const { outcome } = receive(conversation);
    conversation.emit({ event: 'offer', transfer: 'new', files: FILES });
    await setImmediate();
    conversation.emit({
      event: 'cancelled',
      transfer: 't',
      by: 'peer',
      reason: '"a" has changed since it was offered',
    });
    expect(await Promise.race([outcome, setImmediate('goes on')])).toBe('goes on');
    conversation.emit({ event: 'transferred', transfer: 'new' });
    expect(await outcome).toBe('transferred');
  });

  test('a transfer that goes the other way does not', async () => {
    const conversation = new ScriptedConversation();
    const { outcome } = receive(conversation);
    conversation.emit({ event: 'offered', transfer: 'mine', files: FILES });
    conversation.emit({ event: 'transferred', transfer: 'mine' });
    conversation.emit({ event: 'offer', transfer: 't', files: FILES });
    await setImmediate();
    conversation.emit({ event: 'cancelled', transfer: 't', by: 'peer' });
    expect(await outcome).toBe('cancelled');
  });
});
