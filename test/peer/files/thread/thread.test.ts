import { execFile } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { DigestMismatchError, SourceChangedError } from '../../../../src/peer/files/file-errors.js';
import { Thread } from '../../../../src/peer/files/thread/thread.js';
import { ProtocolError, UserError } from '../../../../src/protocol/errors.js';
import { type Compiled, compileForNode } from '../../../support/compile.js';
import type { MainAnswers, TryingCalls } from './trying-worker.js';

let program: Compiled;
beforeAll(async () => {
  program = await compileForNode('test/peer/files/thread/process-with-thread.ts');
});
afterAll(() => program.remove());

const answers: MainAnswers = {
  double: (value) => 2 * value,
  refuse: () => {
    throw new UserError(7, 'the disk is full', 'free some space');
  },
};

function startThread(): Thread<TryingCalls> {
  const thread = new Thread<TryingCalls>(new URL('trying-worker.js', pathToFileURL(program.file)), answers);
  onTestFinished(() => thread.stop());
  return thread;
}

const lost = { name: 'UserError', exitCode: 7, message: expect.stringContaining('works on files') };

describe('a thread', () => {
  it('answers each call with its own result, in whatever order they end', async () => {
    const thread = startThread();
    const calls = [
      thread.call('later', 50),
      thread.call('add', 1, 2),
      thread.call('later', 1),
      thread.call('add', 3, 4),
    ];
    expect(await Promise.all(calls)).toEqual([50, 3, 1, 7]);
  });

  it('throws errors of their own kinds, with all that they carry', async () => {
    const thread = startThread();
    const failure = (how: string): Promise<UserError & { entry?: string }> =>
      thread.call('fail', how).then(
        () => expect.unreachable(),
        (error) => error,
      );
    const user = await failure('user');
    expect(user).toBeInstanceOf(UserError);
    expect(user).toMatchObject({ name: 'UserError', exitCode: 7, message: 'wrong', hint: 'do this' });
    expect(user.cause).toMatchObject({ message: 'why' });
    expect(await failure('protocol')).toBeInstanceOf(ProtocolError);
    const digest = await failure('digest');
    expect(digest).toBeInstanceOf(DigestMismatchError);
    expect(digest.entry).toBe('d/a');
    const changed = await failure('changed');
    expect(changed).toBeInstanceOf(SourceChangedError);
    expect(changed.entry).toBe('d/b');
    const system = await failure('system');
    expect(system).toBeInstanceOf(Error);
    expect(system).toMatchObject({ code: 'ENOENT', syscall: 'open', path: '/nowhere' });
    expect(system.stack).toContain('trying-worker');
  });

  it('shares memory', async () => {
    const thread = startThread();
    const memory = new Int32Array(new SharedArrayBuffer(8));
    await thread.call('share', memory);
    await thread.call('fill', 5);
    expect([...memory]).toEqual([5, 5]);
  });

  it('is given memory, and gives it back', async () => {
    const thread = startThread();
    const memory = new Uint8Array([1, 2, 3]).buffer;
    const back = await thread.call('doubleIn', memory);
    expect(memory.byteLength).toBe(0);
    expect([...new Uint8Array(back.memory)]).toEqual([2, 4, 6]);
  });

  it('asks the main thread and has the answer, or the error, when the call returns', async () => {
    const thread = startThread();
    expect(await thread.call('askDoubles', 200)).toEqual(Array.from({ length: 200 }, (_, n) => 2 * n));
    await expect(thread.call('askRefused')).rejects.toMatchObject({ exitCode: 7, hint: 'free some space' });
    expect(await thread.call('askDoubles', 2)).toEqual([0, 2]);
  });

  it('that crashes fails what waits and all that follows', async () => {
    const thread = startThread();
    const waiting = [thread.call('later', 60_000), thread.call('crash')];
    for (const call of waiting) await expect(call).rejects.toMatchObject(lost);
    expect(thread.ended).toBe(true);
    await expect(thread.call('add', 1, 2)).rejects.toMatchObject(lost);
  });

  it('can be stopped whatever it does', async () => {
    const thread = startThread();
    const call = expect(thread.call('hang')).rejects.toMatchObject(lost);
    await thread.stop();
    await call;
  });
});

describe('a process with a thread', () => {
  /** What such a process prints until it ends by itself. */
  async function run(what: string): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, [program.file, what]);
    return stdout;
  }

  it('waits for what it has asked for, and ends when it has nothing else to do', async () => {
    expect(await run('use')).toBe('100 [ 0, 2 ]\n');
  });

  it('waits for the end of a thread that it stops, whatever is answered meanwhile', async () => {
    expect(await run('stop')).toBe('7\nstopped\n');
  });

  it('ends though the thread was never asked anything', async () => {
    expect(await run('leave')).toBe('');
  });
});
