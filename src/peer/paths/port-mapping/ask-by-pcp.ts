import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { type AskForLease, LEASE_SECONDS, type PortRequest } from './lease.js';
import { decodeMapResponse, encodeMapRequest, type MapRequest, type MapResponse, PCP_NONCE_BYTES } from './pcp.js';

/** PCP servers listen here (RFC 6887, section 19). */
const PORT = 5351;
/** When the request is sent again, if no answer has come. On a LAN an answer takes a few milliseconds. */
const RESEND_AT_MS = [100, 250, 600, 1_200, 2_500];

/** By the Port Control Protocol. Rejects with what the gateway said, or the signal's reason. */
export const askByPcp: AskForLease = async (request, gateway, signal) => {
  if (gateway === null) throw new Error('the gateway is not known');
  const nonce = randomBytes(PCP_NONCE_BYTES);
  const ask = (
    lifetimeSeconds: number,
    suggested: MapRequest['suggested'],
    until: AbortSignal,
    whenAborted?: Withdraw,
  ) => exchange(gateway, { ...request, nonce, lifetimeSeconds, suggested }, until, whenAborted);

  const { external, lifetimeSeconds } = await ask(LEASE_SECONDS, anyAddress(request), signal, 'withdraw');
  return {
    external,
    lifetimeMs: lifetimeSeconds * 1000,
    renew: async (until) => (await ask(LEASE_SECONDS, external, until)).lifetimeSeconds * 1000,
    end: async (until) => {
      await ask(0, null, until);
    },
  };
};

/** The same port outside as inside, if it is free: then a later run can ask for it again. */
function anyAddress({ internalPort }: PortRequest): MapRequest['suggested'] {
  return { address: '0.0.0.0', port: internalPort };
}

/** Takes back what the gateway may be about to grant: nobody will hear its answer. */
type Withdraw = 'withdraw';
type Granted = Extract<MapResponse, { kind: 'granted' }>;

function exchange(
  gateway: string,
  asked: Omit<MapRequest, 'client'>,
  signal: AbortSignal,
  whenAborted?: Withdraw,
): Promise<Granted> {
  const socket = dgram.createSocket('udp4');
  const timers: NodeJS.Timeout[] = [];
  let onAbort = () => {};
  const abort = () => onAbort();
  return new Promise<Granted>((resolve, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    socket.on('error', reject);
    socket.on('connect', () => {
      const request = { ...asked, client: socket.address().address };
      const packet = encodeMapRequest(request);
      const send = () => socket.send(packet, (error) => error && reject(error));
      onAbort = () => {
        // It overtakes no packet before it, and the system has it when this returns.
        if (whenAborted) socket.send(encodeMapRequest({ ...request, lifetimeSeconds: 0, suggested: null }), () => {});
        reject(signal.reason);
      };
      socket.on('message', (answer) => {
        const response = decodeMapResponse(answer, request);
        if (response?.kind === 'granted') resolve(response);
        else if (response?.kind === 'refused') reject(new Error(response.why));
      });
      send();
      timers.push(...RESEND_AT_MS.map((ms) => setTimeout(send, ms)));
    });
    // Connected, so that only the gateway's packets come in, and its "port unreachable" is an error.
    socket.connect(PORT, gateway);
  }).finally(() => {
    for (const timer of timers) clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    socket.removeAllListeners().on('error', () => {});
    socket.close();
  });
}
