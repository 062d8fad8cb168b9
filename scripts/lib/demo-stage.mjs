import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { JsonProcess } from './json-process.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const programs = { p2p: join(root, 'dist/peer/main.js'), server: join(root, 'dist/server/main.js') };

/**
 * A folder of its own, with the example keys, and a mediator that admits them; all gone after `stop`.
 * @param {string[]} runner a JavaScript file that runs the mediator, and its arguments; if there is none, `node` does
 */
export async function setTheStage(runner = []) {
  const folder = mkdtempSync(join(tmpdir(), 'turbo-beep-demo-'));
  const strike = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', strike);
  const env = { ...process.env, TURBO_BEEP_DEMO: '1' };
  for (const name of ['alice', 'bob', 'mediator']) {
    mkdirSync(join(folder, name), { mode: 0o700 });
  }
  const keys = {};
  for (const name of ['alice', 'bob']) {
    keys[name] = copyPrivately(join(root, 'certs', name, 'mykeypair.pem'), join(folder, name, 'mykeypair.pem'));
  }
  const mediatorKey = copyPrivately(join(root, 'certs/mediator/mediator.pem'), join(folder, 'mediator/mediator.pem'));
  const home = (name) => join(folder, name, 'home');
  const certs = join(root, 'certs/directory');
  const start = (file, ...args) => new JsonProcess(file, args, env);
  const own = ['--certs', certs, '--key', mediatorKey, '--home', home('mediator')];
  const server = start(...runner, programs.server, '--host', '127.0.0.1', '--port', '0', ...own);
  const listening = await server.event(({ event }) => event === 'listening');
  const port = String(listening.port);
  const publicKey = (name) => join(root, 'certs', name, 'public.pem');
  return {
    folder,
    env,
    listening,
    home,
    startPeer: (me, other, { runner = [], options = [] } = {}) =>
      start(...runner, programs.p2p, '127.0.0.1', port, keys[me], publicKey(other), '--home', home(me), ...options),
    saveContact: (me, other) => {
      const where = ['--host', '127.0.0.1', '--port', port, '--keys', keys[me], '--peer', publicKey(other)];
      execFileSync(process.execPath, [programs.p2p, 'contact', 'add', other, ...where, '--home', home(me)], { env });
    },
    stop: async () => {
      await server.stop();
      strike();
    },
  };
}

/** A checkout's files may be readable by all, which a private key must not be. */
function copyPrivately(from, to) {
  copyFileSync(from, to);
  chmodSync(to, 0o600);
  return to;
}
