import { createHmac } from 'node:crypto';
import { EventEmitter } from 'node:events';
import net from 'node:net';
import { decodeMapResponse, encodeMapRequest } from '../../../src/peer/paths/port-mapping/pcp.js';
import { SendBudget } from '../../../src/peer/paths/send-budget.js';
import { Checks, type PacketSocket } from '../../../src/peer/paths/udp/checks.js';
import { UdxDuplex, WINDOW_BYTES } from '../../../src/peer/paths/udp/udx-duplex.js';
import { LinkClosedError, ProtocolError } from '../../../src/protocol/errors.js';
import type { Endpoint } from '../../../src/protocol/messages.js';
import {
  decodeProbe,
  decodeProbeReply,
  encodeProbe,
  encodeProbeReply,
  keyIdOfProbe,
} from '../../../src/protocol/probe.js';
import { decodePunch, encodePunch, PUNCH_KINDS, punchKey } from '../../../src/protocol/punch.js';
import { ProbeDesk } from '../../../src/server/reflexive/probe-desk.js';
import { ensure, Reader, type Target } from '../target.js';

/** Packets from anywhere: whoever can guess a port can send them. */

const KEY = Buffer.alloc(32, 0x99);
const TOKEN = Buffer.alloc(32, 0x66);
const NONCE = Buffer.alloc(8, 0xaa);
const COOKIE = Buffer.alloc(8, 0xbb);
const SOURCE: Endpoint = { address: '192.0.2.1', port: 4660 };

const probe = encodeProbe(KEY, { nonce: NONCE, cookie: COOKIE });
const probeReply = encodeProbeReply(KEY, { nonce: NONCE, cookie: COOKIE, seen: SOURCE, confirmed: true });
const punches = PUNCH_KINDS.map((kind) => encodePunch(punchKey(TOKEN, 'client'), { kind, nonce: NONCE }));

/** To the mediator's UDP port, and back. */
function probes(): Target {
  let desk = newDesk();
  let answered = 0;
  return {
    name: 'probes',
    seeds: () => [probe, probeReply, encodeProbe(KEY, { nonce: NONCE, cookie: null })],
    maxBytes: 256,
    maxMs: 250,
    run: (input) => {
      for (const packet of [input, sealed(KEY, input)]) {
        const keyId = keyIdOfProbe(packet);
        ensure(keyId === null || /^[0-9a-f]{16}$/.test(keyId), 'a key id is one');
        const asked = decodeProbe(KEY, packet);
        const reply = decodeProbeReply(KEY, packet);
        if (reply)
          ensure(net.isIP(reply.seen.address) !== 0 && reply.seen.port < 65_536, 'what was seen is an address');
        const answer = desk.answer(packet, SOURCE, answered);
        if (!answer) continue;
        ensure(
          answer.length === packet.length && asked !== null,
          'nobody gets more than they sent, nor without the key',
        );
        // A key has only so many answers.
        if (++answered % 16 === 0) desk = newDesk();
      }
    },
  };
}

/** With the tag that its sender would give it who has the key, in the last 16 bytes. */
function sealed(key: Buffer, packet: Buffer): Buffer {
  if (packet.length < 16) return packet;
  const body = packet.subarray(0, packet.length - 16);
  return Buffer.concat([body, createHmac('sha256', key).update(body).digest().subarray(0, 16)]);
}

function newDesk(): ProbeDesk {
  const desk = new ProbeDesk(0);
  desk.expect(KEY, 0);
  return desk;
}

/** To the ports of a peer that looks for a path. */
function punch(): Target {
  let sent = 0;
  const socket: PacketSocket = {
    onPacket: null,
    send: () => {
      sent += 1;
    },
  };
  let checks: Checks<PacketSocket> | null = null;
  const begin = () => {
    checks?.stop();
    sent = 0;
    const options = { token: TOKEN, role: 'server', budget: new SendBudget(5_000, 8_000), isBest: () => true } as const;
    checks = new Checks({ ...options, onSelected: () => {} });
    checks.add(socket);
  };
  return {
    name: 'punch',
    seeds: () => punches,
    maxBytes: 128,
    maxMs: 250,
    run: (input) => {
      if (!checks || sent > 1_000) begin();
      const key = punchKey(TOKEN, 'client');
      for (const bytes of [input, sealed(key, input)]) {
        const packet = decodePunch(key, bytes);
        if (packet) ensure(packet.nonce.length === 8 && PUNCH_KINDS.includes(packet.kind), 'a packet is whole');
        const before = sent;
        socket.onPacket?.(bytes, SOURCE);
        ensure(packet !== null || sent === before, 'who lacks the token hears nothing');
        ensure(sent - before <= 2, 'a packet brings two at most');
      }
    },
    close: () => checks?.stop(),
  };
}

/** From whoever is, or plays, the gateway. */
const pcp: Target = {
  name: 'pcp',
  seeds: () => [pcpAnswer(0), pcpAnswer(2), Buffer.from([0, 0x80, 0, 1, 0, 0, 0, 0])],
  maxBytes: 1100,
  maxMs: 250,
  run: (input) => {
    const response = decodeMapResponse(input, MAP_REQUEST);
    if (response?.kind !== 'granted') return;
    const { external, lifetimeSeconds } = response;
    ensure(net.isIP(external.address) !== 0 && external.port < 65_536, 'what is granted is an address and a port');
    ensure(Number.isSafeInteger(lifetimeSeconds), 'for a time');
  },
};

const MAP_REQUEST = {
  transport: 'udp',
  internalPort: 5_000,
  nonce: Buffer.alloc(12, 0xcc),
  client: '192.0.2.7',
  lifetimeSeconds: 3_600,
  suggested: null,
  signal: new AbortController().signal,
} as const;

function pcpAnswer(result: number): Buffer {
  const answer = encodeMapRequest(MAP_REQUEST);
  answer[1] = 0x81;
  answer[3] = result;
  answer[42] = 0x12;
  answer.set(Buffer.from('00000000000000000000ffffcb007105', 'hex'), 44);
  return answer;
}

/** What a punched stream carries before any TLS: anyone who can guess its numbers may send it. */
const udxRuns: Target = {
  name: 'udx-runs',
  seeds: () => [
    Buffer.from('\0\0\0\x05hello\0\0\0\0', 'latin1'),
    Buffer.from([0x80, 0, 0, 9, 0, 0, 0, 1, 7]),
    Buffer.from([0x7f, 0xff, 0xff, 0xff]),
  ],
  maxBytes: 4096,
  maxMs: 1_000,
  run: async (input) => {
    const inner = new FakeUdx();
    const duplex = new UdxDuplex(inner);
    let read = 0;
    let failure: Error | null = null;
    duplex.on('data', (bytes: Buffer) => {
      read += bytes.length;
    });
    duplex.on('error', (error) => {
      failure = error;
    });
    const reader = new Reader(input);
    while (!reader.done) inner.emit('data', reader.take(1 + (reader.byte() % 64)));
    await new Promise((resolve) => setImmediate(resolve));
    inner.emit('close');
    ensure(read <= input.length && duplex.readableLength <= WINDOW_BYTES, 'no more is held than came');
    const kinds = [ProtocolError, LinkClosedError];
    ensure(
      failure === null || kinds.some((kind) => (failure as unknown) instanceof kind),
      `it ends as it may: ${failure}`,
    );
    duplex.destroy();
  },
};

class FakeUdx extends EventEmitter {
  write(): boolean {
    return true;
  }

  async flush(): Promise<boolean> {
    return true;
  }

  destroy(): void {}
}

export const UDP_TARGETS: Target[] = [probes(), punch(), pcp, udxRuns];
